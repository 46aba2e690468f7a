//! The rows of a source become the next generation of a table that is there.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnv;

use super::change::Change;
use super::fit::TableColumns;
use super::keys::{Keys, Level, Points};
use super::meter::{ClusterMeter, ClusterPhase};
use super::ranges::{ranges_as_cut, write_ranges};
use super::shelf::Allowance;
use super::source::Source;
use super::{ClusterReport, Work, read_heads, route, sorted_bytes};
use crate::error::{Error, Result, SqlState};
use crate::lake::manifest::{Manifest, ManifestFile, from_text};

/// How rows are appended.
#[derive(Clone, Debug)]
pub struct AppendOptions {
    /// The keys, for who wants to name them: they must be the table's.
    pub user_key: Option<String>,
    pub time_key: Option<String>,
    /// Memory that rows may take; others wait on the disk.
    pub memory_limit_bytes: usize,
    /// Threads that read, sort and write.
    pub thread_count: NonZeroUsize,
}

/// Adds the rows of `source`, a path or a URL, to the clustered table `target` as a generation of its own, and tells
/// `meter` how far it is.
///
/// The ranges are those of the table, and only those that get rows get a file. The columns are those of the table:
/// every value of a column of the source must be one of the table's type, a column that the source lacks is NULL, and
/// one that the table lacks is added and NULL in the rows that are there. A source without rows changes nothing.
///
/// The table is the old one or the new one at any time, whenever this ends. Fails with 58P01 if `target` is no
/// clustered table, 55006 if another run changes it, 42703 and 42804 on a source that does not fit, and as
/// [`super::cluster`] does otherwise. Runs on a tokio runtime of several threads.
pub async fn append(
    runtime: &Arc<RuntimeEnv>,
    source: &str,
    target: &str,
    options: &AppendOptions,
    meter: &Arc<ClusterMeter>,
) -> Result<ClusterReport> {
    meter.begin(ClusterPhase::Sampling, None);
    append_to(Change::begin(target, runtime).await?, runtime, source, options, meter).await
}

pub(in crate::lake) async fn append_to(
    change: Change,
    runtime: &Arc<RuntimeEnv>,
    source: &str,
    options: &AppendOptions,
    meter: &Arc<ClusterMeter>,
) -> Result<ClusterReport> {
    let written = write_generation(&change, runtime, source, options, meter).await;
    change.settle(written, Duration::ZERO, meter).await
}

/// Makes the files of the generation, and says what the table is with them; `None` if there are no rows.
async fn write_generation(
    change: &Change,
    runtime: &Arc<RuntimeEnv>,
    source: &str,
    options: &AppendOptions,
    meter: &Arc<ClusterMeter>,
) -> Result<(Option<Manifest>, ClusterReport)> {
    let manifest = change.manifest();
    check_keys(manifest, options)?;
    let table = change.table(runtime).await?;
    let columns = TableColumns::new(&table, &manifest.user_key, &manifest.time_key);
    let source = Arc::new(Source::open_as(source, runtime, |guessed| columns.type_of(guessed)).await?);
    if source.meets(change.place()) {
        let message = format!("the source and '{}' have files in common", change.shown());
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
            .with_hint("The rows of a table cannot be appended to it."));
    }
    let heads = read_heads(&source).await?;
    let shape = columns.fit(&source, &heads)?;
    drop(heads);
    let keys = Keys::try_new(&shape.schema, &manifest.user_key, &manifest.time_key)?;
    let points = split_points(manifest, &shape.schema, &keys, change.shown())?;
    let generation = change.next_generation()?;
    let work = Arc::new(Work {
        keys,
        shape,
        meter: Arc::clone(meter),
        spill_folder: change.working().spill_folder(),
        table_folder: change.working().table_folder(),
        range_count: points.bucket_count(),
        generation: generation.clone(),
        thread_count: options.thread_count.get(),
        allowance: Arc::new(Allowance::new(options.memory_limit_bytes / 2)),
        no_memory: Arc::new(Allowance::new(0)),
        sorted_bytes: sorted_bytes(options.memory_limit_bytes, options.thread_count),
    });
    let buckets = route(&work, &source, points).await?;
    let row_count = buckets.iter().map(|bucket| bucket.row_count).sum();
    meter.begin(ClusterPhase::Writing, Some(row_count));
    let files = write_ranges(&work, ranges_as_cut(buckets)).await?;
    let sum = |of: fn(&ManifestFile) -> u64| files.iter().map(of).sum::<u64>();
    let report = ClusterReport {
        row_count,
        user_count: sum(|file| file.user_count),
        range_count: files.len(),
        generation: if files.is_empty() { manifest.generation } else { generation.number },
        source_byte_count: source.byte_count(),
        byte_count: sum(|file| file.byte_count),
    };
    if files.is_empty() {
        return Ok((None, report));
    }
    let all = manifest.files.iter().cloned().chain(files).collect();
    Ok((Some(manifest.with_files(all, generation.number)), report))
}

fn check_keys(manifest: &Manifest, options: &AppendOptions) -> Result<()> {
    let keys = [("user", &options.user_key, &manifest.user_key), ("time", &options.time_key, &manifest.time_key)];
    for (what, named, ours) in keys {
        if let Some(named) = named.as_ref().filter(|named| *named != ours) {
            let message = format!("the {what} key of the table is \"{ours}\", not \"{named}\"");
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
                .with_hint(format!("Leave --{what}-key out: the table knows its keys.")));
        }
    }
    Ok(())
}

/// The points between the ranges of a table, one for each range but the first.
fn split_points(
    manifest: &Manifest,
    schema: &datafusion::arrow::datatypes::Schema,
    keys: &Keys,
    shown: &str,
) -> Result<Points> {
    let unusable = |why: String| {
        Error::new(SqlState::DATA_CORRUPTED, format!("the split points of '{shown}' cannot be used: {why}"))
            .with_hint("`tributary check` names all that is wrong.")
    };
    let mut rows = Vec::with_capacity(manifest.split_points.len());
    for text in &manifest.split_points {
        let value = from_text(text, schema.field(keys.user).data_type())
            .ok_or_else(|| unusable(format!("'{text}' is no value of \"{}\"", manifest.user_key)))?;
        let array = value.to_array().map_err(|error| unusable(error.strip_backtrace()))?;
        rows.push(keys.users(&array)?.row(0).as_ref().into());
    }
    let points = Points::new(Level::User, rows);
    match points.bucket_count() == manifest.range_count() {
        true => Ok(points),
        false => Err(unusable("some are equal".to_owned())),
    }
}
