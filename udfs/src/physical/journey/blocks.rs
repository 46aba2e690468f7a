//! Rows of an input, brought into the order of their buckets some at a time.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array, make_array,
};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::compute::{concat, take};
use datafusion::arrow::datatypes::{ArrowNativeType, DataType, SchemaRef};
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;

use super::buckets::Buckets;
use crate::bytes::batch_bytes;

/// Rows of a block: enough that a bucket has some hundreds of them, few enough that a column stays in a core's cache.
const BLOCK_ROWS: usize = 1 << 17;
const BLOCK_BYTES: usize = 16 << 20;

/// Rows of one input in the order of their buckets, and inside a bucket as they came.
pub(super) struct Block {
    rows: RecordBatch,
    /// Rows `ends[b - 1]` (0 for the first) up to `ends[b]` are those of bucket `b`.
    ends: Vec<usize>,
}

impl Block {
    /// The rows of some neighbouring buckets, without a copy.
    pub fn rows_of(&self, buckets: &Range<usize>) -> RecordBatch {
        let (start, end) = (self.start(buckets.start), self.start(buckets.end));
        self.rows.slice(start, end - start)
    }

    pub fn row_count(&self, bucket: usize) -> usize {
        self.start(bucket + 1) - self.start(bucket)
    }

    pub fn bytes(&self) -> usize {
        self.rows.get_array_memory_size() + self.ends.capacity() * size_of::<usize>()
    }

    fn start(&self, bucket: usize) -> usize {
        bucket.checked_sub(1).map_or(0, |last| self.ends[last])
    }
}

/// Collects batches until they make a block.
pub(super) struct Builder {
    schema: SchemaRef,
    keys: Arc<[Arc<dyn PhysicalExpr>]>,
    buckets: Buckets,
    waiting: Vec<RecordBatch>,
    waiting_bytes: usize,
    /// The bucket of every row that waits, then its place in the block; memory that every block uses again.
    places: Vec<u64>,
}

impl Builder {
    pub fn new(schema: SchemaRef, keys: Arc<[Arc<dyn PhysicalExpr>]>, buckets: Buckets) -> Self {
        Self { schema, keys, buckets, waiting: vec![], waiting_bytes: 0, places: vec![] }
    }

    pub fn add(&mut self, batch: RecordBatch) -> Result<()> {
        let known = self.places.len();
        self.places.resize(known + batch.num_rows(), 0);
        let keys = self.keys.iter().map(|key| key.evaluate(&batch)?.into_array(batch.num_rows()));
        self.buckets.of_rows(&keys.collect::<Result<Vec<_>>>()?, &mut self.places[known..])?;
        self.waiting_bytes += batch_bytes(&batch);
        self.waiting.push(batch);
        Ok(())
    }

    pub fn is_full(&self) -> bool {
        self.places.len() >= BLOCK_ROWS || self.waiting_bytes >= BLOCK_BYTES
    }

    /// Bytes of the batches that wait.
    pub fn bytes(&self) -> usize {
        self.waiting_bytes + self.places.capacity() * size_of::<u64>()
    }

    /// The rows that wait, as a block, if there are any.
    pub fn finish(&mut self) -> Result<Option<Block>> {
        if self.places.is_empty() {
            return Ok(None);
        }
        let ends = self.place();
        let columns = (0..self.schema.fields().len()).map(|index| self.column(index)).collect::<Result<Vec<_>>>()?;
        // No column where keys and arguments are constants.
        let options = RecordBatchOptions::new().with_row_count(Some(self.places.len()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.places.clear();
        Ok(Some(Block { rows, ends }))
    }

    /// Turns buckets into places, and gives where each bucket ends.
    fn place(&mut self) -> Vec<usize> {
        let mut ends = vec![0; self.buckets.count()];
        for &bucket in &self.places {
            ends[bucket as usize] += 1;
        }
        let mut total = 0;
        for end in &mut ends {
            total += std::mem::replace(end, total);
        }
        for place in &mut self.places {
            let end = &mut ends[*place as usize];
            *place = *end as u64;
            *end += 1;
        }
        ends
    }

    fn column(&self, index: usize) -> Result<ArrayRef> {
        let parts = self.waiting.iter().map(|batch| batch.column(index)).collect::<Vec<_>>();
        let data_type = parts[0].data_type();
        let has_nulls = parts.iter().any(|part| part.null_count() > 0);
        // Intervals are sixteen bytes too, of less alignment.
        let is_decimal = matches!(data_type, DataType::Decimal128(..));
        Ok(match data_type.primitive_width() {
            Some(1) if !has_nulls => self.scattered::<u8>(data_type, &parts)?,
            Some(2) if !has_nulls => self.scattered::<u16>(data_type, &parts)?,
            Some(4) if !has_nulls => self.scattered::<u32>(data_type, &parts)?,
            Some(8) if !has_nulls => self.scattered::<u64>(data_type, &parts)?,
            Some(16) if !has_nulls && is_decimal => self.scattered::<i128>(data_type, &parts)?,
            _ => self.taken(&parts)?,
        })
    }

    /// Puts every value in its place; for values of one width and without NULL.
    fn scattered<T: ArrowNativeType>(&self, data_type: &DataType, parts: &[&ArrayRef]) -> Result<ArrayRef> {
        let mut placed = vec![T::default(); self.places.len()];
        let mut places = self.places.iter();
        for part in parts {
            let data = part.to_data();
            for (&value, &place) in data.buffer::<T>(0)[..data.len()].iter().zip(&mut places) {
                placed[place as usize] = value;
            }
        }
        let data = ArrayData::builder(data_type.clone()).len(placed.len()).add_buffer(Buffer::from_vec(placed));
        Ok(make_array(data.build()?))
    }

    /// The same for every type.
    fn taken(&self, parts: &[&ArrayRef]) -> Result<ArrayRef> {
        let mut rows = vec![0; self.places.len()];
        for (row, &place) in (0..).zip(&self.places) {
            rows[place as usize] = row;
        }
        let parts = parts.iter().map(|part| part.as_ref()).collect::<Vec<&dyn Array>>();
        compacted(take(&concat(&parts)?, &UInt32Array::from(rows), None)?)
    }
}

/// Text in buffers of its own: a view into the pages that it was decoded from would keep all of them.
fn compacted(column: ArrayRef) -> Result<ArrayRef> {
    Ok(match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => column,
    })
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Int64Array, StringArray};
    use datafusion::arrow::compute::cast;
    use datafusion::arrow::datatypes::{Field, Int64Type, Schema};
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
        let buckets = Buckets::new(2);
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
            let block = builder.finish().unwrap().unwrap();
            let counts = (0..buckets.count()).map(|bucket| block.row_count(bucket)).collect::<Vec<_>>();
            assert_eq!(counts.iter().sum::<usize>(), 900);
            assert_eq!(block.rows_of(&(0..buckets.count())).num_rows(), 900);
            for bucket in 0..buckets.count() {
                let rows = block.rows_of(&(bucket..bucket + 1));
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
