//! Where buckets begin: points from a sample, and what happens to a bucket that became too large.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::row::Rows;

use super::Work;
use super::keys::{Level, Points, quantiles};
use super::route::Router;
use super::shelf::{Bucket, Shelf};
use crate::error::Result;

/// How many keys a sample holds: some thousands for each bucket of users.
pub(super) const SAMPLED_KEYS: u64 = 256 * 1024;

/// Every so many rows one key is kept; the smallest two are known exactly.
pub(super) struct Sample {
    level: Level,
    stride: u64,
    seen: u64,
    keys: Vec<Box<[u8]>>,
    smallest: Option<Box<[u8]>>,
    second: Option<Box<[u8]>>,
}

impl Sample {
    pub(super) fn new(level: Level, row_count: u64) -> Self {
        let stride = row_count.div_ceil(SAMPLED_KEYS).max(1);
        Self { level, stride, seen: 0, keys: Vec::new(), smallest: None, second: None }
    }

    /// Looks at rows. One whose user is NULL is no key of its own: ranges begin with users.
    pub(super) fn add(&mut self, rows: &Rows, users: &ArrayRef) {
        for (index, row) in rows.iter().enumerate() {
            if self.level == Level::User && users.is_null(index) {
                continue;
            }
            let row = row.as_ref();
            if self.seen.is_multiple_of(self.stride) {
                self.keys.push(row.into());
            }
            self.seen += 1;
            self.keep_smallest(row);
        }
    }

    fn keep_smallest(&mut self, row: &[u8]) {
        let Some(smallest) = &mut self.smallest else {
            self.smallest = Some(row.into());
            return;
        };
        match row.cmp(smallest.as_ref()) {
            std::cmp::Ordering::Less => self.second = Some(std::mem::replace(smallest, row.into())),
            std::cmp::Ordering::Greater if self.second.as_ref().is_none_or(|second| row < second.as_ref()) => {
                self.second = Some(row.into());
            }
            _ => {}
        }
    }

    /// Takes the keys of a sample of other rows.
    pub(super) fn merge(&mut self, other: Self) {
        for row in other.smallest.iter().chain(&other.second) {
            self.keep_smallest(row);
        }
        self.seen += other.seen;
        self.keys.extend(other.keys);
    }

    /// Points for about `bucket_count` buckets; with `None` all rows have one key.
    ///
    /// At least one row is on either side of each point, so that cutting again comes to an end.
    pub(super) fn into_points(mut self, bucket_count: usize) -> Option<Points> {
        let (smallest, second) = (self.smallest?, self.second?);
        self.keys.sort_unstable();
        let mut rows = quantiles(&self.keys, bucket_count);
        rows.retain(|row| *row > smallest);
        if rows.is_empty() {
            rows.push(second);
        }
        Some(Points::new(self.level, rows))
    }
}

impl Work {
    /// Cuts a bucket into about `bucket_count` smaller ones, or gives it back if all its rows have one key.
    pub(super) fn split(
        &self,
        mut bucket: Bucket,
        level: Level,
        bucket_count: usize,
    ) -> Result<std::result::Result<Vec<Bucket>, Bucket>> {
        let mut sample = Sample::new(level, bucket.row_count);
        for batch in bucket.read() {
            let batch = batch?;
            sample.add(&self.keys.of(&batch, level)?, batch.column(self.keys.user));
            self.meter.advance(0)?;
        }
        let Some(points) = sample.into_points(bucket_count) else {
            return Ok(Err(bucket));
        };
        let shelf = Shelf::new(&self.shape.schema, &self.spill_folder, &self.no_memory, points.bucket_count());
        let mut filler = shelf.filler();
        let mut router = Router::new(&self.keys, &points);
        let mut chunk_count = 0;
        for batch in bucket.read() {
            if let Some(chunk) = router.add(batch?)? {
                filler.put(&chunk, (0, chunk_count))?;
                chunk_count += 1;
            }
            self.meter.advance(0)?;
        }
        if let Some(chunk) = router.finish()? {
            filler.put(&chunk, (0, chunk_count))?;
        }
        filler.finish()?;
        Ok(Ok(shelf.into_buckets()))
    }
}
