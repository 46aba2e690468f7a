//! Parameters as a client sends them, to the values that a plan is bound with.

use bytes::Bytes;
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalUnit};
use datafusion::scalar::ScalarValue;
use pgwire::api::Type;

use super::arrays::{Items, Refused};
use super::{binary, types};
use crate::error::{Error, Result, SqlState};
use crate::query::postgres::times::{Zone, input};
use crate::query::postgres::{array_text, interval_text, parse_uuid};

/// Where a parameter stands in the statement, for messages.
#[derive(Clone, Copy)]
struct Place<'a> {
    number: usize,
    pg: &'a Type,
}

/// Decodes one parameter (`number` counts from 1) of type `pg` for a place of type `target`.
///
/// `zone` is the session's: text without an offset is local there when it means an instant.
pub fn decode(
    number: usize,
    bytes: Option<&Bytes>,
    pg: &Type,
    is_binary: bool,
    target: &DataType,
    zone: &str,
) -> Result<ScalarValue> {
    let place = Place { number, pg };
    let Some(bytes) = bytes else {
        return ScalarValue::try_from(target).map_err(|e| place.wrong(&e.to_string()));
    };
    let value = if is_binary {
        from_binary(place, bytes, pg)?
    } else {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| place.error(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "is not valid UTF-8"))?;
        from_text(place, text, pg, zone)?
    };
    // A numeric keeps the digits that were sent, also in an array; the planner widens what it is compared with.
    let is_numeric = match (&value.data_type(), target) {
        (DataType::List(sent), DataType::List(wanted)) => {
            sent.data_type().is_decimal() && wanted.data_type().is_decimal()
        }
        (sent, wanted) => sent.is_decimal() && wanted.is_decimal(),
    };
    if is_numeric || value.data_type() == *target {
        return Ok(value);
    }
    value.cast_to(target).map_err(|e| place.wrong(&e.strip_backtrace()))
}

impl Place<'_> {
    fn error(self, state: SqlState, what: &str) -> Error {
        Error::new(state, format!("parameter ${} ({}) {what}", self.number, self.pg.name()))
    }

    fn wrong(self, why: &str) -> Error {
        let why = why.lines().next().unwrap_or_default();
        self.error(SqlState::INVALID_TEXT_REPRESENTATION, &format!("cannot be read: {why}"))
    }

    /// An error of the value itself, which says what is wrong.
    fn of(self, error: Error) -> Error {
        error.with_detail(format!("It is the value of parameter ${}.", self.number))
    }

    fn refused(self, refused: Refused) -> Error {
        match refused {
            Refused::Digits => {
                self.error(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "has numbers that need more than 38 digits together")
            }
            Refused::Other(error) => self.wrong(&error.strip_backtrace()),
        }
    }

    fn length(self, length: usize) -> Error {
        let what = format!("has a binary value of {length} bytes, which is not its format");
        self.error(SqlState::INVALID_BINARY_REPRESENTATION, &what)
    }
}

fn from_text(place: Place<'_>, text: &str, pg: &Type, zone: &str) -> Result<ScalarValue> {
    if let Some(item) = types::item_of(pg) {
        let mut items = Items::new();
        for item_text in array_text::items(text) {
            let item_text = item_text.map_err(|_| place.wrong("it is not a one-dimensional array like {a,b}"))?;
            let value = item_text.map(|text| from_text(place, &text, &item, zone)).transpose()?;
            items.push(value).map_err(|refused| place.refused(refused))?;
        }
        return list(place, items, &item);
    }
    if let Some(value) = number(text.trim(), pg) {
        return Ok(value);
    }
    let utf8 = || ScalarValue::Utf8(Some(text.to_owned()));
    let trimmed = || ScalarValue::Utf8(Some(text.trim().to_owned()));
    match *pg {
        Type::NUMERIC => match decimal(text.trim()) {
            Some((value, scale)) => Ok(ScalarValue::Decimal128(Some(value), 38, scale)),
            None => Err(place.wrong("it is not a number of at most 38 digits")),
        },
        Type::INTERVAL => ScalarValue::Utf8(Some(interval_text(text.trim()).into_owned()))
            .cast_to(&DataType::Interval(IntervalUnit::MonthDayNano))
            .map_err(|e| place.wrong(&e.strip_backtrace())),
        Type::UUID => match parse_uuid(text) {
            Ok(bytes) => Ok(ScalarValue::FixedSizeBinary(16, Some(bytes.to_vec()))),
            Err(error) => Err(place.of(error)),
        },
        Type::BYTEA => match text.strip_prefix("\\x") {
            Some(hex) => decode_hex(hex)
                .map(|bytes| ScalarValue::Binary(Some(bytes)))
                .ok_or_else(|| place.wrong("it is not hexadecimal")),
            None => Ok(ScalarValue::Binary(Some(text.as_bytes().to_vec()))),
        },
        Type::BOOL => match text.trim().to_ascii_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "on" | "1" => Ok(ScalarValue::Boolean(Some(true))),
            "f" | "false" | "n" | "no" | "off" | "0" => Ok(ScalarValue::Boolean(Some(false))),
            _ => Err(place.wrong("it is neither true nor false")),
        },
        Type::TIMESTAMPTZ => {
            let at_us = input::instant(text, Zone::of_context(zone)).map_err(|error| place.of(error))?;
            Ok(ScalarValue::TimestampMicrosecond(Some(at_us), Some("UTC".into())))
        }
        Type::TIMESTAMP => {
            let at_us = input::timestamp(text).map_err(|error| place.of(error))?;
            Ok(ScalarValue::TimestampMicrosecond(Some(at_us), None))
        }
        Type::DATE => Ok(ScalarValue::Date32(Some(input::date(text).map_err(|error| place.of(error))?))),
        _ => match types::arrow_type(pg) {
            None | Some(DataType::Utf8) => Ok(utf8()),
            Some(target) => trimmed().cast_to(&target).map_err(|e| place.wrong(&e.strip_backtrace())),
        },
    }
}

/// Plain digits, without the way through an array that other values take; `None` for what is read there, or refused.
fn number(text: &str, pg: &Type) -> Option<ScalarValue> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
    if !is_plain {
        return None;
    }
    match *pg {
        Type::INT2 => text.parse().ok().map(|value| ScalarValue::Int16(Some(value))),
        Type::INT4 => text.parse().ok().map(|value| ScalarValue::Int32(Some(value))),
        Type::INT8 => text.parse().ok().map(|value| ScalarValue::Int64(Some(value))),
        Type::FLOAT4 => text.parse().ok().map(|value| ScalarValue::Float32(Some(value))),
        Type::FLOAT8 => text.parse().ok().map(|value| ScalarValue::Float64(Some(value))),
        _ => None,
    }
}

fn from_binary(place: Place<'_>, bytes: &[u8], pg: &Type) -> Result<ScalarValue> {
    if let Some(item) = types::item_of(pg) {
        return array_from_binary(place, bytes, &item);
    }
    let int8 = || bytes.try_into().map(i64::from_be_bytes).map_err(|_| place.length(bytes.len()));
    let int4 = || bytes.try_into().map(i32::from_be_bytes).map_err(|_| place.length(bytes.len()));
    Ok(match *pg {
        Type::BOOL => match bytes {
            [byte] => ScalarValue::Boolean(Some(*byte != 0)),
            _ => return Err(place.length(bytes.len())),
        },
        Type::INT2 => {
            ScalarValue::Int16(Some(bytes.try_into().map(i16::from_be_bytes).map_err(|_| place.length(bytes.len()))?))
        }
        Type::INT4 => ScalarValue::Int32(Some(int4()?)),
        Type::OID => ScalarValue::Int64(Some(i64::from(int4()? as u32))),
        Type::INT8 => ScalarValue::Int64(Some(int8()?)),
        Type::FLOAT4 => ScalarValue::Float32(Some(f32::from_bits(int4()? as u32))),
        Type::FLOAT8 => ScalarValue::Float64(Some(f64::from_bits(int8()? as u64))),
        Type::NUMERIC => match binary::numeric_from(bytes) {
            Some((value, scale)) => ScalarValue::Decimal128(Some(value), 38, scale),
            None => {
                let what = "is not a number of at most 38 digits";
                return Err(place.error(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, what));
            }
        },
        Type::BYTEA => ScalarValue::Binary(Some(bytes.to_vec())),
        Type::DATE => ScalarValue::Date32(Some(binary::date_from(int4()?))),
        Type::TIME => ScalarValue::Time64Microsecond(Some(int8()?)),
        Type::TIMESTAMP => ScalarValue::TimestampMicrosecond(Some(binary::timestamp_from(int8()?)), None),
        Type::TIMESTAMPTZ => {
            ScalarValue::TimestampMicrosecond(Some(binary::timestamp_from(int8()?)), Some("UTC".into()))
        }
        Type::INTERVAL => interval_from_binary(place, bytes)?,
        Type::UUID => match <[u8; 16]>::try_from(bytes) {
            Ok(bytes) => ScalarValue::FixedSizeBinary(16, Some(bytes.to_vec())),
            Err(_) => return Err(place.length(bytes.len())),
        },
        Type::JSONB => match bytes.split_first() {
            Some((1, text)) => utf8(place, text)?,
            _ => return Err(place.length(bytes.len())),
        },
        _ => utf8(place, bytes)?,
    })
}

fn utf8(place: Place<'_>, bytes: &[u8]) -> Result<ScalarValue> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(ScalarValue::Utf8(Some(text.to_owned()))),
        Err(_) => Err(place.error(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "is not valid UTF-8")),
    }
}

fn interval_from_binary(place: Place<'_>, bytes: &[u8]) -> Result<ScalarValue> {
    if bytes.len() != 16 {
        return Err(place.length(bytes.len()));
    }
    let (mut micros, mut days, mut months) = ([0; 8], [0; 4], [0; 4]);
    micros.copy_from_slice(&bytes[..8]);
    days.copy_from_slice(&bytes[8..12]);
    months.copy_from_slice(&bytes[12..]);
    let nanos = i64::from_be_bytes(micros)
        .checked_mul(1000)
        .ok_or_else(|| place.error(SqlState::DATETIME_FIELD_OVERFLOW, "is longer than 292 years of hours"))?;
    Ok(ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(
        i32::from_be_bytes(months),
        i32::from_be_bytes(days),
        nanos,
    ))))
}

/// Dimensions, NULL flag, item type, length and lower bound, then each item with its length.
fn array_from_binary(place: Place<'_>, bytes: &[u8], item: &Type) -> Result<ScalarValue> {
    let mut rest = bytes;
    let mut int4 = || {
        let (head, tail) = rest.split_at_checked(4)?;
        rest = tail;
        Some(i32::from_be_bytes(head.try_into().ok()?))
    };
    let header = || place.length(bytes.len());
    let dimensions = int4().ok_or_else(header)?;
    let (_, _) = (int4().ok_or_else(header)?, int4().ok_or_else(header)?);
    let count = match dimensions {
        0 => 0,
        1 => {
            let count = int4().ok_or_else(header)?;
            int4().ok_or_else(header)?;
            count
        }
        _ => return Err(place.error(SqlState::FEATURE_NOT_SUPPORTED, "has more than one dimension")),
    };
    let mut items = Items::new();
    for _ in 0..count {
        let (head, tail) = rest.split_at_checked(4).ok_or_else(header)?;
        let length = i32::from_be_bytes(head.try_into().map_err(|_| header())?);
        rest = tail;
        let Ok(length) = usize::try_from(length) else {
            items.push(None).map_err(|refused| place.refused(refused))?;
            continue;
        };
        let (value, tail) = rest.split_at_checked(length).ok_or_else(header)?;
        rest = tail;
        let value = from_binary(place, value, item)?;
        items.push(Some(value)).map_err(|refused| place.refused(refused))?;
    }
    list(place, items, item)
}

fn list(place: Place<'_>, items: Items, item: &Type) -> Result<ScalarValue> {
    let item_type = types::arrow_type(item).unwrap_or(DataType::Utf8);
    items.finish(&item_type).map_err(|refused| place.refused(refused))
}

/// Digits and scale of a decimal text, an exponent included. `None` where it is none or too long.
fn decimal(text: &str) -> Option<(i128, i8)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (is_negative, mantissa) = match mantissa.as_bytes().first()? {
        b'-' => (true, &mantissa[1..]),
        b'+' => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{part}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut value: i128 = digits
        .trim_start_matches('0')
        .parse()
        .or_else(|e| if digits.bytes().all(|b| b == b'0') { Ok(0) } else { Err(e) })
        .ok()?;
    let mut scale = i32::try_from(part.len()).ok()?.checked_sub(exponent)?;
    if scale < 0 {
        value = value.checked_mul(10i128.checked_pow(scale.unsigned_abs())?)?;
        scale = 0;
    }
    let fits = scale <= 38 && value < 10i128.pow(38);
    fits.then_some((if is_negative { -value } else { value }, scale as i8))
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| (byte as char).to_digit(16);
    digits.chunks_exact(2).map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::datatypes::TimeUnit;
    use proptest::prelude::*;

    fn array_of(value: &ScalarValue) -> datafusion::arrow::array::ArrayRef {
        value.to_array().unwrap()
    }

    fn text(pg: &Type, text: &str) -> Result<ScalarValue> {
        let target = types::arrow_type(pg).unwrap();
        decode(1, Some(&Bytes::copy_from_slice(text.as_bytes())), pg, false, &target, "UTC")
    }

    #[test]
    fn text_values_are_read_as_postgresql_writes_them() {
        assert_eq!(text(&Type::BOOL, "t").unwrap(), ScalarValue::Boolean(Some(true)));
        assert_eq!(text(&Type::INT8, " 42 ").unwrap(), ScalarValue::Int64(Some(42)));
        assert_eq!(text(&Type::NUMERIC, "12.50").unwrap(), ScalarValue::Decimal128(Some(1250), 38, 2));
        assert_eq!(text(&Type::BYTEA, "\\x00ff").unwrap(), ScalarValue::Binary(Some(vec![0, 255])));
        let instant = text(&Type::TIMESTAMPTZ, "2026-03-01 08:00:00+08").unwrap();
        assert_eq!(instant, ScalarValue::TimestampMicrosecond(Some(1_772_323_200_000_000), Some("UTC".into())));
    }

    #[test]
    fn text_without_offset_is_local_in_the_zone_of_the_session() {
        let target = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let bytes = Bytes::from_static(b"2026-03-01 08:00:00");
        let value = decode(1, Some(&bytes), &Type::TIMESTAMPTZ, false, &target, "Asia/Shanghai").unwrap();
        assert_eq!(value, ScalarValue::TimestampMicrosecond(Some(1_772_323_200_000_000), Some("UTC".into())));
    }

    #[test]
    fn numbers_may_have_exponents_and_intervals_a_clock() {
        assert_eq!(decimal("-1E-12"), Some((-1, 12)));
        assert_eq!(decimal("1.5e3"), Some((1500, 0)));
        assert_eq!(decimal("0.00"), Some((0, 2)));
        assert_eq!(decimal("1e40"), None);
        assert_eq!(decimal("."), None);
        let week = text(&Type::INTERVAL, "7 days 0:00:00").unwrap();
        assert_eq!(week, ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(0, 7, 0))));
    }

    #[test]
    fn a_uuid_is_sixteen_bytes_in_both_formats() {
        let bytes: Vec<u8> = (0..16).collect();
        let value = ScalarValue::FixedSizeBinary(16, Some(bytes.clone()));
        assert_eq!(text(&Type::UUID, "00010203-0405-0607-0809-0A0B0C0D0E0F").unwrap(), value);
        let target = types::arrow_type(&Type::UUID).unwrap();
        let binary = |sent: &[u8]| decode(1, Some(&Bytes::copy_from_slice(sent)), &Type::UUID, true, &target, "UTC");
        assert_eq!(binary(&bytes).unwrap(), value);
        assert_eq!(binary(&bytes[1..]).unwrap_err().state, SqlState::INVALID_BINARY_REPRESENTATION);
        let error = text(&Type::UUID, "tea").unwrap_err();
        assert_eq!(error.state, SqlState::INVALID_TEXT_REPRESENTATION);
        assert_eq!(error.message, "invalid input syntax for type uuid: \"tea\"");
    }

    #[test]
    fn an_unreadable_value_names_parameter_and_type() {
        let error = text(&Type::INT4, "many").unwrap_err();
        assert_eq!(error.state, SqlState::INVALID_TEXT_REPRESENTATION);
        assert!(error.message.starts_with("parameter $1 (int4) cannot be read"), "{error}");
    }

    #[test]
    fn arrays_of_text_keep_quotes_commas_and_nulls() {
        let value = text(&Type::TEXT_ARRAY, r#"{红茶,"a,\"b\"",NULL,"NULL"}"#).unwrap();
        let list = ScalarValue::new_list(
            &[Some("红茶"), Some("a,\"b\""), None, Some("NULL")].map(|s| ScalarValue::Utf8(s.map(str::to_owned))),
            &DataType::Utf8,
            true,
        );
        assert_eq!(&array_of(&value), &array_of(&ScalarValue::List(list)));
    }

    #[test]
    fn arrays_of_numerics_keep_the_digits_of_each() {
        let list = |values: &[i128], scale| {
            let values: Vec<_> = values.iter().map(|value| ScalarValue::Decimal128(Some(*value), 38, scale)).collect();
            ScalarValue::List(ScalarValue::new_list(&values, &DataType::Decimal128(38, scale), true))
        };
        assert_eq!(text(&Type::NUMERIC_ARRAY, "{1,2.55}").unwrap(), list(&[100, 255], 2));
        let digits = "0.1234567890123456789";
        assert_eq!(
            text(&Type::NUMERIC_ARRAY, &format!("{{{digits}}}")).unwrap(),
            list(&[1_234_567_890_123_456_789], 19)
        );
        let error = text(&Type::NUMERIC_ARRAY, "{1e37,0.01}").unwrap_err();
        assert_eq!(error.state, SqlState::NUMERIC_VALUE_OUT_OF_RANGE);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80), binary: bool) {
            let bytes = Bytes::from(bytes);
            for pg in [Type::BOOL, Type::INT4, Type::NUMERIC, Type::INTERVAL, Type::TIMESTAMPTZ,
                       Type::DATE, Type::UUID, Type::JSONB, Type::TEXT_ARRAY, Type::INT8_ARRAY, Type::NUMERIC_ARRAY] {
                let target = types::arrow_type(&pg).unwrap();
                let _ = decode(1, Some(&bytes), &pg, binary, &target, "UTC");
            }
        }
    }
}
