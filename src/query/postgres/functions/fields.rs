//! `extract`, `date_part`, and `date_trunc` in a zone that is named.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, TimestampMicrosecondArray, new_null_array,
};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Field as ArrowField, FieldRef, Float64Type,
    Int64Type, IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::times::{WALL, instant_type, is_text, micros, over_columns, session_zone, texts, type_name};
use crate::error::{Error, SqlState};
use crate::query::postgres::times::Zone;
use crate::query::postgres::times::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND, civil, days_of, iso_weekday, split};
use crate::query::postgres::times::fields::{Field, Source};
use crate::query::postgres::times::zone::is_infinite;

/// `extract` gives numeric, `date_part` the same as double precision.
pub fn extract() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| function("extract", Answer::Numeric));
    Arc::clone(&FUNCTION)
}

/// A field of a time as double precision.
pub fn date_part() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| function("date_part", Answer::Double));
    Arc::clone(&FUNCTION)
}

fn function(name: &'static str, answer: Answer) -> Arc<ScalarUDF> {
    let signature = Signature::user_defined(Volatility::Stable);
    Arc::new(ScalarUDF::new_from_impl(FieldFunction { name, answer, signature }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    Numeric,
    Double,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FieldFunction {
    name: &'static str,
    answer: Answer,
    signature: Signature,
}

/// Digits of a field: an epoch in microseconds has nineteen.
const WIDE: u8 = 20;
const NARROW: u8 = 12;

impl ScalarUDFImpl for FieldFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let refuse = || {
            let types: Vec<String> = types.iter().map(type_name).collect();
            let message = format!("function {}({}) does not exist", self.name, types.join(", "));
            Err(Error::new(SqlState::UNDEFINED_FUNCTION, message).into())
        };
        let [name, source] = types else { return refuse() };
        if !is_text(name) {
            return refuse();
        }
        let source = match source {
            DataType::Timestamp(_, None) | DataType::Null => WALL,
            DataType::Timestamp(_, Some(_)) => instant_type(),
            DataType::Date32 | DataType::Date64 => DataType::Date32,
            DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
            DataType::Interval(_) => DataType::Interval(IntervalUnit::MonthDayNano),
            DataType::Duration(_) => DataType::Duration(TimeUnit::Microsecond),
            _ => return refuse(),
        };
        // A constant stays one: the type of the answer depends on it.
        Ok(vec![DataType::Utf8, source])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("the type of {} depends on its field", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let data_type = match self.answer {
            Answer::Double => DataType::Float64,
            Answer::Numeric => {
                let name =
                    args.scalar_arguments.first().copied().flatten().and_then(|name| name.try_as_str().flatten());
                let Some(name) = name else { return plan_err!("the field of extract is a word") };
                let source = args.arg_fields.get(1).map_or(&DataType::Null, |field| field.data_type());
                match field_named(name, source)?.scale(is_date(source)) {
                    0 => DataType::Decimal128(NARROW, 0),
                    scale => DataType::Decimal128(WIDE, scale),
                }
            }
        };
        Ok(ArrowField::new(self.name, data_type, true).into())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone = session_zone(&args.config_options);
        over_columns(&args, |columns| {
            let [names, column] = columns else { return exec_err!("{} has two arguments", self.name) };
            let (names, sources) = (names.as_string::<i32>(), Sources { column, zone });
            if let (Some(ColumnarValue::Scalar(_)), false) = (args.args.first(), names.is_empty()) {
                return match names.is_null(0) {
                    true => Ok(new_null_array(args.return_field.data_type(), names.len())),
                    false => self.answer(&sources, names.value(0), args.return_field.data_type()),
                };
            }
            let of_date = is_date(sources.data_type());
            let values = (0..names.len()).map(|row| {
                if names.is_null(row) || sources.is_null(row) {
                    return Ok(None);
                }
                let name = names.value(row);
                let field = field_named(name, sources.data_type())?;
                let value = field.of(sources.get(row)?, name)?;
                Ok(Some(value as f64 / units(field.scale(of_date))))
            });
            Ok(Arc::new(values.collect::<Result<Float64Array, Error>>()?))
        })
    }
}

impl FieldFunction {
    /// One field of all rows.
    fn answer(&self, sources: &Sources, name: &str, data_type: &DataType) -> Result<ArrayRef> {
        let field = field_named(name, sources.data_type())?;
        let values = sources.all(field, name)?;
        Ok(match self.answer {
            Answer::Numeric => {
                Arc::new(values.unary::<_, Decimal128Type>(i128::from).with_data_type(data_type.clone()))
            }
            Answer::Double => {
                let units = units(field.scale(is_date(sources.data_type())));
                Arc::new(values.unary::<_, Float64Type>(|value| value as f64 / units))
            }
        })
    }
}

/// How many units of a scale are one.
fn units(scale: i8) -> f64 {
    10f64.powi(i32::from(scale))
}

fn is_date(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64)
}

fn field_named(name: &str, source: &DataType) -> Result<Field, Error> {
    Field::named(name).ok_or_else(|| {
        let message = format!("unit \"{name}\" not recognized for type {}", type_name(source));
        Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
    })
}

/// A column that fields are taken out of.
struct Sources<'a> {
    column: &'a ArrayRef,
    zone: Zone,
}

impl Sources<'_> {
    fn data_type(&self) -> &DataType {
        self.column.data_type()
    }

    fn is_null(&self, row: usize) -> bool {
        self.column.is_null(row)
    }

    /// A field of every row.
    fn all(&self, field: Field, name: &str) -> Result<Int64Array, Error> {
        if let (Field::Epoch, Some(times)) = (field, self.column.as_primitive_opt::<TimestampMicrosecondType>()) {
            // An instant is what it is in every zone.
            return times.try_unary::<_, Int64Type, _>(finite);
        }
        let rows = (0..self.column.len()).map(|row| match self.is_null(row) {
            true => Ok(None),
            false => field.of(self.get(row)?, name).map(Some),
        });
        rows.collect()
    }

    fn get(&self, row: usize) -> Result<Source, Error> {
        Ok(match self.column.data_type() {
            DataType::Timestamp(_, zone) => {
                let at_us = finite(self.column.as_primitive::<TimestampMicrosecondType>().value(row))?;
                match zone {
                    None => Source::Wall { at_us },
                    Some(_) => {
                        let offset_seconds = self.zone.offset_seconds(at_us);
                        let wall_us = at_us.saturating_add(i64::from(offset_seconds) * MICROS_PER_SECOND);
                        Source::Instant { at_us, wall_us, offset_seconds }
                    }
                }
            }
            DataType::Date32 => Source::Date { days: self.column.as_primitive::<Date32Type>().value(row).into() },
            DataType::Time64(_) => {
                Source::Time { at_us: self.column.as_primitive::<Time64MicrosecondType>().value(row) }
            }
            DataType::Duration(_) => {
                // The difference of two times is days and time, as it is printed.
                let micros = self.column.as_primitive::<DurationMicrosecondType>().value(row);
                let days = i32::try_from(micros / MICROS_PER_DAY)
                    .map_err(|_| Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"))?;
                Source::Interval { months: 0, days, nanos: micros % MICROS_PER_DAY * 1000 }
            }
            _ => {
                let span = self.column.as_primitive::<IntervalMonthDayNanoType>().value(row);
                Source::Interval { months: span.months, days: span.days, nanos: span.nanoseconds }
            }
        })
    }
}

fn finite(at_us: i64) -> Result<i64, Error> {
    match is_infinite(at_us) {
        true => Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "fields of an infinite time are not supported")),
        false => Ok(at_us),
    }
}

/// `date_trunc(unit, instant, zone)`: the start of the unit on the zone's calendar.
pub fn date_trunc_in_zone() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let signature =
            Signature::exact(vec![DataType::Utf8View, instant_type(), DataType::Utf8View], Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(TruncateInZone { signature }))
    });
    Arc::clone(&FUNCTION)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TruncateInZone {
    signature: Signature,
}

impl ScalarUDFImpl for TruncateInZone {
    fn name(&self) -> &str {
        "date_trunc_in_zone"
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
        over_columns(&args, |columns| {
            let [units, times, zones] = columns else { return exec_err!("date_trunc has three arguments") };
            let (units, times, zones) = (texts(units)?, micros(times)?, texts(zones)?);
            let mut known: Option<(&str, Zone)> = None;
            let answer = (0..times.len()).map(|row| {
                if units.is_null(row) || times.is_null(row) || zones.is_null(row) {
                    return Ok(None);
                }
                let name = zones.value(row);
                let zone = match known {
                    Some((before, zone)) if before == name => zone,
                    _ => Zone::named(name)?,
                };
                known = Some((name, zone));
                truncate(units.value(row), times.value(row), zone).map(Some)
            });
            let answer = answer.collect::<Result<TimestampMicrosecondArray, Error>>()?;
            Ok(Arc::new(answer.with_timezone("UTC")))
        })
    }
}

/// The start of the unit in which an instant lies. Below a day the offset stays, so that a double hour stays two.
fn truncate(unit: &str, at_us: i64, zone: Zone) -> Result<i64, Error> {
    if is_infinite(at_us) {
        return Ok(at_us);
    }
    let wall_us = zone.wall_time(at_us);
    let (days, _) = split(wall_us);
    let (year, month, _) = civil(days);
    let below_a_day = |unit_us: i64| Ok(at_us - wall_us.rem_euclid(unit_us));
    let start = match Field::named(unit) {
        Some(Field::Microseconds) => return Ok(at_us),
        Some(Field::Milliseconds) => return below_a_day(1000),
        Some(Field::Second) => return below_a_day(MICROS_PER_SECOND),
        Some(Field::Minute) => return below_a_day(60 * MICROS_PER_SECOND),
        Some(Field::Hour) => return below_a_day(3600 * MICROS_PER_SECOND),
        Some(Field::Day) => days,
        Some(Field::Week) => days - iso_weekday(days) + 1,
        Some(Field::Month) => days_of(year, month, 1),
        Some(Field::Quarter) => days_of(year, (month - 1) / 3 * 3 + 1, 1),
        Some(Field::Year) => days_of(year, 1, 1),
        Some(Field::Decade) => days_of(year.div_euclid(10) * 10, 1, 1),
        Some(Field::Century) => days_of((year - 1).div_euclid(100) * 100 + 1, 1, 1),
        Some(Field::Millennium) => days_of((year - 1).div_euclid(1000) * 1000 + 1, 1, 1),
        other => {
            let (state, what) = match other {
                Some(_) => (SqlState::FEATURE_NOT_SUPPORTED, "supported"),
                None => (SqlState::INVALID_PARAMETER_VALUE, "recognized"),
            };
            return Err(Error::new(state, format!("unit \"{unit}\" not {what} for type timestamp with time zone")));
        }
    };
    Ok(zone.instant(start * MICROS_PER_DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_starts_at_the_zones_midnight_and_a_double_hour_stays_two() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let hour = 3600 * MICROS_PER_SECOND;
        // 2026-10-25 01:00:00 UTC: three o'clock becomes two.
        let change = 1_792_890_000 * MICROS_PER_SECOND;
        assert_eq!(truncate("day", change + hour / 2, berlin), Ok(change - 3 * hour));
        assert_eq!(truncate("hour", change + hour / 2, berlin), Ok(change));
        assert_eq!(truncate("hour", change - hour / 2, berlin), Ok(change - hour));
        assert_eq!(truncate("tea", change, berlin).map_err(|e| e.state), Err(SqlState::INVALID_PARAMETER_VALUE));
    }
}
