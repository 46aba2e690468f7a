//! `tributary cluster`: a table of any layout becomes ranges of users, each sorted by user and time.
//!
//! The rows are brought together by distribution, not by merging. A sample gives points that cut the users into some
//! hundreds of buckets; every row is routed to its bucket, in memory or in a file; each bucket is then small enough to
//! be sorted at once, and its rows are appended to the file of its range. A bucket that is still too large is cut
//! again: between users, and within one user between times.
//!
//! The order is (user, time), NULL last. Rows that are equal in both stay in the order of the source: files by their
//! paths, rows as they lie in them. So rows, order and ranges do not depend on threads or memory.

mod append;
mod carry;
mod change;
mod compact;
mod file;
mod fit;
mod keys;
mod lease;
mod meter;
mod names;
mod ranges;
mod route;
mod shape;
mod shelf;
mod source;
mod split;
mod target;
mod threads;
mod working;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use datafusion::arrow::compute::cast;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use tokio::task::{JoinError, JoinSet};

use keys::{Level, Points};
use names::Generation;
use ranges::{equal_ranges, write_ranges};
use route::Router;
use shape::Shape;
use shelf::{Allowance, Bucket, Filler, Shelf};
use source::{Source, THE_SOURCE, said};
use split::Sample;
use target::Target;

use super::manifest::{FORMAT, Manifest, WRITTEN_BY};
use crate::error::{Error, Result, SqlState};

pub use append::{AppendOptions, append};
pub use compact::{CompactOptions, CompactReport, OLD_FILES_KEPT, compact};
pub use meter::{ClusterMeter, ClusterPhase};

#[cfg(test)]
pub(super) use {append::append_to, change::Change, compact::compact_in, lease::Pace};

pub(super) use file::hex;
pub(super) use keys::Keys;
pub(super) use target::UNFINISHED_NAME;

/// Rows of a range where the user does not say how many ranges there are.
const ROWS_PER_RANGE: u64 = 500_000;

/// Ranges where the user does not say: at least as many as a server has cores, at most what one folder bears.
const RANGES: (u64, u64) = (8, 256);

/// Bytes of one row of a text file, for the number of ranges alone.
const TEXT_ROW_BYTES: u64 = 100;

/// Buckets are so much finer than ranges, so that ranges come out equal.
const BUCKETS_PER_RANGE: u64 = 4;

/// More buckets at a time would make their pieces too small.
const BUCKETS: (u64, u64) = (2, 512);

/// Units of the source whose first rows are sampled, and batches of each: the columns of Parquet are read apart.
const SAMPLED_UNITS: (usize, usize) = (4, 16);
const SAMPLED_BATCHES: (usize, usize) = (1, 8);

/// What a sorted bucket takes beside its own bytes: its pieces, its keys, the gathered rows and the writer's pages.
const COPIES_OF_SORTED_BUCKET: usize = 4;

/// How a table is clustered.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The column that says who.
    pub user_key: String,
    /// The column that says when.
    pub time_key: String,
    /// At most so many ranges; chosen by the number of rows where not given.
    pub range_count: Option<NonZeroUsize>,
    /// Memory that rows may take; others wait on the disk.
    pub memory_limit_bytes: usize,
    /// Threads that read, sort and write.
    pub thread_count: NonZeroUsize,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterReport {
    pub row_count: u64,
    /// Distinct users, NULL as one.
    pub user_count: u64,
    /// Ranges that have a file of the generation.
    pub range_count: usize,
    pub generation: u64,
    /// Bytes of the files of the source, and of the table.
    pub source_byte_count: u64,
    pub byte_count: u64,
}

/// What all threads need.
struct Work {
    keys: Keys,
    shape: Shape,
    meter: Arc<ClusterMeter>,
    spill_folder: PathBuf,
    table_folder: PathBuf,
    range_count: usize,
    generation: Generation,
    thread_count: usize,
    /// Rows of waiting buckets in memory, all together.
    allowance: Arc<Allowance>,
    no_memory: Arc<Allowance>,
    /// The bytes of a bucket that is sorted in memory.
    sorted_bytes: usize,
}

/// Writes the table that `source` names, a path or a URL, to the folder `target`, and tells `meter` how far it is.
///
/// The table has every row once, and every column of the source, partitions of folders included. Text that names the
/// time becomes a timestamp. Users that are NULL are kept, in the last range.
///
/// `target` appears when it is complete: until then a folder of this machine is worked on under a hidden name beside
/// it, and to a bucket the manifest goes last. What a killed run left there is removed by the next one.
///
/// Fails as the source's table does, with 42703 and 42804 on keys that cannot be, 42P07 if something is at the target,
/// 55006 if another run writes it, 57014 if `meter` was told to stop, 58030 on errors of disks and stores.
/// Runs on a tokio runtime of several threads.
pub async fn cluster(
    runtime: &Arc<RuntimeEnv>,
    source: &str,
    target: &str,
    options: &ClusterOptions,
    meter: &Arc<ClusterMeter>,
) -> Result<ClusterReport> {
    meter.begin(ClusterPhase::Sampling, None);
    let source = Arc::new(Source::open(source, runtime).await?);
    let target = Target::open(target, runtime, &source).await?;
    let heads = read_heads(&source).await?;
    let shape = Shape::new(source.schema(), &options.user_key, &options.time_key, &heads);
    let keys = Keys::try_new(&shape.schema, &options.user_key, &options.time_key)?;
    let work = Arc::new(Work {
        keys,
        shape,
        meter: Arc::clone(meter),
        spill_folder: target.working().spill_folder(),
        table_folder: target.working().table_folder(),
        range_count: range_count(&source, options),
        generation: Generation::first(),
        thread_count: options.thread_count.get(),
        allowance: Arc::new(Allowance::new(options.memory_limit_bytes / 2)),
        no_memory: Arc::new(Allowance::new(0)),
        sorted_bytes: sorted_bytes(options.memory_limit_bytes, options.thread_count),
    });
    let points = points(&work, &source, &heads).await?;
    drop(heads);
    let buckets = route(&work, &source, points).await?;
    let row_count = buckets.iter().map(|bucket| bucket.row_count).sum();
    meter.begin(ClusterPhase::Writing, Some(row_count));
    let ranges = equal_ranges(&work, buckets).await?;
    let files = write_ranges(&work, ranges).await?;
    let manifest = Manifest {
        format: FORMAT,
        written_by: WRITTEN_BY.to_owned(),
        user_key: options.user_key.clone(),
        time_key: options.time_key.clone(),
        order: vec![options.user_key.clone(), options.time_key.clone()],
        generation: work.generation.number,
        row_count,
        // Files come in the order of their ranges, so each begins with the user that cuts it off from the one before.
        split_points: files.iter().skip(1).filter_map(|file| file.user_min.clone()).collect(),
        files,
    };
    target.publish(&manifest, meter).await?;
    Ok(ClusterReport {
        row_count,
        user_count: manifest.files.iter().map(|file| file.user_count).sum(),
        range_count: manifest.files.len(),
        generation: manifest.generation,
        source_byte_count: source.byte_count(),
        byte_count: manifest.files.iter().map(|file| file.byte_count).sum(),
    })
}

/// The bytes of a bucket that is sorted in memory, where each thread sorts one.
fn sorted_bytes(memory_limit_bytes: usize, thread_count: NonZeroUsize) -> usize {
    (memory_limit_bytes / 2 / thread_count.get() / COPIES_OF_SORTED_BUCKET).max(1)
}

/// The first rows of some units, all columns.
async fn read_heads(source: &Source) -> Result<Vec<RecordBatch>> {
    let of = |(parquet, text): (usize, usize)| if source.is_text() { text } else { parquet };
    let (unit_count, batch_count) = (of(SAMPLED_UNITS).min(source.unit_count()), of(SAMPLED_BATCHES));
    let mut heads = Vec::new();
    for place in 0..unit_count {
        let unit = place * source.unit_count() / unit_count;
        let mut left = batch_count;
        for stream in source.read(unit, None) {
            let mut stream = stream?.take(left);
            while let Some(batch) = stream.next().await {
                heads.push(batch.map_err(said(THE_SOURCE))?);
                left -= 1;
            }
            if left == 0 {
                break;
            }
        }
    }
    Ok(heads)
}

fn range_count(source: &Source, options: &ClusterOptions) -> usize {
    if let Some(count) = options.range_count {
        return count.get();
    }
    let row_count = source.row_count().unwrap_or(source.byte_count() / TEXT_ROW_BYTES);
    row_count.div_ceil(ROWS_PER_RANGE).clamp(RANGES.0, RANGES.1) as usize
}

impl Work {
    fn bucket_count(&self, wanted: u64) -> usize {
        wanted.saturating_mul(2).clamp(BUCKETS.0, BUCKETS.1) as usize
    }
}

/// Samples the users and cuts them into buckets.
///
/// Of Parquet the column of users is read whole; of text, which has no columns, only the first rows. If these are
/// unlike the others, buckets come out unequal and are cut again later.
async fn points(work: &Arc<Work>, source: &Arc<Source>, heads: &[RecordBatch]) -> Result<Points> {
    let head_rows: usize = heads.iter().map(RecordBatch::num_rows).sum();
    let row_count = source.row_count().unwrap_or(head_rows as u64);
    // Not by memory: where ranges begin must not depend on it.
    let wanted = (work.range_count as u64).saturating_mul(BUCKETS_PER_RANGE).clamp(BUCKETS.0, BUCKETS.1);
    let mut sample = Sample::new(Level::User, row_count);
    if source.is_text() {
        for batch in heads {
            let batch = work.shape.apply(batch)?;
            let users = batch.column(work.keys.user);
            sample.add(&work.keys.users(users)?, users);
        }
    } else {
        work.meter.begin(ClusterPhase::Sampling, source.row_count());
        let next = Arc::new(AtomicUsize::new(0));
        let mut samplers = JoinSet::new();
        for _ in 0..work.thread_count {
            let (work, source, next) = (Arc::clone(work), Arc::clone(source), Arc::clone(&next));
            samplers.spawn(async move { sample_users(&work, &source, &next, row_count).await });
        }
        while let Some(sampled) = samplers.join_next().await {
            sample.merge(sampled.map_err(|error| ended(&error))??);
        }
    }
    Ok(sample.into_points(wanted as usize).unwrap_or_else(|| Points::new(Level::User, Vec::new())))
}

async fn sample_users(work: &Work, source: &Source, next: &AtomicUsize, row_count: u64) -> Result<Sample> {
    let mut all = Sample::new(Level::User, row_count);
    let columns = vec![work.keys.user];
    let user_type = work.shape.schema.field(work.keys.user).data_type();
    loop {
        let unit = next.fetch_add(1, Relaxed);
        if unit >= source.unit_count() {
            return Ok(all);
        }
        // Each unit is sampled by itself, so that the sample does not depend on who reads it.
        let mut sample = Sample::new(Level::User, row_count);
        for stream in source.read(unit, Some(&columns)) {
            let mut stream = stream?;
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(said(THE_SOURCE))?;
                let users = cast(batch.column(0), user_type).map_err(|error| {
                    Error::new(SqlState::INTERNAL_ERROR, format!("cluster: users cannot be stored: {error}"))
                })?;
                sample.add(&work.keys.users(&users)?, &users);
                work.meter.advance(batch.num_rows() as u64)?;
            }
        }
        all.merge(sample);
    }
}

/// Reads all rows and puts each into its bucket.
async fn route(work: &Arc<Work>, source: &Arc<Source>, points: Points) -> Result<Vec<Bucket>> {
    work.meter.begin(ClusterPhase::Reading, source.row_count());
    let shelf = Arc::new(Shelf::new(&work.shape.schema, &work.spill_folder, &work.allowance, points.bucket_count()));
    let (points, next) = (Arc::new(points), Arc::new(AtomicUsize::new(0)));
    let read_bytes = Arc::new(AtomicU64::new(0));
    let mut readers = JoinSet::new();
    for _ in 0..work.thread_count {
        let (work, source, shelf) = (Arc::clone(work), Arc::clone(source), Arc::clone(&shelf));
        let (points, next, read_bytes) = (Arc::clone(&points), Arc::clone(&next), Arc::clone(&read_bytes));
        readers.spawn(async move {
            let mut filler = shelf.filler();
            loop {
                let unit = next.fetch_add(1, Relaxed);
                if unit >= source.unit_count() {
                    return filler.finish();
                }
                route_unit(&work, &source, unit, &points, &mut filler).await?;
                let unit_bytes = source.unit_byte_count(unit);
                let read_bytes = read_bytes.fetch_add(unit_bytes, Relaxed) + unit_bytes;
                if source.row_count().is_none() {
                    work.meter.reckon(read_bytes, source.byte_count());
                }
            }
        });
    }
    while let Some(read) = readers.join_next().await {
        read.map_err(|error| ended(&error))??;
    }
    let shelf = Arc::into_inner(shelf)
        .ok_or_else(|| Error::new(SqlState::INTERNAL_ERROR, "cluster: a reader is still at work"))?;
    Ok(shelf.into_buckets())
}

async fn route_unit(work: &Work, source: &Source, unit: usize, points: &Points, filler: &mut Filler<'_>) -> Result<()> {
    let mut router = Router::new(&work.keys, points);
    let mut chunk_count = 0;
    for stream in source.read(unit, None) {
        let mut stream = stream?;
        while let Some(batch) = stream.next().await {
            let batch = work.shape.apply(&batch.map_err(said(THE_SOURCE))?)?;
            work.meter.advance(batch.num_rows() as u64)?;
            if let Some(chunk) = router.add(batch)? {
                filler.put(&chunk, (unit, chunk_count))?;
                chunk_count += 1;
            }
        }
    }
    match router.finish()? {
        Some(chunk) => filler.put(&chunk, (unit, chunk_count)),
        None => Ok(()),
    }
}

fn ended(error: &JoinError) -> Error {
    Error::new(SqlState::INTERNAL_ERROR, format!("cluster: a thread ended: {error}"))
}
