//! Which rows go together: buckets of users, few enough users each for a core's cache.

use std::ops::Range;

use datafusion::arrow::array::ArrayRef;
use datafusion::common::Result;
use datafusion::common::hash_utils::create_hashes;
use datafusion::physical_plan::repartition::REPARTITION_RANDOM_STATE;

/// Buckets over all outputs, at least. A million users are 8,000 in each: their table and their events fit a cache.
const MIN_BUCKETS: usize = 128;
/// Rows of a bucket for which more buckets are made, as far as it is known how many rows there are.
const BUCKET_ROWS: usize = 1 << 18;
/// Buckets over all outputs, at most, if only rows ask for more: each has some rows in each block.
const MAX_BUCKETS: usize = 512;
/// Buckets of an output, at least: each output has the table of one bucket in memory, all outputs at once.
const MIN_FANOUT: usize = 16;
/// Files over all outputs, about: each is an open one.
const SHELVES: usize = 64;
/// Files of an output, at least.
const MIN_SHELVES: usize = 4;

/// The buckets of every output: those of the first, then those of the second, and so on.
///
/// A user's output is the one that DataFusion's hash exchange would choose, so that operators above may rely on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buckets {
    outputs: usize,
    /// Buckets of an output; a power of two.
    fanout: usize,
}

impl Buckets {
    /// For about so many rows, if that is known.
    pub fn new(outputs: usize, rows: Option<usize>) -> Self {
        let outputs = outputs.max(1);
        let wanted = rows.map_or(0, |rows| rows / BUCKET_ROWS).clamp(MIN_BUCKETS, MAX_BUCKETS);
        Self { outputs, fanout: wanted.div_ceil(outputs).max(MIN_FANOUT).next_power_of_two() }
    }

    pub fn count(self) -> usize {
        self.outputs * self.fanout
    }

    pub fn of_output(self, output: usize) -> Range<usize> {
        output * self.fanout..(output + 1) * self.fanout
    }

    pub fn shelf_count(self) -> usize {
        self.count() / self.shelf_buckets()
    }

    /// Which file has a bucket's rows; it has those of some neighbours too, all of one output.
    pub fn shelf_of(self, bucket: usize) -> usize {
        bucket / self.shelf_buckets()
    }

    /// The buckets of a shelf.
    pub fn of_shelf(self, shelf: usize) -> Range<usize> {
        shelf * self.shelf_buckets()..(shelf + 1) * self.shelf_buckets()
    }

    fn shelf_buckets(self) -> usize {
        let shelves = SHELVES.div_ceil(self.outputs).max(MIN_SHELVES).next_power_of_two();
        self.fanout / shelves.min(self.fanout)
    }

    /// The bucket of every row, by its keys, as 64-bit numbers in the memory of their hashes.
    pub fn of_rows(self, keys: &[ArrayRef], buckets: &mut [u64]) -> Result<()> {
        create_hashes(keys, REPARTITION_RANDOM_STATE.random_state(), buckets)?;
        let outputs = self.outputs as u64;
        if outputs.is_power_of_two() {
            self.of_hashes(buckets, |hash| hash & (outputs - 1));
        } else {
            self.of_hashes(buckets, |hash| hash % outputs);
        }
        Ok(())
    }

    fn of_hashes(self, hashes: &mut [u64], output: impl Fn(u64) -> u64) {
        let fanout = self.fanout as u64;
        for hash in hashes {
            // Other bits than those that choose the output.
            *hash = output(*hash) * fanout + ((*hash >> 32) & (fanout - 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{AsArray, Int64Array, RecordBatch};
    use datafusion::arrow::datatypes::Int64Type;
    use datafusion::physical_expr::PhysicalExpr;
    use datafusion::physical_expr::expressions::Column;
    use datafusion::physical_plan::metrics::Time;
    use datafusion::physical_plan::repartition::BatchPartitioner;

    use super::*;

    #[test]
    fn a_users_output_is_that_of_the_hash_exchange() {
        let users: ArrayRef = Arc::new(Int64Array::from_iter_values(0..50_000));
        let batch = RecordBatch::try_from_iter([("user_id", Arc::clone(&users))]).unwrap();
        for outputs in [1, 2, 3, 7, 8, 300] {
            let by: Arc<dyn PhysicalExpr> = Arc::new(Column::new("user_id", 0));
            let mut exchange = BatchPartitioner::new_hash_partitioner(vec![by], outputs, Time::new()).unwrap();
            let mut expected = vec![0; users.len()];
            let each = |output, rows: RecordBatch| {
                for &user in rows.column(0).as_primitive::<Int64Type>().values() {
                    expected[user as usize] = output;
                }
                Ok(())
            };
            exchange.partition(batch.clone(), each).unwrap();
            let buckets = Buckets::new(outputs, None);
            let mut of_rows = vec![0; users.len()];
            buckets.of_rows(&[Arc::clone(&users)], &mut of_rows).unwrap();
            for (bucket, output) in of_rows.iter().zip(expected) {
                assert!(buckets.of_output(output).contains(&(*bucket as usize)), "{outputs}");
            }
            for shelf in 0..buckets.shelf_count() {
                let of_shelf = buckets.of_shelf(shelf);
                assert!(of_shelf.clone().all(|bucket| buckets.shelf_of(bucket) == shelf));
                assert!((0..outputs).any(|output| {
                    let of_output = buckets.of_output(output);
                    of_output.start <= of_shelf.start && of_shelf.end <= of_output.end
                }));
            }
            let used = of_rows.iter().collect::<std::collections::BTreeSet<_>>().len();
            assert!(used == buckets.count() && used >= MIN_BUCKETS, "{used} of {} are used", buckets.count());
        }
    }

    #[test]
    fn many_rows_have_many_buckets() {
        let count = |outputs, rows| Buckets::new(outputs, rows).count();
        assert_eq!([None, Some(0), Some(20 << 20)].map(|rows| count(2, rows)), [128; 3]);
        assert_eq!([Some(60_000_000), Some(usize::MAX)].map(|rows| count(2, rows)), [256, 512]);
        assert_eq!([None, Some(60_000_000)].map(|rows| count(64, rows)), [1_024, 1_024]);
    }
}
