//! Whether the files of a folder are in the order that its owner declares.
//!
//! A declaration is no proof, and a wrong one makes wrong answers in operators that cannot notice. So each version of
//! a file is read once, users and times alone, before anything is promised of it.

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::row::OwnedRow;
use datafusion::common::ScalarValue;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::TryStreamExt;

use super::cluster::Keys;
use super::faults::undecodable;
use super::file::{LakeFile, Reader};
use super::manifest::to_text;
use super::spec::Place;
use super::watch::WatchingReaderFactory;
use crate::error::{Error, Result, SqlState};

/// What the owner of a folder declares of it: rows sorted by user and time, ascending, NULL last, and no user in two
/// files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedBy {
    /// The column that says who.
    pub user_key: String,
    /// The column that says when.
    pub time_key: String,
}

impl LakeFile {
    /// Reads users and times of the file, once for each version of it.
    ///
    /// The inner error is lasting: 22000 with the first row that is out of order, XX001 if the file is damaged. It is
    /// work for the processor, so it is done on a thread that nobody waits for.
    pub(super) async fn check_order(
        self: &Arc<Self>,
        place: &Arc<Place>,
        reader: &Arc<Reader>,
        by: &SortedBy,
    ) -> Result<Result<()>> {
        let check = || async {
            let (file, place, reader, by) = (Arc::clone(self), Arc::clone(place), Arc::clone(reader), by.clone());
            let here = tokio::runtime::Handle::current();
            let checked = tokio::task::spawn_blocking(move || {
                here.block_on(async {
                    let _permit = reader.permits.acquire().await.map_err(|error| {
                        Error::new(SqlState::INTERNAL_ERROR, format!("lake: the readers are closed: {error}"))
                    })?;
                    first_disorder(&file, &place, &reader, &by).await
                })
            });
            checked.await.map_err(|error| Error::new(SqlState::INTERNAL_ERROR, format!("lake: a check ended: {error}")))
        };
        let checked = self.is_in_order.get_or_try_init(|| async {
            match check().await? {
                // The store may answer another time; what the rows are stays.
                Err(error) if matches!(error.state, SqlState::IO_ERROR | SqlState::UNDEFINED_FILE) => Err(error),
                checked => Ok(checked),
            }
        });
        checked.await.cloned()
    }
}

async fn first_disorder(file: &LakeFile, place: &Arc<Place>, reader: &Reader, by: &SortedBy) -> Result<()> {
    let readers = WatchingReaderFactory::new(place, &reader.runtime);
    let metrics = ExecutionPlanMetricsSet::new();
    let damaged = |error: &dyn std::fmt::Display| undecodable(&file.shown, &error.to_string());
    let open = || readers.reader(0, PartitionedFile::from(file.meta.clone()), None, &metrics);
    let opened = ParquetRecordBatchStreamBuilder::new(open().map_err(|error| damaged(&error))?).await;
    let rows = opened.map_err(|error| damaged(&error))?;
    let keys = Keys::try_new(rows.schema(), &by.user_key, &by.time_key)?;
    let mask = ProjectionMask::roots(rows.parquet_schema(), [keys.user, keys.time]);
    let mut rows = rows.with_projection(mask).build().map_err(|error| damaged(&error))?;
    let (user, time) = (usize::from(keys.user > keys.time), usize::from(keys.time > keys.user));
    let mut last: Option<(OwnedRow, RecordBatch)> = None;
    let mut row_count = 0;
    while let Some(batch) = rows.try_next().await.map_err(|error| damaged(&error))? {
        let Some(end) = batch.num_rows().checked_sub(1) else { continue };
        let bytes = keys.users_and_times(batch.column(user), batch.column(time))?;
        let is_after_last = |row: usize| match (row.checked_sub(1), &last) {
            (Some(before), _) => bytes.row(before) <= bytes.row(row),
            (None, Some((last, _))) => last.row() <= bytes.row(row),
            (None, None) => true,
        };
        if let Some(row) = (0..batch.num_rows()).find(|row| !is_after_last(*row)) {
            let here = show(&batch, row, by)?;
            let before = match (row.checked_sub(1), &last) {
                (None, Some((_, last))) => show(last, 0, by)?,
                (before, _) => show(&batch, before.unwrap_or(0), by)?,
            };
            let message = format!("file '{}' is declared sorted and is not", file.shown);
            return Err(Error::new(SqlState::DATA_EXCEPTION, message)
                .with_detail(format!("Row {} is {here}, after {before}.", row_count + row))
                .with_hint(RIGHT));
        }
        row_count += batch.num_rows();
        last = Some((bytes.row(end).owned(), batch.slice(end, 1)));
    }
    Ok(())
}

/// What can be done about a wrong declaration.
pub(super) const RIGHT: &str =
    "Take `sorted` out of the table's section in the config file, or write the table with `tributary cluster`.";

fn show(batch: &RecordBatch, row: usize, by: &SortedBy) -> Result<String> {
    let schema: &Schema = batch.schema_ref();
    let value = |name: &str| -> Result<String> {
        let broken = |error: &dyn std::fmt::Display| {
            Error::new(SqlState::INTERNAL_ERROR, format!("lake: a value cannot be shown: {error}"))
        };
        let column = batch.column(schema.index_of(name).map_err(|error| broken(&error))?);
        let value = ScalarValue::try_from_array(column, row).map_err(|error| broken(&error))?;
        Ok(to_text(&value)?.unwrap_or_else(|| "NULL".to_owned()))
    };
    Ok(format!("({}, {})", value(&by.user_key)?, value(&by.time_key)?))
}
