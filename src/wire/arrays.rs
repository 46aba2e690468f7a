//! Array parameters, decoded a chunk of items at a time: what a client sends in two bytes takes no hundred here.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ListArray, new_empty_array, new_null_array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::error::{DataFusionError, Result as PlanResult};
use datafusion::scalar::ScalarValue;

use crate::engine::is_given_up;

/// Items that are values by themselves, before they become a part of an array.
const CHUNK: usize = 1024;

/// An array that is being read. Its items have the type of the first that is not NULL.
pub(super) struct Items {
    item_type: Option<DataType>,
    /// NULLs before the type was known.
    nulls: usize,
    chunk: Vec<ScalarValue>,
    done: Vec<ArrayRef>,
}

impl Items {
    pub(super) fn new() -> Self {
        Self { item_type: None, nulls: 0, chunk: vec![], done: vec![] }
    }

    /// Takes the next item.
    pub(super) fn push(&mut self, item: Option<ScalarValue>) -> PlanResult<()> {
        let item = match (&self.item_type, item) {
            (None, None) => {
                self.nulls += 1;
                return Ok(());
            }
            (None, Some(item)) => {
                let item_type = item.data_type();
                if self.nulls > 0 {
                    self.done.push(new_null_array(&item_type, self.nulls));
                }
                self.item_type = Some(item_type);
                item
            }
            (Some(item_type), None) => ScalarValue::try_from(item_type)?,
            (Some(item_type), Some(item)) if item.data_type() == *item_type => item,
            (Some(item_type), Some(item)) => item.cast_to(item_type)?,
        };
        self.chunk.push(item);
        if self.chunk.len() >= CHUNK { self.end_chunk() } else { Ok(()) }
    }

    /// The list of all items; of `or_else` where none of them says a type.
    pub(super) fn finish(mut self, or_else: &DataType) -> PlanResult<ScalarValue> {
        self.end_chunk()?;
        let item_type = match self.item_type.take() {
            Some(item_type) => item_type,
            None => {
                self.done.push(new_null_array(or_else, self.nulls));
                or_else.clone()
            }
        };
        let parts: Vec<&dyn Array> = self.done.iter().map(AsRef::as_ref).collect();
        let items = if parts.is_empty() { new_empty_array(&item_type) } else { concat(&parts)? };
        let field = Arc::new(Field::new_list_field(item_type, true));
        let list = ListArray::try_new(field, OffsetBuffer::from_lengths([items.len()]), items, None)?;
        Ok(ScalarValue::List(Arc::new(list)))
    }

    fn end_chunk(&mut self) -> PlanResult<()> {
        if is_given_up() {
            return Err(DataFusionError::Execution("nobody waits for it any more".to_owned()));
        }
        if !self.chunk.is_empty() {
            self.done.push(ScalarValue::iter_to_array(self.chunk.drain(..))?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_arrays_take_little_more_than_their_items() {
        let mut items = Items::new();
        for n in 0..10_000 {
            let item = (n % 3 > 0).then_some(ScalarValue::Int32(Some(n)));
            items.push(item).unwrap();
        }
        let ScalarValue::List(list) = items.finish(&DataType::Int32).unwrap() else { panic!("a list") };
        assert_eq!((list.len(), list.values().len(), list.values().null_count()), (1, 10_000, 3334));
        assert!(list.get_array_memory_size() < 10_000 * 8, "{}", list.get_array_memory_size());
    }

    #[test]
    fn nulls_alone_have_the_type_of_the_parameter() {
        let read = |items: Items, or_else: &DataType| {
            let ScalarValue::List(list) = items.finish(or_else).unwrap() else { panic!("a list") };
            (list.values().len(), list.values().null_count(), list.values().data_type().clone())
        };
        let mut items = Items::new();
        items.push(None).unwrap();
        assert_eq!(read(items, &DataType::Int64), (1, 1, DataType::Int64));
        assert_eq!(read(Items::new(), &DataType::Utf8), (0, 0, DataType::Utf8));
    }
}
