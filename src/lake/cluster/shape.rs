//! The columns of the clustered files: types that other readers know, and times where the source has text.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatchOptions, new_null_array};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::record_batch::RecordBatch;

use crate::error::{Error, Result, SqlState};

/// A column of text whose sample has at most so many values is declared a dictionary.
const DICTIONARY_VALUES: usize = 1024;

/// Of so many rows of the sample one may bring a new value.
const ROWS_PER_VALUE: usize = 16;

/// From batches of the source to batches of the table.
#[derive(Debug)]
pub(super) struct Shape {
    /// The columns as they are sorted, kept and written.
    pub(super) schema: SchemaRef,
    /// The same columns as the files declare them to readers of Arrow: text of few values is a dictionary.
    pub(super) declared: SchemaRef,
    /// The columns whose text is read as times.
    pub(super) text_times: Vec<usize>,
    /// Which column of the source each one is; NULL where it has none.
    pub(super) from: Vec<Option<usize>>,
}

impl Shape {
    /// Decides the columns from those of the source and from a sample of its rows.
    ///
    /// Text in the time column becomes a timestamp: with time zone if the sampled values name one, else without.
    /// The user is never a dictionary: everything groups by it, and dictionaries group slowly.
    pub(super) fn new(source: &Schema, user_key: &str, time_key: &str, sample: &[RecordBatch]) -> Self {
        let mut text_times = Vec::new();
        let fields = source.fields().iter().enumerate().map(|(index, field)| {
            let mut stored = plain_type(field.data_type());
            if field.name() == time_key && stored == DataType::Utf8 {
                text_times.push(index);
                let zone = names_zones(sample, index).then(|| Arc::from("UTC"));
                stored = DataType::Timestamp(TimeUnit::Microsecond, zone);
            }
            Arc::new(field.as_ref().clone().with_data_type(stored))
        });
        let fields: Vec<FieldRef> = fields.collect();
        let declared = fields.iter().enumerate().map(|(index, field)| {
            match *field.data_type() == DataType::Utf8 && field.name() != user_key && has_few_values(sample, index) {
                true => as_codes(field),
                false => Arc::clone(field),
            }
        });
        Self {
            declared: Arc::new(Schema::new(declared.collect::<Vec<_>>())),
            from: (0..fields.len()).map(Some).collect(),
            schema: Arc::new(Schema::new(fields)),
            text_times,
        }
    }

    /// Brings a batch of the source to the table's columns.
    ///
    /// Fails with 22007 where text in a column of times is no time, or has a zone where others have none.
    pub(super) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.schema.fields().iter().zip(&self.from).enumerate().map(|(index, (field, from))| {
            let Some(from) = from else { return Ok(new_null_array(field.data_type(), batch.num_rows())) };
            let column = batch.column(*from);
            if self.text_times.contains(&index) {
                return read_times(column, field);
            }
            convert(column, field.data_type())
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(|error| {
            Error::new(SqlState::INTERNAL_ERROR, format!("cluster: the source's columns changed: {error}"))
        })
    }
}

/// A column of text, declared a dictionary.
pub(super) fn as_codes(field: &Field) -> FieldRef {
    let codes = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(field.clone().with_data_type(codes))
}

/// The type that holds a column's values in one piece: no views, no dictionaries, at any depth.
///
/// Slices of such columns are stored without the rest of their batch, and every reader of Parquet knows the types.
pub(super) fn plain_type(data_type: &DataType) -> DataType {
    let plain_field = |field: &FieldRef| Arc::new(field.as_ref().clone().with_data_type(plain_type(field.data_type())));
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, value) => plain_type(value),
        DataType::List(item) | DataType::ListView(item) => DataType::List(plain_field(item)),
        DataType::LargeList(item) | DataType::LargeListView(item) => DataType::LargeList(plain_field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(plain_field(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect::<Fields>()),
        DataType::Map(entries, is_sorted) => DataType::Map(plain_field(entries), *is_sorted),
        other => other.clone(),
    }
}

fn convert(column: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if column.data_type() == data_type {
        return Ok(Arc::clone(column));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, data_type, &options)
        .map_err(|error| Error::new(SqlState::INTERNAL_ERROR, format!("cluster: a column cannot be stored: {error}")))
}

/// Reads text as timestamps; with a zone in each value, or with one in none.
fn read_times(column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    let has_zone = matches!(field.data_type(), DataType::Timestamp(_, Some(_)));
    let text = convert(column, &DataType::Utf8)?;
    let refuse = |value: &str, why: &str| {
        let message = format!("column \"{}\": '{value}' {why}", field.name());
        Err(Error::new(SqlState::INVALID_DATETIME_FORMAT, message)
            .with_hint("Times are written like 2026-01-31T12:00:00Z, all with a zone or all without."))
    };
    for value in text.as_string::<i32>().iter().flatten() {
        if names_zone(value) != has_zone {
            return refuse(
                value,
                if has_zone { "has no time zone, others have" } else { "has a time zone, others have none" },
            );
        }
    }
    let lenient = CastOptions { safe: true, ..CastOptions::default() };
    let times = cast_with_options(&text, field.data_type(), &lenient)
        .map_err(|error| Error::new(SqlState::INTERNAL_ERROR, format!("cluster: times cannot be read: {error}")))?;
    let unread = (0..times.len()).find(|row| times.is_null(*row) && !text.is_null(*row));
    match unread {
        Some(row) => refuse(text.as_string::<i32>().value(row), "is no time"),
        None => Ok(times),
    }
}

/// Whether the values of a column of text name time zones: most of the sampled ones decide.
fn names_zones(sample: &[RecordBatch], index: usize) -> bool {
    let (mut with_zone, mut without) = (0_usize, 0_usize);
    for batch in sample {
        let Ok(text) = convert(batch.column(index), &DataType::Utf8) else { continue };
        for value in text.as_string::<i32>().iter().flatten() {
            *if names_zone(value) { &mut with_zone } else { &mut without } += 1;
        }
    }
    with_zone > without
}

/// Whether a time ends with `Z`, `+02:00`, `-0800` or a name: what stands behind the date has more than a clock.
fn names_zone(time: &str) -> bool {
    let clock = time.trim_end().get(10..).unwrap_or_default().trim_start_matches(['T', 't', ' ']);
    clock.contains(|c: char| c.is_ascii_alphabetic() || c == '+' || c == '-')
}

pub(super) fn has_few_values(sample: &[RecordBatch], index: usize) -> bool {
    let mut values = HashSet::new();
    let mut row_count = 0_usize;
    for batch in sample {
        let Ok(text) = convert(batch.column(index), &DataType::Utf8) else { return false };
        for value in text.as_string::<i32>().iter().flatten() {
            row_count += 1;
            if !values.contains(value) {
                values.insert(value.to_owned());
            }
            if values.len() > DICTIONARY_VALUES {
                return false;
            }
        }
    }
    // A column without a value has none to share.
    row_count > 0 && values.len() <= row_count.div_ceil(ROWS_PER_VALUE)
}
