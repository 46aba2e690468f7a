//! Constants as PostgreSQL writes them: intervals with a clock, times without seconds, hexadecimal bytes.
//!
//! A constant is rewritten where its type is named beside it, so nothing is guessed.

use std::borrow::Cow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, TimezoneInfo, UnaryOperator, Value};

use super::ast::{call, cast, constant, string_constant};

/// Digits after the second of a time without a stated precision: PostgreSQL's microseconds.
const MICROSECONDS: Option<u64> = Some(6);

/// Rewrites one constant with its type; anything else stays as it is.
pub fn rewrite_expr(expr: &mut Expr) {
    match expr {
        Expr::Interval(interval) => {
            if let Some(text) = string_constant(&interval.value) {
                *interval.value = text_constant(&interval_text(text));
            }
        }
        Expr::TypedString(typed) => {
            widen(&mut typed.data_type);
            if let Some(text) = typed.value.value.clone().into_string() {
                if let Some(moment) = relative(&text, &typed.data_type) {
                    *expr = moment;
                    return;
                }
                let normal = normal_text(&text, &typed.data_type);
                if normal != text {
                    typed.value.value = Value::SingleQuotedString(normal.into_owned());
                }
            }
        }
        Expr::Cast { expr: operand, data_type, .. } => {
            widen(data_type);
            if let Some(moment) = string_constant(operand).and_then(|text| relative(text, data_type)) {
                *expr = moment;
                return;
            }
            rewrite_cast(operand, data_type);
            if matches!(data_type, DataType::Bytea)
                && let Some(hex) = string_constant(operand).and_then(|text| text.strip_prefix("\\x"))
            {
                *expr = call("decode", vec![text_constant(hex), text_constant("hex")]);
            }
        }
        _ => {}
    }
}

fn rewrite_cast(operand: &mut Box<Expr>, data_type: &DataType) {
    let inner = match operand.as_mut() {
        Expr::Nested(inner) => inner,
        _ => operand,
    };
    if let Some(text) = string_constant(inner) {
        let normal = normal_text(text, data_type);
        if normal != text {
            **inner = text_constant(&normal);
        }
    } else if let Expr::Value(value) = inner.as_ref()
        && let Value::Number(number, _) = &value.value
        && is_numeric(data_type)
    {
        // As a number it would pass through a float and lose digits.
        **inner = text_constant(&number.to_string());
    } else if let Expr::Value(value) = unsigned(inner)
        && let Value::Number(number, is_long) = &value.value
        && is_integer(data_type)
        && let Some(whole) = rounded(&number.to_string())
    {
        // A constant with a point is exact: 2.5 is rounded up, where a float would be rounded to even.
        *value = Value::Number(whole, *is_long).with_empty_span();
    }
}

/// A time without a stated precision counts microseconds; DataFusion's nanoseconds end in 2262.
fn widen(data_type: &mut DataType) {
    if let DataType::Timestamp(precision @ None, _) = data_type {
        *precision = MICROSECONDS;
    }
}

/// `now`, `today` and their neighbours: times that depend on when the statement runs.
fn relative(text: &str, data_type: &DataType) -> Option<Expr> {
    if !matches!(data_type, DataType::Timestamp(..) | DataType::Date) {
        return None;
    }
    let days = match text.trim().to_ascii_lowercase().as_str() {
        "now" => return Some(cast(call("now", vec![]), data_type.clone())),
        "yesterday" => -1,
        "today" => 0,
        "tomorrow" => 1,
        _ => return None,
    };
    let today = cast(call("current_date", vec![]), DataType::Timestamp(MICROSECONDS, TimezoneInfo::None));
    let span = DataType::Interval { fields: None, precision: None };
    let shift = cast(text_constant(&format!("{days} days")), span);
    let day = Expr::BinaryOp { left: Box::new(today), op: BinaryOperator::Plus, right: Box::new(shift) };
    Some(cast(Expr::Nested(Box::new(day)), data_type.clone()))
}

fn text_constant(text: &str) -> Expr {
    constant(Value::SingleQuotedString(text.to_owned()))
}

fn is_numeric(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Numeric(_) | DataType::Decimal(_) | DataType::Dec(_))
}

fn is_integer(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::SmallInt(_)
            | DataType::Int2(_)
            | DataType::Int(_)
            | DataType::Integer(_)
            | DataType::Int4(_)
            | DataType::BigInt(_)
            | DataType::Int8(_)
    )
}

/// What a minus stands before, or the expression itself.
fn unsigned(expr: &mut Expr) -> &mut Expr {
    match expr {
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => expr,
        other => other,
    }
}

/// A number with a point as the nearest whole one, away from zero where two are as near.
fn rounded(number: &str) -> Option<String> {
    let (whole, fraction) = number.split_once('.')?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let up = fraction.as_bytes().first().is_some_and(|digit| *digit >= b'5');
    Some((whole + u128::from(up)).to_string())
}

fn normal_text<'a>(text: &'a str, data_type: &DataType) -> Cow<'a, str> {
    match data_type {
        DataType::Interval { .. } => interval_text(text),
        _ => Cow::Borrowed(text),
    }
}

/// An interval without a clock: `1 day -01:02:03.5` is `1 day -1 hours -2 minutes -3.5 seconds`.
pub fn interval_text(text: &str) -> Cow<'_, str> {
    let Some(clock) = text.split_whitespace().find(|word| word.contains(':')) else {
        return Cow::Borrowed(text);
    };
    let (sign, digits) = match clock.as_bytes().first() {
        Some(b'-') => ("-", &clock[1..]),
        Some(b'+') => ("", &clock[1..]),
        _ => ("", clock),
    };
    let parts: Vec<&str> = digits.split(':').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(is_number) {
        return Cow::Borrowed(text);
    }
    let spelled: Vec<String> = parts
        .iter()
        .zip(["hours", "minutes", "seconds"])
        .map(|(number, unit)| format!("{sign}{number} {unit}"))
        .collect();
    Cow::Owned(text.replacen(clock, &spelled.join(" "), 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_an_interval_is_spelled_out() {
        assert_eq!(interval_text("7 days 0:00:00"), "7 days 0 hours 00 minutes 00 seconds");
        assert_eq!(interval_text("1 year 2 mons -04:05:06.7"), "1 year 2 mons -04 hours -05 minutes -06.7 seconds");
        assert_eq!(interval_text("03:04"), "03 hours 04 minutes");
        assert_eq!(interval_text("7 days"), "7 days");
        assert_eq!(interval_text("1:x"), "1:x");
    }
}
