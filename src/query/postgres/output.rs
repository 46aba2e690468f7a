//! Any value as the text that PostgreSQL prints for it: what a cast to text gives, and what stands inside records.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int64Type,
    IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};

use super::times::calendar::days_and_time;
use super::times::text::put;
use super::times::{Zone, text};
use crate::error::{Error, Result, SqlState};

/// Every value of a column as text; NULL stays NULL. Instants are printed in `zone`.
pub fn texts(values: &ArrayRef, zone: Zone) -> Result<StringArray> {
    let values = printable(values)?;
    let mut out = StringBuilder::with_capacity(values.len(), values.len() * 16);
    let mut buffer = BytesMut::new();
    for row in 0..values.len() {
        if values.is_null(row) {
            out.append_null();
            continue;
        }
        buffer.clear();
        write(&mut buffer, &values, row, zone)?;
        let printed = std::str::from_utf8(&buffer)
            .map_err(|_| Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "a value is no valid UTF-8"))?;
        out.append_value(printed);
    }
    Ok(out.finish())
}

/// Brings a column to the encoding that its values are printed from.
pub fn printable(values: &ArrayRef) -> Result<ArrayRef> {
    let target = match values.data_type() {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            DataType::Int64
        }
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Decimal256(..) => DataType::Utf8,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(TimeUnit::Nanosecond) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Nanosecond, zone) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        DataType::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime) => {
            DataType::Interval(IntervalUnit::MonthDayNano)
        }
        DataType::Duration(TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Nanosecond) => {
            DataType::Duration(TimeUnit::Microsecond)
        }
        DataType::Dictionary(_, values) => (**values).clone(),
        DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => DataType::List(item.clone()),
        _ => return Ok(values.clone()),
    };
    let options = CastOptions { safe: false, ..Default::default() };
    let cast = cast_with_options(values, &target, &options)
        .map_err(|e| Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, e.to_string()))?;
    // What a dictionary holds may need a step of its own.
    if cast.data_type() == values.data_type() { Ok(cast) } else { printable(&cast) }
}

/// Writes one value that is not NULL, of a column that [`printable`] has brought to its encoding.
pub fn write(out: &mut BytesMut, values: &ArrayRef, row: usize, zone: Zone) -> Result<()> {
    match values.data_type() {
        DataType::Boolean => out.put_u8(if values.as_boolean().value(row) { b't' } else { b'f' }),
        DataType::Int64 => put!(out, "{}", values.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => text::float(out, f64::from(values.as_primitive::<Float32Type>().value(row)), true),
        DataType::Float64 => text::float(out, values.as_primitive::<Float64Type>().value(row), false),
        DataType::Decimal128(_, scale) => {
            text::decimal(out, values.as_primitive::<Decimal128Type>().value(row), *scale);
        }
        DataType::Utf8 => out.put_slice(values.as_string::<i32>().value(row).as_bytes()),
        DataType::Binary => text::bytea(out, values.as_binary::<i32>().value(row)),
        DataType::Date32 => text::date(out, i64::from(values.as_primitive::<Date32Type>().value(row))),
        DataType::Time64(_) => text::time(out, values.as_primitive::<Time64MicrosecondType>().value(row)),
        DataType::Timestamp(_, None) => {
            text::timestamp(out, values.as_primitive::<TimestampMicrosecondType>().value(row));
        }
        DataType::Timestamp(_, Some(_)) => {
            text::timestamp_with_zone(out, values.as_primitive::<TimestampMicrosecondType>().value(row), zone);
        }
        DataType::Interval(_) => {
            let span = values.as_primitive::<IntervalMonthDayNanoType>().value(row);
            text::interval(out, span.months, span.days, span.nanoseconds);
        }
        DataType::Duration(_) => {
            let micros = values.as_primitive::<DurationMicrosecondType>().value(row);
            let (days, rest) = days_and_time(micros);
            text::interval(out, 0, days, rest * 1000);
        }
        DataType::List(_) => list(out, &values.as_list::<i32>().value(row), zone)?,
        DataType::Struct(_) => record(out, values, row, zone)?,
        DataType::Null => {}
        other => {
            let message = format!("values of type {other} cannot be written as text");
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
    }
    Ok(())
}

/// `{a,"b c",NULL}`; lists in lists are not quoted.
fn list(out: &mut BytesMut, items: &ArrayRef, zone: Zone) -> Result<()> {
    let items = printable(items)?;
    let is_nested = matches!(items.data_type(), DataType::List(_));
    let mut item = BytesMut::new();
    out.put_u8(b'{');
    for row in 0..items.len() {
        if row > 0 {
            out.put_u8(b',');
        }
        if items.is_null(row) {
            out.put_slice(b"NULL");
            continue;
        }
        item.clear();
        write(&mut item, &items, row, zone)?;
        if is_nested {
            out.put_slice(&item);
        } else {
            text::array_item(out, &item);
        }
    }
    out.put_u8(b'}');
    Ok(())
}

/// `(a,"b c",)`: NULL is nothing at all.
fn record(out: &mut BytesMut, records: &ArrayRef, row: usize, zone: Zone) -> Result<()> {
    let mut field = BytesMut::new();
    out.put_u8(b'(');
    for (index, column) in records.as_struct().columns().iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        if column.is_null(row) {
            continue;
        }
        field.clear();
        write(&mut field, &printable(&column.slice(row, 1))?, 0, zone)?;
        text::record_field(out, &field);
    }
    out.put_u8(b')');
    Ok(())
}
