//! Expressions in the words of SQL, for labels and plans.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr};

/// An expression as a person would write it; casts that the planner adds are not shown.
///
/// Like DataFusion's own names it keeps what tells columns apart, so that different calls have different names.
pub(crate) fn expr(expr: &Expr) -> String {
    match expr {
        Expr::Alias(alias) => self::expr(&alias.expr),
        Expr::Cast(cast) => self::expr(&cast.expr),
        // Text that is read as an interval stays text, so that the two ways to write one differ here too.
        Expr::Literal(value, _) if matches!(value.data_type(), DataType::Interval(_)) && !value.is_null() => {
            format!("INTERVAL {}", literal(value))
        }
        // A whole float reads as one, apart from the integer.
        Expr::Literal(ScalarValue::Float64(Some(number)), _) => format!("{number:?}"),
        Expr::Literal(value, _) => literal(value),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => format!("{} {op} {}", operand(left), operand(right)),
        Expr::Not(inner) => format!("NOT {}", operand(inner)),
        Expr::IsNull(inner) => format!("{} IS NULL", operand(inner)),
        Expr::IsNotNull(inner) => format!("{} IS NOT NULL", operand(inner)),
        Expr::InList(InList { expr, list, negated }) => {
            let list: Vec<_> = list.iter().map(self::expr).collect();
            format!("{} {}IN ({})", operand(expr), if *negated { "NOT " } else { "" }, list.join(", "))
        }
        other => other.schema_name().to_string(),
    }
}

fn operand(operand: &Expr) -> String {
    match operand {
        Expr::BinaryExpr(_) | Expr::Not(_) => format!("({})", expr(operand)),
        _ => expr(operand),
    }
}

/// A constant as a person would write it.
pub(crate) fn literal(value: &ScalarValue) -> String {
    use ScalarValue::*;
    match value {
        value if value.is_null() => "NULL".to_string(),
        Dictionary(_, value) => literal(value),
        IntervalMonthDayNano(Some(span)) => interval(span.months, span.days, span.nanoseconds),
        IntervalDayTime(Some(span)) => interval(0, span.days, i64::from(span.milliseconds) * 1_000_000),
        IntervalYearMonth(Some(months)) => interval(*months, 0, 0),
        value => match value.try_as_str().flatten() {
            Some(text) => format!("'{}'", text.replace('\'', "''")),
            None => value.to_string(),
        },
    }
}

fn interval(months: i32, days: i32, nanos: i64) -> String {
    let seconds = format!("{:09}", nanos.unsigned_abs() % 60_000_000_000);
    let (whole, fraction) = seconds.split_at(seconds.len() - 9);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let minutes = nanos.unsigned_abs() / 60_000_000_000;
    let sign = if nanos < 0 { "-" } else { "" };
    let clock = format!("{sign}{:02}:{:02}:{whole:0>2}{point}{fraction}", minutes / 60, minutes % 60);
    let count = |count: i32, unit: &str| format!("{count} {unit}{}", if count.abs() == 1 { "" } else { "s" });
    let parts = [
        (months != 0).then(|| count(months, "month")),
        (days != 0).then(|| count(days, "day")),
        (nanos != 0 || (months == 0 && days == 0)).then_some(clock),
    ];
    format!("'{}'", parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

/// Options as they are called, from the struct they travel in.
pub(crate) fn options(options: &Expr) -> Vec<String> {
    match options {
        Expr::ScalarFunction(ScalarFunction { args, .. }) => {
            let pairs = args.chunks_exact(2).map(|pair| (pair[0].as_literal(), &pair[1]));
            pairs
                .map(|(name, value)| {
                    let name = name.and_then(|name| name.try_as_str().flatten()).unwrap_or("?");
                    format!("{name} => {}", expr(value))
                })
                .collect()
        }
        Expr::Literal(ScalarValue::Struct(options), _) => {
            let columns = options.fields().iter().zip(options.columns());
            columns
                .map(|(field, column)| {
                    let value = ScalarValue::try_from_array(column, 0).unwrap_or(ScalarValue::Null);
                    format!("{} => {}", field.name(), literal(&value))
                })
                .collect()
        }
        other => vec![expr(other)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_read_as_postgres_writes_them() {
        assert_eq!(interval(0, 7, 0), "'7 days'");
        assert_eq!(interval(14, -1, 0), "'14 months -1 day'");
        assert_eq!(interval(0, 1, 3_723_500_000_000), "'1 day 01:02:03.5'");
        assert_eq!(interval(0, 0, -60_000_000_001), "'-00:01:00.000000001'");
        assert_eq!(interval(0, 0, 0), "'00:00:00'");
    }
}
