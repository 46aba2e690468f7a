//! Answers as columns.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Int8Array, Int64Array, IntervalMonthDayNanoArray, ListArray, StringArray,
    StructArray, TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Int8Type, IntervalUnit};
use datafusion::common::{Result, internal_datafusion_err};
use tributary_core::sessions::{Cause, Row, Session};

use crate::error::{UserError, sqlstate};
use crate::time;

/// A cause is a byte into a dictionary of all of them: reads as text, costs no text.
fn cause_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8))
}

/// The words that every column of causes shares, so that joining such columns copies none.
fn causes(keys: Int8Array) -> Result<ArrayRef> {
    static WORDS: LazyLock<ArrayRef> =
        LazyLock::new(|| Arc::new(StringArray::from(Cause::ALL.map(Cause::name).to_vec())));
    Ok(Arc::new(DictionaryArray::<Int8Type>::try_new(keys, Arc::clone(&WORDS))?))
}

fn fields(parts: impl IntoIterator<Item = (&'static str, DataType)>) -> Fields {
    parts.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect()
}

/// The fields of one session.
fn session_fields(time: DataType) -> Fields {
    fields([
        ("session_no", DataType::Int64),
        ("started_at", time.clone()),
        ("ended_at", time),
        ("event_count", DataType::Int64),
        ("cause", cause_type()),
    ])
}

/// What `sessions` gives for times that are answered as `time`.
pub(super) fn sessions_type(time: DataType) -> DataType {
    DataType::new_list(DataType::Struct(session_fields(time)), true)
}

/// What `sessionize_info` gives for times that are answered as `time`.
pub(super) fn info_type(time: DataType) -> DataType {
    DataType::Struct(fields([
        ("session_no", DataType::Int64),
        ("session_key", DataType::Utf8),
        ("event_no", DataType::Int64),
        ("is_start", DataType::Boolean),
        ("cause", cause_type()),
        ("gap", DataType::Interval(IntervalUnit::MonthDayNano)),
        ("started_at", time),
    ]))
}

fn times(at_us: impl Into<ScalarBuffer<i64>>, nulls: Option<NullBuffer>, time: &DataType) -> Result<ArrayRef> {
    let times = TimestampMicrosecondArray::try_new(at_us.into(), nulls)?;
    Ok(Arc::new(times.with_data_type(time.clone())))
}

/// Lists of sessions, built column by column.
pub(super) struct SessionLists {
    user_count: usize,
    /// For each user so far, the sessions up to the user's last.
    ends: Vec<usize>,
    numbers: Vec<i64>,
    started_at_us: Vec<i64>,
    ended_at_us: Vec<i64>,
    event_counts: Vec<i64>,
    causes: Vec<i8>,
}

/// After so many users the rest are taken to have as many sessions as they did.
const SAMPLE_USERS: usize = 4_096;

impl SessionLists {
    /// No user yet, of so many.
    pub fn new(user_count: usize) -> Self {
        Self {
            user_count,
            ends: Vec::with_capacity(user_count),
            numbers: vec![],
            started_at_us: vec![],
            ended_at_us: vec![],
            event_counts: vec![],
            causes: vec![],
        }
    }

    /// Adds a session of the user at hand.
    #[inline]
    pub fn push(&mut self, session: &Session) {
        self.numbers.push(session.session_no);
        self.started_at_us.push(session.started_at_us);
        self.ended_at_us.push(session.ended_at_us);
        self.event_counts.push(session.event_count);
        self.causes.push(session.cause as i8);
    }

    /// The user at hand has no more sessions.
    #[inline]
    pub fn end_user(&mut self) {
        self.ends.push(self.numbers.len());
        if self.ends.len() == SAMPLE_USERS {
            self.reserve_rest();
        }
    }

    /// Doubling columns of many millions would take half as much memory again.
    fn reserve_rest(&mut self) {
        let rest = self.user_count.saturating_sub(self.ends.len());
        let expected = (self.numbers.len() as f64 / self.ends.len() as f64 * rest as f64 * 1.05) as usize;
        for column in [&mut self.numbers, &mut self.started_at_us, &mut self.ended_at_us, &mut self.event_counts] {
            column.reserve(expected);
        }
        self.causes.reserve(expected);
    }

    /// The lists of all users.
    ///
    /// # Errors
    /// 54000 when they hold more sessions than a column of lists can.
    pub fn finish(self, list: &DataType) -> Result<ArrayRef> {
        let item = match list {
            DataType::List(item) => Arc::clone(item),
            other => return Err(internal_datafusion_err!("sessions returns a list, planned as {other}")),
        };
        let fields = match item.data_type() {
            DataType::Struct(fields) => fields.clone(),
            other => return Err(internal_datafusion_err!("sessions returns records, planned as {other}")),
        };
        let time = fields[1].data_type().clone();
        let offsets = offsets(&self.ends, "sessions")?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(self.numbers)),
            times(self.started_at_us, None, &time)?,
            times(self.ended_at_us, None, &time)?,
            Arc::new(Int64Array::from(self.event_counts)),
            causes(Int8Array::from(self.causes))?,
        ];
        let sessions = StructArray::try_new(fields, columns, None)?;
        Ok(Arc::new(ListArray::try_new(item, offsets, Arc::new(sessions), None)?))
    }
}

/// The offsets of lists that end where `ends` says.
///
/// # Errors
/// 54000 when the last does not fit.
pub(super) fn offsets(ends: &[usize], things: &str) -> Result<OffsetBuffer<i32>> {
    let total = ends.last().copied().unwrap_or(0);
    if i32::try_from(total).is_err() {
        return Err(UserError::new(
            sqlstate::PROGRAM_LIMIT_EXCEEDED,
            format!("sessions: {total} {things} in one column of lists, a column holds {}", i32::MAX),
        )
        .with_hint("Give the query more partitions, or leave tributary.one_stage on.")
        .into());
    }
    Ok(OffsetBuffer::new(std::iter::once(0).chain(ends.iter().map(|&end| end as i32)).collect()))
}

/// One record for each row; `None` where the time is NULL.
pub(super) fn info(rows: &[Option<Row>], keys: Vec<Option<String>>, info: &DataType) -> Result<ArrayRef> {
    let DataType::Struct(fields) = info else {
        return Err(internal_datafusion_err!("sessionize_info returns a record, planned as {info}"));
    };
    let time = fields.iter().last().map_or(&DataType::Null, |field| field.data_type());
    let known: NullBuffer = rows.iter().map(Option::is_some).collect();
    let started_at_us: Vec<i64> = rows.iter().map(|row| row.map_or(0, |row| row.started_at_us)).collect();
    let each = |part: fn(&Row) -> i64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| row.as_ref().map(part)).collect::<Int64Array>())
    };
    let gaps = rows.iter().map(|row| row.as_ref().and_then(|row| row.gap_us).map(time::interval));
    let cause = |row: &Option<Row>| row.as_ref().and_then(|row| row.cause).map(|cause| cause as i8);
    let columns: Vec<ArrayRef> = vec![
        each(|row| row.session_no),
        Arc::new(StringArray::from(keys)),
        each(|row| row.event_no),
        Arc::new(rows.iter().map(|row| row.as_ref().map(Row::is_start)).collect::<BooleanArray>()),
        causes(rows.iter().map(cause).collect())?,
        Arc::new(gaps.collect::<IntervalMonthDayNanoArray>()),
        times(started_at_us, Some(known.clone()), time)?,
    ];
    Ok(Arc::new(StructArray::try_new(fields.clone(), columns, Some(known))?))
}
