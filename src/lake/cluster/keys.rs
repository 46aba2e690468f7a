//! Users and times as bytes that compare as the rows of the table do: ascending, NULL last.

use datafusion::arrow::array::{ArrayRef, UInt32Array};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::row::{RowConverter, Rows, SortField};

use crate::error::{Error, Result, SqlState};
use crate::lake::unify::sql_name;

/// How the clustered table is ordered, in each of its columns.
const ASCENDING: SortOptions = SortOptions { descending: false, nulls_first: false };

/// Where user and time are in a batch, and how they become bytes.
#[derive(Debug)]
pub(in crate::lake) struct Keys {
    pub(in crate::lake) user: usize,
    pub(in crate::lake) time: usize,
    by_user: RowConverter,
    by_user_and_time: RowConverter,
}

/// What rows are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    User,
    UserAndTime,
}

impl Keys {
    /// Finds the keys among the columns.
    ///
    /// Fails with 42703 if a column does not exist, 42804 if the user is of a type that does not identify anybody
    /// (doubles, lists) or the time is none.
    pub(in crate::lake) fn try_new(schema: &Schema, user_key: &str, time_key: &str) -> Result<Self> {
        let (user, time) = (find(schema, user_key, "user")?, find(schema, time_key, "time")?);
        let (user_type, time_type) = (schema.field(user).data_type(), schema.field(time).data_type());
        if user == time {
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "user key and time key are one column"));
        }
        if !identifies(user_type) {
            let message = format!("column \"{user_key}\" is {}, which cannot be a user key", sql_name(user_type));
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message)
                .with_hint("A user is an integer, text, a uuid or a numeric."));
        }
        if !matches!(time_type, DataType::Timestamp(..) | DataType::Date32) {
            let message = format!("column \"{time_key}\" is {}, which cannot be a time key", sql_name(time_type));
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message)
                .with_hint("A time is a timestamp, with or without time zone, or a date."));
        }
        let field = |data_type: &DataType| SortField::new_with_options(data_type.clone(), ASCENDING);
        let converter = |fields| RowConverter::new(fields).map_err(|error| broken(&error));
        Ok(Self {
            user,
            time,
            by_user: converter(vec![field(user_type)])?,
            by_user_and_time: converter(vec![field(user_type), field(time_type)])?,
        })
    }

    /// One row of bytes for each row of the batch.
    pub(super) fn of(&self, batch: &RecordBatch, level: Level) -> Result<Rows> {
        match level {
            Level::User => self.users(batch.column(self.user)),
            Level::UserAndTime => self.users_and_times(batch.column(self.user), batch.column(self.time)),
        }
    }

    pub(in crate::lake) fn users(&self, users: &ArrayRef) -> Result<Rows> {
        self.by_user.convert_columns(std::slice::from_ref(users)).map_err(|error| broken(&error))
    }

    pub(in crate::lake) fn users_and_times(&self, users: &ArrayRef, times: &ArrayRef) -> Result<Rows> {
        let columns = [ArrayRef::clone(users), ArrayRef::clone(times)];
        self.by_user_and_time.convert_columns(&columns).map_err(|error| broken(&error))
    }
}

fn find(schema: &Schema, name: &str, what: &str) -> Result<usize> {
    schema.index_of(name).map_err(|_| {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        Error::new(SqlState::UNDEFINED_COLUMN, format!("the {what} key \"{name}\" is no column of the source"))
            .with_detail(format!("The columns are: {}.", names.join(", ")))
            .with_hint(format!("Name the column: --{what}-key NAME."))
    })
}

fn identifies(data_type: &DataType) -> bool {
    data_type.is_integer()
        || data_type.is_decimal()
        || matches!(
            data_type,
            DataType::Utf8
                | DataType::Utf8View
                | DataType::Binary
                | DataType::BinaryView
                | DataType::FixedSizeBinary(_)
                | DataType::Date32
        )
}

fn broken(error: &dyn std::fmt::Display) -> Error {
    Error::new(SqlState::INTERNAL_ERROR, format!("cluster: keys cannot be compared: {error}"))
}

/// The first sixteen bytes of a row, as a number that compares as they do.
///
/// They hold an integer user and most of the time, so that nearly every comparison ends with them.
fn prefix(row: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    let length = row.len().min(16);
    bytes[..length].copy_from_slice(&row[..length]);
    u128::from_be_bytes(bytes)
}

/// The rows from the smallest to the largest; equal rows stay in their order.
pub(super) fn sorted(rows: &Rows) -> UInt32Array {
    struct Entry {
        high: u64,
        low: u64,
        row: u32,
    }
    let entry = |row: usize| {
        let prefix = prefix(rows.row(row).as_ref());
        // The two halves of the prefix; a u128 would take eight bytes more for its alignment.
        Entry { high: (prefix >> 64) as u64, low: prefix as u64, row: row as u32 }
    };
    let mut entries: Vec<Entry> = (0..rows.num_rows()).map(entry).collect();
    entries.sort_unstable_by(|a, b| {
        let by_prefix = (a.high, a.low).cmp(&(b.high, b.low));
        by_prefix.then_with(|| rows.row(a.row as usize).cmp(&rows.row(b.row as usize))).then(a.row.cmp(&b.row))
    });
    entries.into_iter().map(|entry| entry.row).collect::<Vec<u32>>().into()
}

/// Ascending keys that cut all rows into buckets: bucket 0 is below the first, bucket `n` begins with point `n - 1`.
#[derive(Clone, Debug)]
pub(super) struct Points {
    pub(super) level: Level,
    rows: Vec<(u128, Box<[u8]>)>,
}

impl Points {
    /// Takes keys in any order; equal ones are one point.
    pub(super) fn new(level: Level, mut rows: Vec<Box<[u8]>>) -> Self {
        rows.sort_unstable();
        rows.dedup();
        Self { level, rows: rows.into_iter().map(|row| (prefix(&row), row)).collect() }
    }

    pub(super) fn bucket_count(&self) -> usize {
        self.rows.len() + 1
    }

    pub(super) fn bucket_of(&self, row: &[u8]) -> usize {
        let wanted = prefix(row);
        self.rows.partition_point(|(prefix, point)| *prefix < wanted || (*prefix == wanted && point.as_ref() <= row))
    }
}

/// The keys that cut a sorted sample into `bucket_count` equal parts; some may be equal.
pub(super) fn quantiles(sample: &[Box<[u8]>], bucket_count: usize) -> Vec<Box<[u8]>> {
    (1..bucket_count).filter_map(|part| sample.get(part * sample.len() / bucket_count)).cloned().collect()
}
