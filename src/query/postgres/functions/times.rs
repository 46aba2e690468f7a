//! Functions that know the session's time zone: `timezone` (AT TIME ZONE), and what casts from and to times are.

use std::sync::{Arc, LazyLock};

use bytes::BytesMut;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, IntervalMonthDayNanoArray, StringArray, StringViewArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::compute::{max, min};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Field, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::{Error, SqlState};
use crate::query::postgres::output;
use crate::query::postgres::times::calendar::MICROS_PER_DAY;
use crate::query::postgres::times::zone::is_infinite;
use crate::query::postgres::times::{Zone, input, text};

/// A wall time in microseconds.
pub const WALL: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// An instant in microseconds. The zone of the type says nothing: instants are shown in that of the session.
pub fn instant_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The zone of the session that asks.
pub fn session_zone(options: &ConfigOptions) -> Zone {
    options.execution.time_zone.as_deref().map_or(Zone::UTC, Zone::of_context)
}

/// What each function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeFunction {
    /// `timezone(zone, t)`: an instant to the wall time of a zone, a wall time of a zone to the instant.
    AtZone,
    /// The instant of a wall time of the session's zone.
    Instant,
    /// The wall time of the session's zone at an instant.
    WallTime,
    /// Text to a wall time.
    TimestampIn,
    /// Text to an instant.
    InstantIn,
    /// Text to a date.
    DateIn,
    /// Any value as PostgreSQL prints it.
    TextOut,
    /// A time of either kind as it is, as a side of a difference: an infinite one has none.
    Finite,
}

const ALL: [TimeFunction; 8] = {
    use TimeFunction::{AtZone, DateIn, Finite, Instant, InstantIn, TextOut, TimestampIn, WallTime};
    [AtZone, Instant, WallTime, TimestampIn, InstantIn, DateIn, TextOut, Finite]
};

impl TimeFunction {
    /// The function for plans.
    pub fn udf(self) -> Arc<ScalarUDF> {
        static FUNCTIONS: LazyLock<[Arc<ScalarUDF>; 8]> = LazyLock::new(|| {
            ALL.map(|body| {
                let signature = Signature::user_defined(Volatility::Stable);
                Arc::new(ScalarUDF::new_from_impl(Carrier { body, signature }))
            })
        });
        Arc::clone(&FUNCTIONS[self as usize])
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Arc<ScalarUDF>> {
        ALL.into_iter().map(Self::udf)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Carrier {
    body: TimeFunction,
    signature: Signature,
}

impl ScalarUDFImpl for Carrier {
    fn name(&self) -> &str {
        match self.body {
            TimeFunction::AtZone => "timezone",
            TimeFunction::Instant => "instant_of",
            TimeFunction::WallTime => "wall_time_of",
            TimeFunction::TimestampIn => "timestamp_in",
            TimeFunction::InstantIn => "timestamptz_in",
            TimeFunction::DateIn => "date_in",
            TimeFunction::TextOut => "text_out",
            TimeFunction::Finite => "finite_time",
        }
    }

    /// What stands for a cast has the name of its operand, as casts have: a column of a plan is found by it. The instant
    /// of a wall time has one of its own, for as the key of a join it stands beside its operand.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        match args {
            [operand] if self.body != TimeFunction::Instant => Ok(operand.schema_name().to_string()),
            _ => {
                let args: Vec<String> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
                Ok(format!("{}({})", self.name(), args.join(",")))
            }
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        use TimeFunction::{AtZone, DateIn, Finite, Instant, InstantIn, TextOut, TimestampIn, WallTime};
        match (self.body, types) {
            (AtZone, [zone, time]) => Ok(vec![zone_argument(zone)?, time_argument(time)?]),
            (Instant, [DataType::Date32]) => Ok(vec![DataType::Date32]),
            (Instant, [DataType::Timestamp(_, None) | DataType::Date64]) => Ok(vec![WALL]),
            (WallTime, [DataType::Timestamp(_, Some(_))]) => Ok(vec![instant_type()]),
            (TimestampIn | InstantIn | DateIn, [text]) if is_text(text) => Ok(vec![DataType::Utf8View]),
            (TextOut, [_]) | (Finite, [DataType::Timestamp(TimeUnit::Microsecond, _)]) => Ok(types.to_vec()),
            _ => {
                let types: Vec<String> = types.iter().map(type_name).collect();
                let message = format!("function {}({}) does not exist", self.name(), types.join(", "));
                Err(Error::new(SqlState::UNDEFINED_FUNCTION, message).into())
            }
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match self.body {
            TimeFunction::AtZone => match types {
                [_, DataType::Timestamp(_, None)] => instant_type(),
                _ => WALL,
            },
            TimeFunction::Instant | TimeFunction::InstantIn => instant_type(),
            TimeFunction::WallTime | TimeFunction::TimestampIn => WALL,
            TimeFunction::DateIn => DataType::Date32,
            TimeFunction::TextOut => DataType::Utf8,
            TimeFunction::Finite => types.first().cloned().unwrap_or(WALL),
        })
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let session = session_zone(&args.config_options);
        over_columns(&args, |columns| match (self.body, columns) {
            (TimeFunction::AtZone, [zone, time]) => at_zone(zone, time, session),
            (TimeFunction::Instant, [time]) => instants(time, session),
            (TimeFunction::WallTime, [time]) => {
                let walls: TimestampMicrosecondArray = micros(time)?.unary(|at_us| session.wall_time(at_us));
                Ok(Arc::new(walls))
            }
            (TimeFunction::TimestampIn, [text]) => {
                let read: TimestampMicrosecondArray = read_each(text, input::timestamp)?;
                Ok(Arc::new(read))
            }
            (TimeFunction::InstantIn, [text]) => {
                let read: TimestampMicrosecondArray = read_each(text, |text| input::instant(text, session))?;
                Ok(Arc::new(read.with_timezone("UTC")))
            }
            (TimeFunction::DateIn, [text]) => {
                let read: Date32Array =
                    texts(text)?.iter().map(|text| text.map(input::date).transpose()).collect::<Result<_, Error>>()?;
                Ok(Arc::new(read))
            }
            (TimeFunction::TextOut, [values]) => {
                let texts: StringArray = output::texts(values, session)?;
                Ok(Arc::new(texts))
            }
            (TimeFunction::Finite, [time]) => finite(time),
            _ => exec_err!("function {} was called with {} arguments", self.name(), columns.len()),
        })
    }
}

/// The same times, or 22008 where one is infinite.
fn finite(times: &ArrayRef) -> Result<ArrayRef> {
    let given = micros(times)?;
    if [min(given), max(given)].into_iter().flatten().any(is_infinite) {
        return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "cannot subtract infinite timestamps").into());
    }
    Ok(Arc::clone(times))
}

/// Runs a body over columns of one length; of constants it is run once, and the answer is one too.
pub fn over_columns(
    args: &ScalarFunctionArgs,
    body: impl Fn(&[ArrayRef]) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
    let rows = if is_constant { 1 } else { args.number_rows };
    let columns = args.args.iter().map(|argument| argument.to_array(rows)).collect::<Result<Vec<ArrayRef>>>()?;
    let answer = body(&columns)?;
    if is_constant {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?));
    }
    Ok(ColumnarValue::Array(answer))
}

/// Whether a type is text in any encoding.
pub fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

fn zone_argument(given: &DataType) -> Result<DataType> {
    match given {
        DataType::Interval(_) => Ok(INTERVAL),
        given if is_text(given) || given.is_null() => Ok(DataType::Utf8View),
        given => plan_err!("a time zone is a name or an interval, not {given}"),
    }
}

fn time_argument(given: &DataType) -> Result<DataType> {
    match given {
        DataType::Timestamp(_, None) => Ok(WALL),
        DataType::Timestamp(_, Some(_)) | DataType::Null => Ok(instant_type()),
        DataType::Date32 | DataType::Date64 => Ok(DataType::Date32),
        given if is_text(given) => Ok(DataType::Utf8View),
        DataType::Time32(_) | DataType::Time64(_) => {
            Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "a time without a date has no time zone here").into())
        }
        given => plan_err!("only times have a time zone, not {given}"),
    }
}

fn at_zone(zone: &ArrayRef, time: &ArrayRef, session: Zone) -> Result<ArrayRef> {
    let zones = Zones::of(zone)?;
    let is_wall = *time.data_type() == WALL;
    let times = match time.data_type() {
        DataType::Utf8View => read_each(time, |text| input::instant(text, session))?,
        DataType::Date32 => instants(time, session)?.as_primitive().clone(),
        _ => micros(time)?.clone(),
    };
    let mut last: Option<(usize, Zone)> = None;
    let answer: TimestampMicrosecondArray = (0..times.len())
        .map(|row| {
            if times.is_null(row) || zones.is_null(row) {
                return Ok(None);
            }
            // Neighbours mostly have the same zone, and looking one up takes longer than comparing it.
            let zone = match last {
                Some((known, zone)) if zones.same(known, row) => zone,
                _ => zones.get(row)?,
            };
            last = Some((row, zone));
            let at_us = times.value(row);
            Ok(Some(if is_wall { zone.instant(at_us) } else { zone.wall_time(at_us) }))
        })
        .collect::<Result<_, Error>>()?;
    Ok(if is_wall { Arc::new(answer.with_timezone("UTC")) } else { Arc::new(answer) })
}

/// A column of zones: names or intervals.
enum Zones<'a> {
    Names(&'a StringViewArray),
    Offsets(&'a IntervalMonthDayNanoArray),
}

impl<'a> Zones<'a> {
    fn of(column: &'a ArrayRef) -> Result<Self> {
        match column.data_type() {
            DataType::Interval(_) => Ok(Self::Offsets(column.as_primitive::<IntervalMonthDayNanoType>())),
            _ => Ok(Self::Names(texts(column)?)),
        }
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Names(names) => names.is_null(row),
            Self::Offsets(offsets) => offsets.is_null(row),
        }
    }

    fn same(&self, one: usize, other: usize) -> bool {
        match self {
            Self::Names(names) => names.value(one) == names.value(other),
            Self::Offsets(offsets) => offsets.value(one) == offsets.value(other),
        }
    }

    fn get(&self, row: usize) -> Result<Zone, Error> {
        match self {
            Self::Names(names) => Zone::named(names.value(row)),
            Self::Offsets(offsets) => zone_of_interval(offsets.value(row)),
        }
    }
}

/// A zone as hours east of Greenwich.
fn zone_of_interval(offset: IntervalMonthDayNano) -> Result<Zone, Error> {
    let wrong = |why: &str| {
        let mut shown = BytesMut::new();
        text::interval(&mut shown, offset.months, offset.days, offset.nanoseconds);
        let message = format!("interval time zone \"{}\" {why}", String::from_utf8_lossy(&shown));
        Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
    };
    if offset.months != 0 || offset.days != 0 {
        return Err(wrong("must not include months or days"));
    }
    let seconds = i32::try_from(offset.nanoseconds / 1_000_000_000).map_err(|_| wrong("is out of range"))?;
    if seconds.abs() >= 86_400 {
        return Err(wrong("is out of range"));
    }
    Ok(Zone::Fixed(seconds))
}

/// The column of times that a function was given.
pub fn micros(column: &ArrayRef) -> Result<&TimestampMicrosecondArray> {
    match column.as_primitive_opt::<TimestampMicrosecondType>() {
        Some(times) => Ok(times),
        None => exec_err!("times were expected, not {}", column.data_type()),
    }
}

/// The column of texts that a function was given.
pub fn texts(column: &ArrayRef) -> Result<&StringViewArray> {
    match column.as_string_view_opt() {
        Some(texts) => Ok(texts),
        None => exec_err!("texts were expected, not {}", column.data_type()),
    }
}

fn read_each(column: &ArrayRef, read: impl Fn(&str) -> Result<i64, Error>) -> Result<TimestampMicrosecondArray> {
    Ok(texts(column)?.iter().map(|text| text.map(&read).transpose()).collect::<Result<_, Error>>()?)
}

/// Wall times or dates of a zone as instants.
fn instants(column: &ArrayRef, zone: Zone) -> Result<ArrayRef> {
    let answer: TimestampMicrosecondArray = match column.as_primitive_opt::<Date32Type>() {
        Some(days) => days.unary(|days| zone.instant(i64::from(days) * MICROS_PER_DAY)),
        None => micros(column)?.unary(|wall_us| zone.instant(wall_us)),
    };
    Ok(Arc::new(answer.with_timezone("UTC")))
}

/// A type in PostgreSQL's words.
pub fn type_name(data_type: &DataType) -> String {
    super::definition::sql_name(&Field::new("", data_type.clone(), true))
}
