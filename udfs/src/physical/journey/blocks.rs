//! Rows of an input, brought into the order of their buckets some at a time.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;

use super::buckets::Buckets;
use super::packed::{Packed, Texts, Unplaced};
use crate::bytes::batch_bytes;

/// Rows of a bucket in a block, about: enough that bringing them to it pays.
const ROWS_OF_BUCKET: usize = 256;
/// Rows of a block: so few that a column stays in a core's cache.
const BLOCK_ROWS: RangeInclusive<usize> = 1 << 15..=1 << 17;
const BLOCK_BYTES: usize = 16 << 20;
/// Rows that are read at once, where a bucket has so many.
const READ_ROWS: usize = 1 << 13;

/// Rows of one input in the order of their buckets, and inside a bucket as they came.
pub(super) struct Block {
    schema: SchemaRef,
    columns: Vec<Packed>,
    /// Rows `ends[b - 1]` (0 for the first) up to `ends[b]` are those of bucket `b`.
    ends: Vec<u32>,
}

impl Block {
    /// The rows that some blocks, which are not none, have of some neighbouring buckets.
    pub fn rows_of(blocks: &[Arc<Self>], buckets: &Range<usize>) -> Result<RecordBatch> {
        let schema = &blocks[0].schema;
        let rows = |block: &Self| block.start(buckets.start)..block.start(buckets.end);
        let columns = (0..schema.fields().len()).map(|index| {
            let parts: Vec<_> = blocks.iter().map(|block| (&block.columns[index], rows(block))).collect();
            Packed::rows_of(&parts)
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        // No column where keys and arguments are constants.
        let row_count = blocks.iter().map(|block| rows(block).len()).sum();
        let options = RecordBatchOptions::new().with_row_count(Some(row_count));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }

    /// How many of the first blocks are read at once.
    pub fn read_at_once<'a>(blocks: impl Iterator<Item = &'a Arc<Self>>, buckets: &Range<usize>) -> usize {
        let (mut count, mut rows) = (0, 0);
        for block in blocks {
            if rows >= READ_ROWS {
                break;
            }
            rows += block.start(buckets.end) - block.start(buckets.start);
            count += 1;
        }
        count
    }

    pub fn len(&self) -> usize {
        self.start(self.ends.len())
    }

    pub fn row_count(&self, bucket: usize) -> usize {
        self.start(bucket + 1) - self.start(bucket)
    }

    pub fn bytes(&self) -> usize {
        self.columns.iter().map(Packed::bytes).sum::<usize>() + self.ends.capacity() * size_of::<u32>()
    }

    fn start(&self, bucket: usize) -> usize {
        bucket.checked_sub(1).map_or(0, |last| self.ends[last] as usize)
    }
}

/// Collects batches until they make a block.
pub(super) struct Builder {
    schema: SchemaRef,
    keys: Arc<[Arc<dyn PhysicalExpr>]>,
    buckets: Buckets,
    waiting: Vec<RecordBatch>,
    waiting_bytes: usize,
    /// By column: what is known of its texts.
    texts: Vec<Texts>,
    /// The bucket of every row that waits; memory that every block uses again, as that of their places.
    bucket_of_row: Vec<u64>,
    places: Vec<u32>,
}

impl Builder {
    pub fn new(schema: SchemaRef, keys: Arc<[Arc<dyn PhysicalExpr>]>, buckets: Buckets) -> Self {
        let texts = schema.fields().iter().map(|_| Texts::new()).collect();
        Self { schema, keys, buckets, waiting: vec![], waiting_bytes: 0, texts, bucket_of_row: vec![], places: vec![] }
    }

    pub fn add(&mut self, batch: RecordBatch) -> Result<()> {
        let known = self.bucket_of_row.len();
        self.bucket_of_row.resize(known + batch.num_rows(), 0);
        let keys = self.keys.iter().map(|key| key.evaluate(&batch)?.into_array(batch.num_rows()));
        self.buckets.of_rows(&keys.collect::<Result<Vec<_>>>()?, &mut self.bucket_of_row[known..])?;
        self.waiting_bytes += batch_bytes(&batch);
        self.waiting.push(batch);
        Ok(())
    }

    pub fn is_full(&self) -> bool {
        let block_rows = (self.buckets.count() * ROWS_OF_BUCKET).clamp(*BLOCK_ROWS.start(), *BLOCK_ROWS.end());
        self.bucket_of_row.len() >= block_rows || self.waiting_bytes >= BLOCK_BYTES
    }

    /// Bytes of the batches that wait, and of what is known of their texts.
    pub fn bytes(&self) -> usize {
        let of_texts: usize = self.texts.iter().map(Texts::bytes).sum();
        let of_places = self.bucket_of_row.capacity() * size_of::<u64>() + self.places.capacity() * size_of::<u32>();
        self.waiting_bytes + of_texts + of_places
    }

    /// The rows that wait, as a block, if there are any.
    pub fn finish(&mut self) -> Result<Option<Block>> {
        if self.bucket_of_row.is_empty() {
            return Ok(None);
        }
        let ends = self.place();
        let columns = self.texts.iter_mut().enumerate().map(|(index, texts)| {
            let parts = self.waiting.iter().map(|batch| batch.column(index)).collect::<Vec<_>>();
            Packed::new(Unplaced { parts: &parts, places: &self.places }, texts)
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.bucket_of_row.clear();
        Ok(Some(Block { schema: Arc::clone(&self.schema), columns, ends }))
    }

    /// Finds the place of each row, and gives where each bucket ends.
    fn place(&mut self) -> Vec<u32> {
        let mut ends = vec![0u32; self.buckets.count()];
        for &bucket in &self.bucket_of_row {
            ends[bucket as usize] += 1;
        }
        let mut total = 0;
        for end in &mut ends {
            total += std::mem::replace(end, total);
        }
        self.places.clear();
        self.places.extend(self.bucket_of_row.iter().map(|&bucket| {
            let end = &mut ends[bucket as usize];
            *end += 1;
            *end - 1
        }));
        ends
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
    use datafusion::arrow::compute::cast;
    use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};
    use datafusion::physical_expr::expressions::Column;

    use super::*;

    #[test]
    fn every_column_goes_where_its_user_goes_and_rows_keep_their_order() {
        let types = [DataType::Int8, DataType::UInt16, DataType::Date32, DataType::Float64, DataType::Decimal128(9, 0)];
        let mut fields = vec![Field::new("user_id", DataType::Int64, true), Field::new("row", DataType::Int64, true)];
        fields.extend(types.iter().map(|data_type| Field::new(data_type.to_string(), data_type.clone(), true)));
        fields.push(Field::new("text", DataType::Utf8, true));
        let schema = Arc::new(Schema::new(fields));
        let keys: Arc<[Arc<dyn PhysicalExpr>]> = Arc::new([Arc::new(Column::new("user_id", 0)) as _]);
        let buckets = Buckets::new(2, None);
        for has_nulls in [false, true] {
            let mut builder = Builder::new(Arc::clone(&schema), Arc::clone(&keys), buckets);
            assert!(builder.finish().unwrap().is_none());
            for start in [0i64, 500, 1_000] {
                let rows = Int64Array::from_iter_values(start..start + 500);
                let users = rows.iter().map(|row| row.map(|row| row * 31 % 97));
                let users: ArrayRef =
                    Arc::new(users.map(|user| user.filter(|user| !has_nulls || user % 5 > 0)).collect::<Int64Array>());
                let small: Int64Array =
                    users.as_primitive::<Int64Type>().iter().map(|user| user.map(|user| user % 50)).collect();
                let mut columns = vec![users, Arc::new(rows) as ArrayRef];
                columns.extend(
                    types.iter().map(|data_type| cast(&cast(&small, &DataType::Int32).unwrap(), data_type).unwrap()),
                );
                columns.push(Arc::new(
                    small.iter().map(|user| user.map(|user| user.to_string())).collect::<StringArray>(),
                ));
                // A part of an array, as scans give them.
                let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap().slice(100, 300);
                builder.add(batch).unwrap();
            }
            assert!(builder.bytes() > 900 * 8);
            let block = Arc::new(builder.finish().unwrap().unwrap());
            let counts = (0..buckets.count()).map(|bucket| block.row_count(bucket)).collect::<Vec<_>>();
            assert_eq!(counts.iter().sum::<usize>(), 900);
            assert_eq!(Block::rows_of(&[Arc::clone(&block)], &(0..buckets.count())).unwrap().num_rows(), 900);
            for bucket in 0..buckets.count() {
                let rows = Block::rows_of(&[Arc::clone(&block)], &(bucket..bucket + 1)).unwrap();
                let mut expected = vec![0; rows.num_rows()];
                buckets.of_rows(&[Arc::clone(rows.column(0))], &mut expected).unwrap();
                assert!(expected.iter().all(|of_row| *of_row == bucket as u64));
                let order = rows.column(1).as_primitive::<Int64Type>().values();
                assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{order:?}");
                for column in 2..schema.fields().len() {
                    let values = cast(rows.column(column), &DataType::Int64).unwrap();
                    let users = rows.column(0).as_primitive::<Int64Type>().iter();
                    let expected = users.map(|user| user.map(|user| user % 50)).collect::<Int64Array>();
                    assert_eq!(values.as_primitive::<Int64Type>(), &expected, "{}", schema.field(column).name());
                }
            }
            assert!(builder.finish().unwrap().is_none());
        }
    }
}
