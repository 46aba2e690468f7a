//! Array parameters, decoded a chunk of items at a time: what a client sends in two bytes takes no hundred here.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ListArray, new_empty_array, new_null_array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{CastOptions, cast_with_options, concat};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::scalar::ScalarValue;

use crate::engine::is_given_up;

/// Items that are values by themselves, before they become a part of an array.
const CHUNK: usize = 1024;

/// Why an array cannot be read.
#[derive(Debug)]
pub(super) enum Refused {
    /// Its numerics have more digits than one type has room for.
    Digits,
    Other(DataFusionError),
}

impl From<DataFusionError> for Refused {
    fn from(error: DataFusionError) -> Self {
        Self::Other(error)
    }
}

impl From<ArrowError> for Refused {
    fn from(error: ArrowError) -> Self {
        Self::Other(error.into())
    }
}

/// An array that is being read. Its items have the type of the first that is not NULL; numerics have the most digits
/// after the point that one of them has.
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
    pub(super) fn push(&mut self, item: Option<ScalarValue>) -> Result<(), Refused> {
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
            (Some(item_type), Some(item)) => match scales(item_type, &item.data_type()) {
                Some((scale, more)) if more > scale => {
                    self.end_chunk()?;
                    self.item_type = Some(item.data_type());
                    item
                }
                Some(_) => item.cast_to(item_type).map_err(|_| Refused::Digits)?,
                None => item.cast_to(item_type)?,
            },
        };
        self.chunk.push(item);
        if self.chunk.len() >= CHUNK { self.end_chunk() } else { Ok(()) }
    }

    /// The list of all items; of `or_else` where none of them says a type.
    pub(super) fn finish(mut self, or_else: &DataType) -> Result<ScalarValue, Refused> {
        self.end_chunk()?;
        let item_type = match self.item_type.take() {
            Some(item_type) => item_type,
            None => {
                self.done.push(new_null_array(or_else, self.nulls));
                or_else.clone()
            }
        };
        // Parts that were read before a number with more digits came.
        for part in self.done.iter_mut().filter(|part| *part.data_type() != item_type) {
            let options = CastOptions { safe: false, ..CastOptions::default() };
            *part = cast_with_options(part, &item_type, &options).map_err(|_| Refused::Digits)?;
        }
        let parts: Vec<&dyn Array> = self.done.iter().map(AsRef::as_ref).collect();
        let items = if parts.is_empty() { new_empty_array(&item_type) } else { concat(&parts)? };
        let field = Arc::new(Field::new_list_field(item_type, true));
        let list = ListArray::try_new(field, OffsetBuffer::from_lengths([items.len()]), items, None)?;
        Ok(ScalarValue::List(Arc::new(list)))
    }

    fn end_chunk(&mut self) -> Result<(), Refused> {
        if is_given_up() {
            return Err(DataFusionError::Execution("nobody waits for it any more".to_owned()).into());
        }
        if !self.chunk.is_empty() {
            self.done.push(ScalarValue::iter_to_array(self.chunk.drain(..))?);
        }
        Ok(())
    }
}

/// The digits after the point of two types of numerics.
fn scales(one: &DataType, other: &DataType) -> Option<(i8, i8)> {
    match (one, other) {
        (DataType::Decimal128(_, one), DataType::Decimal128(_, other)) => Some((*one, *other)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::Decimal128Type;

    use super::*;
    use crate::limits;

    fn numerics(items: impl IntoIterator<Item = Option<(i128, i8)>>) -> Result<(DataType, Vec<Option<i128>>), Refused> {
        let mut read = Items::new();
        for item in items {
            read.push(item.map(|(value, scale)| ScalarValue::Decimal128(Some(value), 38, scale)))?;
        }
        let ScalarValue::List(list) = read.finish(&DataType::Decimal128(38, 0))? else { panic!("a list") };
        let values = list.values().as_primitive::<Decimal128Type>();
        Ok((values.data_type().clone(), values.iter().collect()))
    }

    #[test]
    fn numerics_keep_the_digits_of_each() {
        let (item_type, values) = numerics([None, Some((1, 0)), Some((255, 2)), Some((35, 1)), None]).unwrap();
        assert_eq!(item_type, DataType::Decimal128(38, 2));
        assert_eq!(values, [None, Some(100), Some(255), Some(350), None]);
        let many = (0..3_000).map(|n| Some((n, if n < 2_500 { 0 } else { 3 })));
        let (item_type, values) = numerics(many).unwrap();
        assert_eq!(item_type, DataType::Decimal128(38, 3));
        assert_eq!((values[7], values[2_999]), (Some(7_000), Some(2_999)));
    }

    #[test]
    fn numerics_that_together_have_too_many_digits_are_refused() {
        let long = 10i128.pow(37);
        for items in [[Some((long, 0)), Some((1, 1)), Some((1, 2))], [Some((1, 2)), Some((long, 0)), None]] {
            assert!(matches!(numerics(items), Err(Refused::Digits)));
        }
        assert!(numerics([Some((long, 0)), Some((1, 0))]).is_ok());
    }

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
    fn short_items_take_no_more_than_is_asked_for_them() {
        let sent = "{1,NULL}".len() + "1,".len() * 100_000;
        let mut items = Items::new();
        for _ in 0..=100_000 {
            items.push(Some(ScalarValue::Decimal128(Some(1), 38, 0))).unwrap();
        }
        items.push(None).unwrap();
        let pieces: usize = items.done.iter().map(|piece| piece.get_array_memory_size()).sum();
        let ScalarValue::List(list) = items.finish(&DataType::Int32).unwrap() else { panic!("a list") };
        let taken = pieces + list.get_array_memory_size();
        assert!(taken <= sent * limits::VALUE_BYTES_PER_SENT_BYTE, "{taken} bytes for {sent}");
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
