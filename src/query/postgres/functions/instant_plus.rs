//! `instant_plus`: months and days are counted on the calendar of the session's zone, hours are hours.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{AsArray, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::{exec_err, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::times::{instant_type, micros, over_columns, session_zone};
use crate::error::{Error, SqlState};
use crate::query::postgres::times::Zone;
use crate::query::postgres::times::calendar::{MICROS_PER_DAY, civil, days_in_month, days_of, split};
use crate::query::postgres::times::zone::is_infinite;

/// An instant and an interval.
pub fn instant_plus() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let span = DataType::Interval(IntervalUnit::MonthDayNano);
        let signature = Signature::exact(vec![instant_type(), span], Volatility::Stable);
        Arc::new(ScalarUDF::new_from_impl(InstantPlus { signature }))
    });
    Arc::clone(&FUNCTION)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct InstantPlus {
    signature: Signature,
}

impl ScalarUDFImpl for InstantPlus {
    fn name(&self) -> &str {
        "instant_plus"
    }

    /// A column of a plan is found by the name that the operator gave it.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        match args {
            [instant, Expr::Negative(span)] => Ok(format!("{} - {}", instant.schema_name(), span.schema_name())),
            [instant, span] => Ok(format!("{} + {}", instant.schema_name(), span.schema_name())),
            _ => internal_err!("instant_plus has two arguments"),
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(instant_type())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone = session_zone(&args.config_options);
        over_columns(&args, |columns| {
            let [times, spans] = columns else { return exec_err!("instant_plus has two arguments") };
            let spans = spans.as_primitive::<IntervalMonthDayNanoType>();
            let moved = micros(times)?.iter().zip(spans).map(|pair| match pair {
                (Some(at_us), Some(span)) => plus(at_us, span, zone).map(Some),
                _ => Ok(None),
            });
            let moved = moved.collect::<Result<TimestampMicrosecondArray, Error>>()?;
            Ok(Arc::new(moved.with_timezone("UTC")))
        })
    }
}

/// Months first, the last day of a shorter month where there is none, then days, then time.
///
/// Fails with 22008 where that is no time. An infinite time stays where it is.
pub fn plus(at_us: i64, span: IntervalMonthDayNano, zone: Zone) -> Result<i64, Error> {
    if is_infinite(at_us) {
        return Ok(at_us);
    }
    let out_of_range = || Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    let mut moved_us = at_us;
    if span.months != 0 || span.days != 0 {
        let (mut days, time_us) = split(zone.wall_time(at_us));
        if span.months != 0 {
            let (year, month, day) = civil(days);
            let months = year * 12 + i64::from(month) - 1 + i64::from(span.months);
            let (year, month) = (months.div_euclid(12), months.rem_euclid(12) as u32 + 1);
            days = days_of(year, month, day.min(days_in_month(year, month)));
        }
        let midnight = (days + i64::from(span.days)).checked_mul(MICROS_PER_DAY).ok_or_else(out_of_range)?;
        moved_us = zone.instant(midnight.checked_add(time_us).ok_or_else(out_of_range)?);
    }
    moved_us.checked_add(span.nanoseconds / 1000).filter(|at_us| !is_infinite(*at_us)).ok_or_else(out_of_range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_as_long_as_the_clocks_make_it() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let hour_us = 3_600_000_000;
        // 2026-03-28 12:00 UTC, the day before clocks go forward.
        let noon = 1_774_699_200_000_000;
        let plus = |span| plus(noon, span, berlin).unwrap();
        assert_eq!(plus(IntervalMonthDayNano::new(0, 1, 0)), noon + 23 * hour_us);
        assert_eq!(plus(IntervalMonthDayNano::new(0, 0, 24 * hour_us * 1000)), noon + 24 * hour_us);
        // 28 March and a month less is 28 February; 31 days more than that is 31 March, on summer time.
        assert_eq!(plus(IntervalMonthDayNano::new(-1, 31, 0)), noon + (3 * 24 - 1) * hour_us);
    }

    #[test]
    fn what_is_too_far_away_is_22008() {
        let far = IntervalMonthDayNano::new(i32::MAX, 0, 0);
        assert_eq!(plus(0, far, Zone::UTC).map_err(|e| e.state), Err(SqlState::DATETIME_FIELD_OVERFLOW));
    }
}
