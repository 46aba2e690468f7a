//! Sorted streams made one, a run of rows at a time.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, DynComparator, RecordBatch, make_comparator};
use datafusion::arrow::compute::{concat_batches, interleave_record_batch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_plan::metrics::{BaselineMetrics, RecordOutput};
use datafusion::physical_plan::spill::get_record_batch_memory_size;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::future::try_join_all;
use futures::{StreamExt, stream};

/// Runs of so many rows on average are copied run by run, shorter ones row by row.
const LONG_RUN_ROWS: usize = 32;

/// Merges streams that are sorted by `keys`. Of rows that are equal in them, those of the earlier stream come first.
///
/// Rows of one stream that come before the next row of every other are found by search and not one by one: where a day is
/// added to a year, most rows are compared with nothing, and long runs are not even copied. Memory: the batches at hand,
/// which the pool grants.
pub(in crate::lake) fn merge_sorted(
    streams: Vec<SendableRecordBatchStream>,
    schema: SchemaRef,
    keys: &LexOrdering,
    metrics: BaselineMetrics,
    consumer: MemoryConsumer,
    context: &TaskContext,
) -> SendableRecordBatchStream {
    let merge = Merge {
        heads: streams.iter().map(|_| None).collect(),
        compare: streams.iter().map(|_| streams.iter().map(|_| vec![]).collect()).collect(),
        has_begun: false,
        streams,
        schema: Arc::clone(&schema),
        keys: keys.clone(),
        order: vec![],
        held: vec![],
        pieces: vec![],
        row_count: 0,
        batch_rows: context.session_config().batch_size(),
        room: consumer.register(context.memory_pool()),
        metrics,
    };
    Box::pin(RecordBatchStreamAdapter::new(schema, stream::try_unfold(merge, Merge::next)))
}

struct Merge {
    streams: Vec<SendableRecordBatchStream>,
    schema: SchemaRef,
    keys: LexOrdering,
    has_begun: bool,
    /// Where each stream stands; `None` where it has not begun or has ended.
    heads: Vec<Option<Head>>,
    /// By stream and other stream: how a row of the batch of the one is compared with one of the other's, key by key.
    compare: Vec<Vec<Vec<DynComparator>>>,
    /// The streams that have rows, by their next row.
    order: Vec<usize>,
    /// The batches that rows at hand are in.
    held: Vec<RecordBatch>,
    /// The rows of the next batch: pieces of held batches.
    pieces: Vec<(usize, Range<usize>)>,
    row_count: usize,
    batch_rows: usize,
    room: MemoryReservation,
    metrics: BaselineMetrics,
}

/// Where a stream stands.
struct Head {
    /// The place of its batch among those held, and the next row in it.
    held: usize,
    row: usize,
    row_count: usize,
    keys: Vec<ArrayRef>,
}

impl Merge {
    async fn next(mut self) -> Result<Option<(RecordBatch, Self)>> {
        if !self.has_begun {
            self.has_begun = true;
            // All at once, because each has a file to open.
            let firsts = try_join_all(self.streams.iter_mut().map(next_rows)).await?;
            for (stream, batch) in firsts.into_iter().enumerate() {
                batch.map_or(Ok(()), |batch| self.hold(stream, batch))?;
            }
        }
        while let Some(&first) = self.order.first() {
            if self.row_count >= self.batch_rows {
                break;
            }
            let elapsed = self.metrics.elapsed_compute().clone();
            let timer = elapsed.timer();
            let has_ended = self.take_run(first);
            timer.done();
            if has_ended {
                self.read(first).await?;
            }
        }
        if self.row_count == 0 {
            return Ok(None);
        }
        let elapsed = self.metrics.elapsed_compute().clone();
        let timer = elapsed.timer();
        let batch = self.batch()?;
        timer.done();
        Ok(Some((batch.record_output(&self.metrics), self)))
    }

    /// Takes the rows of the first stream that come before those of the others, or as many as have room in a batch, and says
    /// whether its batch has no more.
    fn take_run(&mut self, first: usize) -> bool {
        let Some(Head { held, row, row_count, .. }) = self.heads[first] else { return true };
        let most = (row + (self.batch_rows - self.row_count)).min(row_count);
        let end = self.order.get(1).map_or(most, |&second| self.run_end(first, row, second, most));
        match self.pieces.last_mut() {
            Some((last, rows)) if *last == held && rows.end == row => rows.end = end,
            _ => self.pieces.push((held, row..end)),
        }
        self.row_count += end - row;
        if let Some(head) = &mut self.heads[first] {
            head.row = end;
        }
        self.order.remove(0);
        if end < row_count {
            // Its next row may come after others, also where it was only the batch that was full.
            self.put_in_order(first);
        }
        end == row_count
    }

    /// The first row of `first` after `row` that comes after the next one of `second`, or `most`.
    fn run_end(&self, first: usize, row: usize, second: usize, most: usize) -> usize {
        let Some(other) = &self.heads[second] else { return most };
        let is_before = |row: usize| self.is_before(first, row, second, other.row);
        // Steps that double, because runs are short where users have few events, and long where they have none.
        let (mut last_before, mut step) = (row, 1);
        while last_before + step < most && is_before(last_before + step) {
            last_before += step;
            step *= 2;
        }
        let (mut low, mut high) = (last_before + 1, (last_before + step).min(most));
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Whether a row of a stream comes before one of another.
    fn is_before(&self, stream: usize, row: usize, other: usize, other_row: usize) -> bool {
        let mut by_keys = self.compare[stream][other].iter().map(|compare| compare(row, other_row));
        by_keys.find(|order| order.is_ne()).map_or(stream < other, Ordering::is_lt)
    }
}

impl Merge {
    /// Reads the next batch of a stream that has no rows at hand, if there is one.
    async fn read(&mut self, stream: usize) -> Result<()> {
        self.heads[stream] = None;
        // They hold the columns that they compare.
        for other in 0..self.heads.len() {
            self.compare[stream][other].clear();
            self.compare[other][stream].clear();
        }
        match next_rows(&mut self.streams[stream]).await? {
            Some(batch) => {
                let elapsed = self.metrics.elapsed_compute().clone();
                let _timer = elapsed.timer();
                self.hold(stream, batch)
            }
            None => Ok(()),
        }
    }

    fn hold(&mut self, stream: usize, batch: RecordBatch) -> Result<()> {
        self.room.try_grow(get_record_batch_memory_size(&batch))?;
        let keys = self.keys.iter().map(|key| key.expr.evaluate(&batch)?.into_array(batch.num_rows()));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        for (other, head) in self.heads.iter().enumerate() {
            let Some(head) = head else { continue };
            self.compare[stream][other] = comparators(&keys, &head.keys, &self.keys)?;
            self.compare[other][stream] = comparators(&head.keys, &keys, &self.keys)?;
        }
        self.heads[stream] = Some(Head { held: self.held.len(), row: 0, row_count: batch.num_rows(), keys });
        self.held.push(batch);
        self.put_in_order(stream);
        Ok(())
    }

    fn put_in_order(&mut self, stream: usize) {
        let row_of = |stream: usize| self.heads[stream].as_ref().map_or(0, |head| head.row);
        let comes_before = |other: &usize| self.is_before(*other, row_of(*other), stream, row_of(stream));
        let place = self.order.partition_point(comes_before);
        self.order.insert(place, stream);
    }

    /// The rows at hand as a batch; batches that no more rows are needed of are let go.
    fn batch(&mut self) -> Result<RecordBatch> {
        let slice = |(held, rows): &(usize, Range<usize>)| self.held[*held].slice(rows.start, rows.len());
        let batch = match self.pieces.as_slice() {
            [piece] => slice(piece),
            pieces if pieces.len() * LONG_RUN_ROWS <= self.row_count => {
                let slices: Vec<RecordBatch> = pieces.iter().map(slice).collect();
                concat_batches(&self.schema, &slices)?
            }
            pieces => {
                let rows = pieces.iter().flat_map(|(held, rows)| rows.clone().map(|row| (*held, row)));
                let rows: Vec<(usize, usize)> = rows.collect();
                interleave_record_batch(&self.held.iter().collect::<Vec<_>>(), &rows)?
            }
        };
        self.pieces.clear();
        self.row_count = 0;
        let all = std::mem::take(&mut self.held);
        for head in self.heads.iter_mut().flatten() {
            self.held.push(all[head.held].clone());
            head.held = self.held.len() - 1;
        }
        self.room.try_resize(self.held.iter().map(get_record_batch_memory_size).sum())?;
        Ok(batch)
    }
}

/// The next batch that has rows.
async fn next_rows(stream: &mut SendableRecordBatchStream) -> Result<Option<RecordBatch>> {
    while let Some(batch) = stream.next().await.transpose()? {
        if batch.num_rows() > 0 {
            return Ok(Some(batch));
        }
    }
    Ok(None)
}

/// How rows of one batch are compared with rows of another.
fn comparators(left: &[ArrayRef], right: &[ArrayRef], keys: &LexOrdering) -> Result<Vec<DynComparator>> {
    let options = keys.iter().map(|key| key.options);
    let pairs = left.iter().zip(right).zip(options);
    let comparators = pairs.map(|((left, right), options)| make_comparator(left, right, options));
    Ok(comparators.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{AsArray, Int64Array, StringArray};
    use datafusion::arrow::compute::SortOptions;
    use datafusion::arrow::compute::cast;
    use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit};
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_expr::PhysicalSortExpr;
    use datafusion::physical_expr::expressions::col;
    use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use futures::TryStreamExt;
    use proptest::prelude::*;

    use super::*;

    /// A user or none, a time, and which row it is.
    type Row = (Option<i64>, i64, i64);

    fn batch(rows: &[Row], user: &DataType) -> RecordBatch {
        let users: ArrayRef =
            Arc::new(rows.iter().map(|row| row.0.map(|user| format!("{user:03}"))).collect::<StringArray>());
        let times: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>());
        let numbers: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.2)).collect::<Int64Array>());
        let texts: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.2.to_string())).collect::<StringArray>());
        let codes = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let columns = vec![
            cast(&users, user).unwrap(),
            cast(&times, &DataType::Timestamp(TimeUnit::Microsecond, None)).unwrap(),
            numbers,
            cast(&texts, &codes).unwrap(),
        ];
        RecordBatch::try_new(schema(user), columns).unwrap()
    }

    fn schema(user: &DataType) -> SchemaRef {
        let codes = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        Arc::new(Schema::new(vec![
            Field::new("user_id", user.clone(), true),
            Field::new("event_time", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("number", DataType::Int64, true),
            Field::new("text", codes, true),
        ]))
    }

    fn context(batch_rows: usize, memory_bytes: usize) -> Arc<TaskContext> {
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(memory_bytes)));
        let config = SessionConfig::new().with_batch_size(batch_rows);
        SessionContext::new_with_config_rt(config, runtime.build_arc().unwrap()).task_ctx()
    }

    fn merged(streams: &[Vec<RecordBatch>], user: &DataType, context: &TaskContext) -> SendableRecordBatchStream {
        let schema = schema(user);
        let options = SortOptions { descending: false, nulls_first: false };
        let keys = ["user_id", "event_time"].map(|name| PhysicalSortExpr::new(col(name, &schema).unwrap(), options));
        let streams = streams.iter().map(|batches| {
            let batches = stream::iter(batches.clone().into_iter().map(Ok));
            Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), batches)) as SendableRecordBatchStream
        });
        let metrics = BaselineMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
        let keys = LexOrdering::new(keys).unwrap();
        merge_sorted(streams.collect(), Arc::clone(&schema), &keys, metrics, MemoryConsumer::new("test"), context)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Any number of streams, of any length, cut anywhere: the rows of a stable sort.
        #[test]
        fn streams_come_out_as_one_that_is_sorted(
            streams in proptest::collection::vec(
                (proptest::collection::vec((proptest::option::weighted(0.9, 0..12i64), 0..5i64), 0..120), 1..40usize, 1..30usize), 0..5),
            batch_rows in 1..50usize,
            type_place in 0..3usize,
        ) {
            let codes = DataType::Dictionary(Box::new(DataType::Int16), Box::new(DataType::Utf8));
            let user = &[DataType::Int64, DataType::Utf8View, codes][type_place];
            let by_key = |row: &Row| (row.0.is_none(), row.0, row.1);
            let (mut given, mut expected) = (vec![], vec![]);
            for (place, (rows, length, run)) in (0..).zip(streams) {
                // Long runs too.
                let rows = rows.into_iter().flat_map(|row| std::iter::repeat_n(row, run));
                let mut rows: Vec<Row> = (place * 10_000..).zip(rows).map(|(number, (user, time))| (user, time, number)).collect();
                rows.sort_by_key(by_key);
                given.push(rows.chunks(length).map(|rows| batch(rows, user)).collect::<Vec<_>>());
                expected.extend(rows);
            }
            expected.sort_by_key(by_key);
            let context = context(batch_rows, 1 << 30);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let batches: Vec<RecordBatch> = runtime.block_on(merged(&given, user, &context).try_collect()).unwrap();
            let (last, others) = batches.split_last().map_or((None, &[][..]), |(last, others)| (Some(last), others));
            prop_assert!(others.iter().all(|batch| batch.num_rows() == batch_rows));
            prop_assert!(last.is_none_or(|batch| (1..=batch_rows).contains(&batch.num_rows())));
            let numbers = batches.iter().flat_map(|batch| batch.column(2).as_primitive::<Int64Type>().values().to_vec());
            let numbers: Vec<i64> = numbers.collect();
            prop_assert_eq!(&numbers, &expected.iter().map(|row| row.2).collect::<Vec<_>>());
            let texts = batches.iter().flat_map(|batch| {
                let texts = cast(batch.column(3), &DataType::Utf8).unwrap();
                texts.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect::<Vec<_>>()
            });
            prop_assert_eq!(texts.collect::<Vec<_>>(), numbers.iter().map(i64::to_string).collect::<Vec<_>>());
            prop_assert_eq!(context.memory_pool().reserved(), 0);
        }
    }

    #[tokio::test]
    async fn a_pool_that_refuses_is_an_error() {
        let rows: Vec<Row> = (0..1_000).map(|number| (Some(number), 0, number)).collect();
        let streams = vec![vec![batch(&rows, &DataType::Int64)], vec![batch(&rows, &DataType::Int64)]];
        let context = context(100, 10_000);
        let told = merged(&streams, &DataType::Int64, &context).try_collect::<Vec<_>>().await.unwrap_err();
        assert!(told.to_string().contains("Resources exhausted"), "{told}");
        assert_eq!(context.memory_pool().reserved(), 0);
    }
}
