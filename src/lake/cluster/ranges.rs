//! From buckets to files: which buckets are one range, and how a range is sorted and written.

use std::sync::Arc;

use datafusion::arrow::compute::{concat_batches, take_record_batch};
use datafusion::arrow::record_batch::RecordBatch;

use super::Work;
use super::file::RangeWriter;
use super::keys::{Level, sorted};
use super::shelf::Bucket;
use super::threads::on_threads;
use crate::error::{Error, Result, SqlState};
use crate::lake::manifest::ManifestFile;

/// Rows that are gathered and handed to the writer at a time.
const GATHERED_ROWS: usize = 64 * 1024;

/// A bucket of more than so many times a range's share is cut again.
const SHARES_OF_LARGE_BUCKET: u64 = 2;

/// Buckets that become one file.
pub(super) struct Range {
    index: usize,
    buckets: Vec<Bucket>,
}

/// Makes ranges of about equal rows.
pub(super) async fn equal_ranges(work: &Arc<Work>, buckets: Vec<Bucket>) -> Result<Vec<Range>> {
    let balancing = Arc::clone(work);
    let balanced = tokio::task::spawn_blocking(move || balancing.balance(buckets)).await;
    Ok(group(balanced.map_err(|error| super::ended(&error))??, work.range_count))
}

/// Makes each bucket the range of its number; those without rows are none.
pub(super) fn ranges_as_cut(buckets: Vec<Bucket>) -> Vec<Range> {
    let ranges = buckets.into_iter().enumerate().filter(|(_, bucket)| bucket.row_count > 0);
    ranges.map(|(index, bucket)| Range { index, buckets: vec![bucket] }).collect()
}

/// Writes the files of all ranges, as many at a time as the work has threads.
///
/// The files come back in the order of their ranges.
pub(super) async fn write_ranges(work: &Arc<Work>, mut ranges: Vec<Range>) -> Result<Vec<ManifestFile>> {
    // The largest first, so that no thread begins it when the others end.
    ranges.sort_by_key(|range| std::cmp::Reverse(range.buckets.iter().map(|bucket| bucket.row_count).sum::<u64>()));
    let writing = Arc::clone(work);
    let mut files = on_threads(work.thread_count, ranges, move |range| writing.write_range(range)).await?;
    files.sort_by_key(|file| file.range);
    Ok(files)
}

/// Joins buckets to at most `range_count` ranges of about equal rows. Buckets are not cut.
fn group(buckets: Vec<Bucket>, range_count: usize) -> Vec<Range> {
    let total: u64 = buckets.iter().map(|bucket| bucket.row_count).sum();
    let mut ranges: Vec<Range> = Vec::new();
    let (mut row_count, mut last_share) = (0, None);
    for bucket in buckets {
        // Where the middle of a bucket lies decides.
        let middle = u128::from(row_count * 2 + bucket.row_count);
        let share = (middle * range_count as u128).checked_div(u128::from(total) * 2);
        row_count += bucket.row_count;
        if bucket.row_count == 0 {
            continue;
        }
        match ranges.last_mut().filter(|_| share == last_share) {
            Some(range) => range.buckets.push(bucket),
            None => ranges.push(Range { index: ranges.len(), buckets: vec![bucket] }),
        }
        last_share = share;
    }
    if ranges.is_empty() {
        // A table without rows is a file without rows: it has the columns.
        ranges.push(Range { index: 0, buckets: Vec::new() });
    }
    ranges
}

impl Work {
    /// Cuts buckets that are larger than the sample made them look, between users.
    fn balance(&self, buckets: Vec<Bucket>) -> Result<Vec<Bucket>> {
        let total: u64 = buckets.iter().map(|bucket| bucket.row_count).sum();
        let share = (total / self.range_count as u64).max(1);
        let mut balanced = Vec::with_capacity(buckets.len());
        for bucket in buckets {
            if bucket.row_count <= share * SHARES_OF_LARGE_BUCKET {
                balanced.push(bucket);
                continue;
            }
            let bucket_count = self.bucket_count(bucket.row_count / share + 1);
            match self.split(bucket, Level::User, bucket_count)? {
                Ok(smaller) => balanced.extend(smaller),
                Err(of_one_user) => balanced.push(of_one_user),
            }
        }
        Ok(balanced)
    }

    fn write_range(&self, range: Range) -> Result<ManifestFile> {
        let name = self.generation.file(range.index);
        let path = self.table_folder.join(&name);
        let mut writer = RangeWriter::create(&path, &self.keys, &self.shape)?;
        for bucket in range.buckets {
            self.sort(bucket, &mut |batch| writer.write(batch))?;
        }
        writer.finish(name, range.index, self.generation.number)
    }

    /// Gives the rows of a bucket in the order of the table; a bucket that memory does not hold is cut until it does.
    fn sort(&self, mut bucket: Bucket, write: &mut dyn FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        if bucket.byte_count <= self.sorted_bytes {
            return self.sort_in_memory(bucket, write);
        }
        let bucket_count = self.bucket_count((bucket.byte_count / self.sorted_bytes) as u64);
        for level in [Level::User, Level::UserAndTime] {
            bucket = match self.split(bucket, level, bucket_count)? {
                Ok(smaller) => return smaller.into_iter().try_for_each(|bucket| self.sort(bucket, write)),
                Err(whole) => whole,
            };
        }
        // One user at one time: the order of the source is the order.
        bucket.read().try_for_each(|batch| self.write_some(&batch?, write))
    }

    fn sort_in_memory(&self, mut bucket: Bucket, write: &mut dyn FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        let broken = |error: &dyn std::fmt::Display| {
            Error::new(SqlState::INTERNAL_ERROR, format!("cluster: rows cannot be sorted: {error}"))
        };
        let batches = bucket.read().collect::<Result<Vec<_>>>()?;
        let rows = concat_batches(&self.shape.schema, &batches).map_err(|error| broken(&error))?;
        drop((batches, bucket));
        let order = sorted(&self.keys.of(&rows, Level::UserAndTime)?);
        for start in (0..rows.num_rows()).step_by(GATHERED_ROWS) {
            let some = order.slice(start, GATHERED_ROWS.min(rows.num_rows() - start));
            let batch = take_record_batch(&rows, &some).map_err(|error| broken(&error))?;
            self.write_some(&batch, write)?;
        }
        Ok(())
    }

    fn write_some(&self, batch: &RecordBatch, write: &mut dyn FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        write(batch)?;
        self.meter.advance(batch.num_rows() as u64)
    }
}
