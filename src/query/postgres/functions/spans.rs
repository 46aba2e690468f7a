//! `interval_mul`, `interval_div` and `justify_hours`, with PostgreSQL's rules for what is left of months and days.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, IntervalMonthDayNanoArray, PrimitiveArray};
use datafusion::arrow::datatypes::{
    DataType, DurationMicrosecondType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
    TimeUnit,
};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::{Error, SqlState};
use crate::query::postgres::times::calendar::days_and_time;

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const DURATION: DataType = DataType::Duration(TimeUnit::Microsecond);
const NANOS_PER_DAY: i64 = 86_400_000_000_000;
const SECONDS_PER_DAY: f64 = 86_400.0;
const DAYS_PER_MONTH: f64 = 30.0;

/// An interval times a number.
pub fn interval_mul() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| function("interval_mul", Body::Multiply));
    Arc::clone(&FUNCTION)
}

/// An interval divided by a number.
pub fn interval_div() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| function("interval_div", Body::Divide));
    Arc::clone(&FUNCTION)
}

/// Every 24 hours as a day.
pub fn justify_hours() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| function("justify_hours", Body::Justify));
    Arc::clone(&FUNCTION)
}

fn function(name: &'static str, body: Body) -> Arc<ScalarUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(SpanFunction { name, body, signature }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Body {
    Multiply,
    Divide,
    Justify,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SpanFunction {
    name: &'static str,
    body: Body,
    signature: Signature,
}

impl ScalarUDFImpl for SpanFunction {
    fn name(&self) -> &str {
        self.name
    }

    /// What only regards the same span otherwise has its name, so that columns of a plan are found by it.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        match (self.body, args) {
            (Body::Justify, [span]) => Ok(span.schema_name().to_string()),
            (Body::Multiply, [span, factor]) => Ok(format!("{} * {}", span.schema_name(), factor.schema_name())),
            (Body::Divide, [span, factor]) => Ok(format!("{} / {}", span.schema_name(), factor.schema_name())),
            _ => plan_err!("function {} cannot take {} arguments", self.name, args.len()),
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let is_justify = self.body == Body::Justify;
        match types {
            [DataType::Interval(_) | DataType::Null] if is_justify => Ok(vec![INTERVAL]),
            [DataType::Duration(_)] if is_justify => Ok(vec![DURATION]),
            [DataType::Interval(_) | DataType::Null, factor]
                if !is_justify && (factor.is_numeric() || factor.is_null()) =>
            {
                Ok(vec![INTERVAL, DataType::Float64])
            }
            _ => plan_err!("function {} takes an interval{}", self.name, if is_justify { "" } else { " and a number" }),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let columns = args.args.iter().map(|argument| argument.to_array(rows)).collect::<Result<Vec<ArrayRef>>>()?;
        let answer: IntervalMonthDayNanoArray = match (self.body, columns.as_slice()) {
            (Body::Justify, [span]) => justified(span)?,
            (Body::Multiply, [span, factor]) => scaled(span, factor, |span, factor| times(span, |part| part * factor))?,
            (Body::Divide, [span, divisor]) => scaled(span, divisor, |span, divisor| {
                if divisor == 0.0 {
                    return Err(Error::new(SqlState::DIVISION_BY_ZERO, "division by zero"));
                }
                times(span, |part| part / divisor)
            })?,
            _ => return exec_err!("function {} cannot take {} arguments", self.name, columns.len()),
        };
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(answer)))
    }
}

fn justified(span: &ArrayRef) -> Result<IntervalMonthDayNanoArray> {
    if let Some(durations) = span.as_primitive_opt::<DurationMicrosecondType>() {
        return Ok(durations.unary(|micros| {
            let (days, rest) = days_and_time(micros);
            IntervalMonthDayNano::new(0, days, rest * 1000)
        }));
    }
    let Some(intervals) = span.as_primitive_opt::<IntervalMonthDayNanoType>() else {
        return exec_err!("justify_hours was given {}", span.data_type());
    };
    let justify = |span: IntervalMonthDayNano| {
        let mut days = i64::from(span.days) + span.nanoseconds / NANOS_PER_DAY;
        let mut nanos = span.nanoseconds % NANOS_PER_DAY;
        // Days and time look the same way.
        if days > 0 && nanos < 0 {
            (days, nanos) = (days - 1, nanos + NANOS_PER_DAY);
        } else if days < 0 && nanos > 0 {
            (days, nanos) = (days + 1, nanos - NANOS_PER_DAY);
        }
        let days = i32::try_from(days).map_err(|_| out_of_range())?;
        Ok::<_, Error>(IntervalMonthDayNano::new(span.months, days, nanos))
    };
    Ok(intervals.try_unary(justify)?)
}

fn scaled(
    span: &ArrayRef,
    factor: &ArrayRef,
    scale: impl Fn(IntervalMonthDayNano, f64) -> Result<IntervalMonthDayNano, Error>,
) -> Result<IntervalMonthDayNanoArray> {
    let spans = span.as_primitive_opt::<IntervalMonthDayNanoType>();
    let (Some(spans), Some(factors)) = (spans, factor.as_primitive_opt::<Float64Type>()) else {
        return exec_err!("an interval cannot be scaled: {} by {}", span.data_type(), factor.data_type());
    };
    let scaled = spans.iter().zip(factors).map(|pair| match pair {
        (Some(span), Some(factor)) => scale(span, factor).map(Some),
        _ => Ok(None),
    });
    Ok(scaled.collect::<Result<PrimitiveArray<IntervalMonthDayNanoType>, Error>>()?)
}

/// Scales each part. The fraction of a month becomes days of which a month has 30, that of a day becomes time.
fn times(span: IntervalMonthDayNano, scale: impl Fn(f64) -> f64) -> Result<IntervalMonthDayNano, Error> {
    let (months, days) = (scale(f64::from(span.months)), scale(f64::from(span.days)));
    let days_of_months = to_micros((months - months.trunc()) * DAYS_PER_MONTH);
    let part_of_days = days - days.trunc() + days_of_months - days_of_months.trunc();
    let mut seconds = to_micros(part_of_days * SECONDS_PER_DAY);
    let mut whole_days = days.trunc() + days_of_months.trunc();
    if seconds.abs() >= SECONDS_PER_DAY {
        let more = (seconds / SECONDS_PER_DAY).trunc();
        whole_days += more;
        seconds -= more * SECONDS_PER_DAY;
    }
    let micros = (scale(span.nanoseconds as f64 / 1000.0) + seconds * 1_000_000.0).round_ties_even();
    Ok(IntervalMonthDayNano::new(fits(months.trunc())?, fits(whole_days)?, fits_nanos(micros)?))
}

/// Rounded to millionths, so that a tenth of a day is not a microsecond short.
fn to_micros(value: f64) -> f64 {
    (value * 1_000_000.0).round_ties_even() / 1_000_000.0
}

fn fits(value: f64) -> Result<i32, Error> {
    // A NaN is in no range.
    if (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value) { Ok(value as i32) } else { Err(out_of_range()) }
}

fn fits_nanos(micros: f64) -> Result<i64, Error> {
    const LARGEST: f64 = (i64::MAX / 1000) as f64;
    if micros.abs() < LARGEST { Ok(micros as i64 * 1000) } else { Err(out_of_range()) }
}

fn out_of_range() -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = NANOS_PER_DAY;
    const HOUR: i64 = DAY / 24;

    fn span(months: i32, days: i32, nanoseconds: i64) -> IntervalMonthDayNano {
        IntervalMonthDayNano::new(months, days, nanoseconds)
    }

    #[test]
    fn fractions_flow_down_as_in_postgresql() {
        let times = |span, factor: f64| times(span, |part| part * factor).unwrap();
        assert_eq!(times(span(0, 1, 0), 2.0), span(0, 2, 0));
        assert_eq!(times(span(0, 1, 0), 1.5), span(0, 1, 12 * HOUR));
        assert_eq!(times(span(1, 0, 0), 1.5), span(1, 15, 0));
        assert_eq!(times(span(1, 0, 0), 0.5), span(0, 15, 0));
        assert_eq!(times(span(0, 0, HOUR), -21.0), span(0, 0, -21 * HOUR));
        // Hours stay hours: only justify_hours makes days of them.
        assert_eq!(times(span(0, 0, 12 * HOUR), 3.0), span(0, 0, 36 * HOUR));
        assert_eq!(times(span(0, 1, 0), 0.1), span(0, 0, 2 * HOUR + 24 * HOUR / 60));
        assert_eq!(times(span(1, 1, 0), 0.1), span(0, 3, 2 * HOUR + 24 * HOUR / 60));
    }

    #[test]
    fn what_does_not_fit_is_22008() {
        for (span, factor) in
            [(span(1, 0, 0), 1e10), (span(0, 1, 0), -1e10), (span(0, 0, DAY), 1e6), (span(0, 0, 1), f64::NAN)]
        {
            let error = times(span, |part| part * factor).unwrap_err();
            assert_eq!(error.state, SqlState::DATETIME_FIELD_OVERFLOW);
        }
    }
}
