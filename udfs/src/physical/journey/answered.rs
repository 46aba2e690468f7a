//! Answers of a pass, handed on a batch at a time.

use datafusion::arrow::array::RecordBatch;

/// Users that were answered and not yet handed on.
pub(super) struct Answered {
    rows: Option<RecordBatch>,
    batch_rows: usize,
}

impl Answered {
    pub fn new(batch_rows: usize) -> Self {
        Self { rows: None, batch_rows }
    }

    /// Takes the answers of a pass; those of the pass before must be gone.
    pub fn put(&mut self, rows: RecordBatch) {
        self.rows = Some(rows);
    }

    pub fn next(&mut self) -> Option<RecordBatch> {
        let rows = self.rows.take()?;
        let count = rows.num_rows().min(self.batch_rows);
        if count < rows.num_rows() {
            self.rows = Some(rows.slice(count, rows.num_rows() - count));
        }
        (count > 0).then(|| rows.slice(0, count))
    }
}
