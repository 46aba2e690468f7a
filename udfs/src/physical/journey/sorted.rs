//! Rows that come sorted by user: a pass ends where a user does, and holds nothing of those before.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, RecordOutput};
use futures::StreamExt;

use super::answered::Answered;
use super::memory::Part;
use super::runs::Runs;
use super::table::Table;

/// Rows of a pass: their state fits a cache, and an answer is a batch or less.
const PASS_ROWS: usize = 1 << 15;

/// An output that answers while it reads. Memory: the state of a pass, which is longer only if one user is.
pub(super) struct SortedOutput {
    pub input: SendableRecordBatchStream,
    pub table: Table,
    pub room: Part,
    /// Rows that the table took in.
    pub rows: usize,
    /// Rows that came and are not in the table.
    pub rest: Option<RecordBatch>,
    pub answered: Answered,
    pub schema: SchemaRef,
    pub metrics: BaselineMetrics,
}

impl SortedOutput {
    pub async fn next(mut self) -> Result<Option<(RecordBatch, Self)>> {
        loop {
            if let Some(batch) = self.answered.next() {
                return Ok(Some((batch.record_output(&self.metrics), self)));
            }
            let rows = match self.rest.take() {
                Some(rest) => Some(rest),
                None => self.input.next().await.transpose()?,
            };
            match rows {
                Some(rows) => self.add(&rows)?,
                None if self.table.is_empty() => return Ok(None),
                None => self.finish()?,
            }
            // Cancel and other queries get their turn.
            tokio::task::consume_budget().await;
        }
    }

    fn add(&mut self, rows: &RecordBatch) -> Result<()> {
        let elapsed = self.metrics.elapsed_compute().clone();
        let _timer = elapsed.timer();
        let is_full = self.rows + rows.num_rows() >= PASS_ROWS && !self.table.is_empty();
        let begins = if is_full { Runs::last_begins(&self.table.keys(rows)?)? } else { None };
        match begins {
            Some(begins) => {
                self.take_in(&rows.slice(0, begins))?;
                self.rest = Some(rows.slice(begins, rows.num_rows() - begins));
                self.finish()
            }
            None => self.take_in(rows),
        }
    }

    fn take_in(&mut self, rows: &RecordBatch) -> Result<()> {
        self.rows += self.table.add(rows)?;
        self.room.try_resize(self.table.bytes())
    }

    fn finish(&mut self) -> Result<()> {
        self.answered.put(self.table.finish(&self.schema)?);
        self.rows = 0;
        self.room.try_resize(self.table.bytes())
    }
}
