//! Rows on their way to buckets: many small batches become one chunk, in the order of its buckets.

use datafusion::arrow::compute::interleave_record_batch;
use datafusion::arrow::record_batch::RecordBatch;

use super::keys::{Keys, Points};
use crate::error::{Error, Result, SqlState};

/// Rows that are routed at a time: enough that each of a hundred buckets gets a thousand.
const CHUNK_ROWS: usize = 128 * 1024;

/// A chunk of wide rows ends here.
const CHUNK_BYTES: usize = 32 * 1024 * 1024;

/// Rows in the order of their buckets, and in the order of the source within each.
pub(super) struct Chunk {
    pub(super) rows: RecordBatch,
    /// Bucket `n` has the rows from the end of the one before to here.
    pub(super) ends: Vec<usize>,
}

/// Collects the batches of one unit of the source.
pub(super) struct Router<'a> {
    keys: &'a Keys,
    points: &'a Points,
    batches: Vec<RecordBatch>,
    /// The bucket of each row, batch after batch.
    buckets: Vec<u32>,
    byte_count: usize,
}

impl<'a> Router<'a> {
    pub(super) fn new(keys: &'a Keys, points: &'a Points) -> Self {
        Self { keys, points, batches: Vec::new(), buckets: Vec::new(), byte_count: 0 }
    }

    /// Takes a batch; gives a chunk when enough rows are together.
    pub(super) fn add(&mut self, batch: RecordBatch) -> Result<Option<Chunk>> {
        let rows = self.keys.of(&batch, self.points.level)?;
        self.buckets.extend(rows.iter().map(|row| self.points.bucket_of(row.as_ref()) as u32));
        self.byte_count += byte_count(&batch);
        self.batches.push(batch);
        match self.buckets.len() >= CHUNK_ROWS || self.byte_count >= CHUNK_BYTES {
            true => self.finish(),
            false => Ok(None),
        }
    }

    /// Gives what is left.
    pub(super) fn finish(&mut self) -> Result<Option<Chunk>> {
        if self.buckets.is_empty() {
            return Ok(None);
        }
        let mut next = vec![0; self.points.bucket_count()];
        for bucket in &self.buckets {
            next[*bucket as usize] += 1;
        }
        let mut total = 0;
        for place in &mut next {
            total += std::mem::replace(place, total);
        }
        let mut order = vec![(0, 0); self.buckets.len()];
        let mut buckets = self.buckets.iter();
        for (index, batch) in self.batches.iter().enumerate() {
            for (row, bucket) in buckets.by_ref().take(batch.num_rows()).enumerate() {
                let place = &mut next[*bucket as usize];
                order[*place] = (index, row);
                *place += 1;
            }
        }
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        let rows = interleave_record_batch(&batches, &order).map_err(|error| {
            Error::new(SqlState::INTERNAL_ERROR, format!("cluster: rows cannot be routed: {error}"))
        })?;
        self.batches.clear();
        self.buckets.clear();
        self.byte_count = 0;
        Ok(Some(Chunk { rows, ends: next }))
    }
}

/// The bytes that the rows of a batch take, without what their buffers hold beside.
pub(super) fn byte_count(batch: &RecordBatch) -> usize {
    tributary_udfs::batch_bytes(batch)
}
