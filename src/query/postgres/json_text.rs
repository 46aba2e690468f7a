//! Any value as JSON, as PostgreSQL's `to_json` and `to_jsonb` write it: what the wire sends of maps and nested lists,
//! and what functions build.

use std::collections::BTreeMap;

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, Float32Type, Float64Type, TimeUnit, TimestampMicrosecondType};

use super::json::Json;
use super::output;
use super::times::Zone;
use super::times::text::{self, put};
use super::{is_uuid, uuid_text};
use crate::error::{Error, Result, SqlState};

/// How values are written.
#[derive(Clone, Copy, Debug)]
pub struct JsonWriter {
    /// `jsonb` has shorter keys first and each once, and a space after each separator; `json` keeps everything.
    pub form: Json,
    /// Instants are printed in it.
    pub zone: Zone,
}

impl JsonWriter {
    /// Writes one value: structs and maps as objects, lists as arrays, times as ISO 8601 has them, NULL as `null`.
    ///
    /// Fails with 0A000 for a type that has no text.
    pub fn write(&self, out: &mut BytesMut, values: &ArrayRef, row: usize) -> Result<()> {
        if is_null(values, row) {
            out.put_slice(b"null");
            return Ok(());
        }
        match values.data_type() {
            DataType::Struct(fields) => {
                let columns = values.as_struct().columns();
                let members =
                    fields.iter().zip(columns).map(|(field, column)| Ok((field.name().clone(), field, column, row)));
                self.object(out, members)
            }
            DataType::Map(entries, _) => {
                let map = values.as_map();
                let DataType::Struct(fields) = entries.data_type() else { return Err(broken_map()) };
                let [_, value] = fields.as_ref() else { return Err(broken_map()) };
                let (from, to) = (map.value_offsets()[row] as usize, map.value_offsets()[row + 1] as usize);
                let members = (from..to).map(|at| Ok((self.plain(map.keys(), at)?, value, map.values(), at)));
                self.object(out, members)
            }
            DataType::List(item) => self.items(out, item, &values.as_list::<i32>().value(row)),
            DataType::LargeList(item) => self.items(out, item, &values.as_list::<i64>().value(row)),
            DataType::FixedSizeList(item, _) => self.items(out, item, &values.as_fixed_size_list().value(row)),
            DataType::ListView(item) => self.items(out, item, &values.as_list_view::<i32>().value(row)),
            DataType::LargeListView(item) => self.items(out, item, &values.as_list_view::<i64>().value(row)),
            _ => self.leaf(out, values, row),
        }
    }

    /// The same of a value whose field may say that it is a uuid or JSON itself.
    pub fn write_of(&self, out: &mut BytesMut, field: &Field, values: &ArrayRef, row: usize) -> Result<()> {
        if is_null(values, row) {
            return self.write(out, values, row);
        }
        if Json::of(field).is_some() {
            out.put_slice(self.form.read(&self.plain(values, row)?)?.as_bytes());
            return Ok(());
        }
        match values.as_fixed_size_binary_opt() {
            Some(bytes) if is_uuid(field) => put!(out, "\"{}\"", uuid_text(bytes.value(row))),
            _ => self.write(out, values, row)?,
        }
        Ok(())
    }

    /// A value that holds no others: numbers and truth as they are, anything else as a string.
    fn leaf(&self, out: &mut BytesMut, values: &ArrayRef, row: usize) -> Result<()> {
        let one = output::printable(&values.slice(row, 1))?;
        match one.data_type() {
            DataType::Boolean => put!(out, "{}", one.as_boolean().value(0)),
            DataType::Int64 | DataType::Decimal128(..) => output::write(out, &one, 0, self.zone)?,
            DataType::Float32 => self.float(out, f64::from(one.as_primitive::<Float32Type>().value(0)), true),
            DataType::Float64 => self.float(out, one.as_primitive::<Float64Type>().value(0), false),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                let at_us = one.as_primitive::<TimestampMicrosecondType>().value(0);
                out.put_u8(b'"');
                text::iso_timestamp(out, at_us, zone.as_ref().map(|_| self.zone));
                out.put_u8(b'"');
            }
            // Decimals of 256 bits are printed by way of text.
            DataType::Utf8 if values.data_type().is_numeric() => output::write(out, &one, 0, self.zone)?,
            _ => string(out, &self.plain(&one, 0)?),
        }
        Ok(())
    }

    /// JSON has no NaN and no infinity, and `jsonb` no exponents.
    fn float(&self, out: &mut BytesMut, value: f64, single: bool) {
        match (value.is_finite(), self.form) {
            (true, Json::Text) => text::float(out, value, single),
            // There is no negative zero among its numbers.
            (true, Json::Binary) if single => put!(out, "{}", value as f32 + 0.0),
            (true, Json::Binary) => put!(out, "{}", value + 0.0),
            (false, _) => {
                out.put_u8(b'"');
                text::float(out, value, single);
                out.put_u8(b'"');
            }
        }
    }

    /// A value as the key of an object: what it is as a value, between quotes.
    ///
    /// Fails with 22023 for NULL, with the number of the argument, and for what holds other values.
    pub fn write_key(
        &self,
        out: &mut BytesMut,
        (field, values): (&Field, &ArrayRef),
        row: usize,
        argument: usize,
    ) -> Result<()> {
        if is_null(values, row) {
            let message = format!("argument {argument} cannot be null");
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).with_hint("Object keys should be text."));
        }
        if values.data_type().is_nested() || Json::of(field).is_some() {
            let message = "key value must be scalar, not array, composite, or json";
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        let mut key = BytesMut::new();
        self.write_of(&mut key, field, values, row)?;
        let is_quoted = key.starts_with(b"\"");
        for part in [if is_quoted { &b""[..] } else { b"\"" }, &key, if is_quoted { b"" } else { b"\"" }] {
            out.put_slice(part);
        }
        Ok(())
    }

    /// A value as a cast to text gives it.
    fn plain(&self, values: &ArrayRef, row: usize) -> Result<String> {
        let texts = output::texts(&values.slice(row, 1), self.zone)?;
        Ok(if texts.is_null(0) { String::new() } else { texts.value(0).to_owned() })
    }

    fn items(&self, out: &mut BytesMut, item: &Field, items: &ArrayRef) -> Result<()> {
        out.put_u8(b'[');
        for row in 0..items.len() {
            if row > 0 {
                out.put_slice(self.separators().0);
            }
            self.write_of(out, item, items, row)?;
        }
        out.put_u8(b']');
        Ok(())
    }

    /// What stands between two members, and between a key and its value.
    fn separators(&self) -> (&'static [u8], &'static [u8]) {
        match self.form {
            Json::Text => (b",", b":"),
            Json::Binary => (b", ", b": "),
        }
    }

    fn object<'a, F>(
        &self,
        out: &mut BytesMut,
        members: impl Iterator<Item = Result<(String, &'a F, &'a ArrayRef, usize)>>,
    ) -> Result<()>
    where
        F: AsRef<Field> + 'a,
    {
        let members = members.collect::<Result<Vec<_>>>()?;
        let members = match self.form {
            Json::Text => members,
            // Of a key that comes twice the last value counts.
            Json::Binary => {
                let sorted: BTreeMap<_, _> =
                    members.into_iter().map(|member| ((member.0.len(), member.0.clone()), member)).collect();
                sorted.into_values().collect()
            }
        };
        let (between, after_key) = self.separators();
        out.put_u8(b'{');
        for (index, (name, field, column, row)) in members.into_iter().enumerate() {
            if index > 0 {
                out.put_slice(between);
            }
            string(out, &name);
            out.put_slice(after_key);
            self.write_of(out, field.as_ref(), column, row)?;
        }
        out.put_u8(b'}');
        Ok(())
    }
}

/// A text between quotes, with what JSON has no room for escaped.
fn string(out: &mut BytesMut, text: &str) {
    out.put_u8(b'"');
    for c in text.chars() {
        match c {
            '"' => out.put_slice(b"\\\""),
            '\\' => out.put_slice(b"\\\\"),
            '\n' => out.put_slice(b"\\n"),
            '\r' => out.put_slice(b"\\r"),
            '\t' => out.put_slice(b"\\t"),
            '\u{8}' => out.put_slice(b"\\b"),
            '\u{c}' => out.put_slice(b"\\f"),
            c if c < ' ' => put!(out, "\\u{:04x}", c as u32),
            c => put!(out, "{c}"),
        }
    }
    out.put_u8(b'"');
}

/// Whether a value is NULL; all of them are that have no type.
fn is_null(values: &ArrayRef, row: usize) -> bool {
    values.is_null(row) || values.data_type().is_null()
}

fn broken_map() -> Error {
    Error::new(SqlState::INTERNAL_ERROR, "a map has no keys and values")
}
