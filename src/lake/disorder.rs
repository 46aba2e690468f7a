//! Where a file that ought to be sorted by user and time is not.

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::row::OwnedRow;
use datafusion::common::ScalarValue;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileScanConfig, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::TryStreamExt;
use tributary_udfs::OutOfOrder;

use super::cluster::Keys;
use super::faults::undecodable;
use super::manifest::to_text;
use super::named::NamingSource;
use super::sorted::SortedBy;
use crate::error::{Error, Result, SqlState};

/// The first row of a file that comes before the one above it.
pub(super) struct Disorder {
    row_group: usize,
    /// Counted in the file, from 0.
    row: usize,
    /// User and time of the row, and of the one above it.
    here: String,
    before: String,
}

impl Disorder {
    /// A sentence.
    pub(super) fn detail(&self) -> String {
        let Self { row_group, row, here, before } = self;
        format!("Row {row} (row group {row_group}) is {here}, after {before}.")
    }
}

/// What is to be in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Users,
    UsersAndTimes,
}

/// Reads users and times of a file, which errors call `shown`. `None` if what is asked is in order, ascending with NULL last.
pub(super) async fn first_disorder<R>(input: R, shown: &str, by: &SortedBy, asked: Asked) -> Result<Option<Disorder>>
where
    R: AsyncFileReader + Unpin + Send + 'static,
{
    let damaged = |error: &dyn std::fmt::Display| undecodable(shown, &error.to_string());
    let rows = ParquetRecordBatchStreamBuilder::new(input).await.map_err(|error| damaged(&error))?;
    let metadata = Arc::clone(rows.metadata());
    let keys = Keys::try_new(rows.schema(), &by.user_key, &by.time_key)?;
    let mask = ProjectionMask::roots(rows.parquet_schema(), [keys.user, keys.time]);
    let mut rows = rows.with_projection(mask).build().map_err(|error| damaged(&error))?;
    let (user, time) = (usize::from(keys.user > keys.time), usize::from(keys.time > keys.user));
    let mut last: Option<(OwnedRow, RecordBatch)> = None;
    let mut row_count = 0;
    while let Some(batch) = rows.try_next().await.map_err(|error| damaged(&error))? {
        let Some(end) = batch.num_rows().checked_sub(1) else { continue };
        let bytes = match asked {
            Asked::Users => keys.users(batch.column(user))?,
            Asked::UsersAndTimes => keys.users_and_times(batch.column(user), batch.column(time))?,
        };
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
            let row = row_count + row;
            return Ok(Some(Disorder { row_group: row_group_of(&metadata, row), row, here, before }));
        }
        row_count += batch.num_rows();
        last = Some((bytes.row(end).owned(), batch.slice(end, 1)));
    }
    Ok(None)
}

fn row_group_of(metadata: &ParquetMetaData, row: usize) -> usize {
    let mut end = 0;
    let groups = metadata.row_groups().iter().take_while(|group| {
        end += usize::try_from(group.num_rows()).unwrap_or(0);
        end <= row
    });
    groups.count()
}

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

/// Names the file and the row group in the error of a statement that met rows out of order.
///
/// An operator sees rows and not where they are from, so the files that the plan took for sorted are read again, users and
/// times alone, up to the first that is not. The error comes back as it is where none is found, because a file has changed
/// since, or it is two files that overlap.
pub async fn locate_disorder(error: Error, met: &OutOfOrder, plan: &Arc<dyn ExecutionPlan>) -> Error {
    let asked = if met.is_within_user { Asked::UsersAndTimes } else { Asked::Users };
    for (config, by) in sorted_scans(plan) {
        let Some(source) = config.file_source().downcast_ref::<NamingSource>() else { continue };
        for file in config.file_groups.iter().flat_map(|group| group.iter()) {
            let shown = source.place().show(&file.object_meta.location);
            let Some(input) = reader(source, file) else { continue };
            // A file that cannot be read is not the one that was.
            if let Ok(Some(disorder)) = first_disorder(input, &shown, &by, asked).await {
                let hint = error.hint.clone().unwrap_or_default();
                return error.with_detail(format!("File '{shown}': {}", disorder.detail())).with_hint(format!(
                    "{hint} `tributary check` names all that is wrong with a table that `tributary cluster` has written."
                ));
            }
        }
    }
    error
}

/// The scans that promise an order of users and times as clustered tables have it, each with the two columns.
fn sorted_scans(plan: &Arc<dyn ExecutionPlan>) -> Vec<(&FileScanConfig, SortedBy)> {
    let scan = plan.downcast_ref::<DataSourceExec>();
    if let Some(config) = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>()) {
        let name = |place: usize| {
            let by = config.output_ordering.first()?.get(place)?;
            let is_upwards = !by.options.descending && !by.options.nulls_first;
            let by = Some(by).filter(|_| is_upwards)?;
            Some(by.expr.downcast_ref::<Column>()?.name().to_owned())
        };
        let by = name(0).zip(name(1)).map(|(user_key, time_key)| SortedBy { user_key, time_key });
        return by.map(|by| (config, by)).into_iter().collect();
    }
    plan.children().into_iter().flat_map(sorted_scans).collect()
}

fn reader(source: &NamingSource, file: &PartitionedFile) -> Option<Box<dyn AsyncFileReader>> {
    let readers = source.inner().downcast_ref::<ParquetSource>()?.parquet_file_reader_factory()?;
    let reader = readers.create_reader(0, file.clone(), None, &ExecutionPlanMetricsSet::new()).ok()?;
    Some(reader)
}
