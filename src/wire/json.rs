//! Nested values that PostgreSQL has no array for, as the text of jsonb: shorter keys first, each once.

use std::collections::BTreeMap;

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::error::{Error, Result, SqlState};
use crate::query::postgres::times::text::put;

/// Writes one value: structs and maps as objects, lists as arrays, times as text.
pub fn value(out: &mut BytesMut, array: &ArrayRef, row: usize) -> Result<()> {
    if array.is_null(row) {
        out.put_slice(b"null");
        return Ok(());
    }
    match array.data_type() {
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            object(out, fields.iter().zip(columns).map(|(field, column)| (field.name().clone(), column, row)))
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let (from, to) = (map.value_offsets()[row] as usize, map.value_offsets()[row + 1] as usize);
            let keys = formatter(map.keys())?;
            object(out, (from..to).map(|at| (keys.value(at).to_string(), map.values(), at)))
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            items(out, &list.value(row))
        }
        DataType::LargeList(_) => items(out, &array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => items(out, &array.as_fixed_size_list().value(row)),
        DataType::ListView(_) => items(out, &array.as_list_view::<i32>().value(row)),
        DataType::LargeListView(_) => items(out, &array.as_list_view::<i64>().value(row)),
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => {
            put!(out, "{}", formatter(array)?.value(row));
            Ok(())
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let text = formatter(array)?.value(row).to_string();
            // JSON has no NaN and no infinity; PostgreSQL's to_json quotes them.
            match text.parse::<f64>() {
                Ok(number) if number.is_finite() => out.put_slice(text.as_bytes()),
                _ => string(out, &text),
            }
            Ok(())
        }
        _ => {
            string(out, &formatter(array)?.value(row).to_string());
            Ok(())
        }
    }
}

fn items(out: &mut BytesMut, array: &ArrayRef) -> Result<()> {
    out.put_u8(b'[');
    for row in 0..array.len() {
        if row > 0 {
            out.put_slice(b", ");
        }
        value(out, array, row)?;
    }
    out.put_u8(b']');
    Ok(())
}

fn object<'a>(out: &mut BytesMut, members: impl Iterator<Item = (String, &'a ArrayRef, usize)>) -> Result<()> {
    // Of a key that comes twice the last value counts.
    let members: BTreeMap<(usize, String), (&ArrayRef, usize)> =
        members.map(|(name, column, row)| ((name.len(), name), (column, row))).collect();
    out.put_u8(b'{');
    for (index, ((_, name), (column, row))) in members.into_iter().enumerate() {
        if index > 0 {
            out.put_slice(b", ");
        }
        string(out, &name);
        out.put_slice(b": ");
        value(out, column, row)?;
    }
    out.put_u8(b'}');
    Ok(())
}

fn string(out: &mut BytesMut, text: &str) {
    out.put_u8(b'"');
    for c in text.chars() {
        match c {
            '"' => out.put_slice(b"\\\""),
            '\\' => out.put_slice(b"\\\\"),
            '\n' => out.put_slice(b"\\n"),
            '\r' => out.put_slice(b"\\r"),
            '\t' => out.put_slice(b"\\t"),
            c if c < ' ' => put!(out, "\\u{:04x}", c as u32),
            c => put!(out, "{c}"),
        }
    }
    out.put_u8(b'"');
}

fn formatter(array: &ArrayRef) -> Result<ArrayFormatter<'_>> {
    const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_display_error(true);
    ArrayFormatter::try_new(array.as_ref(), &OPTIONS)
        .map_err(|e| Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("cannot print this value: {e}")))
}
