//! How much memory values take.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::DataType;

/// Bytes of the values of some rows, not of what they are a part of: a batch may be a piece of a larger one, and hold a
/// view into the pages that it was read from.
pub fn batch_bytes(rows: &RecordBatch) -> usize {
    rows.columns().iter().map(value_bytes).sum()
}

/// Bytes of the values of a column, texts of views and items of lists with them.
pub fn value_bytes(column: &ArrayRef) -> usize {
    let offsets = |width: usize| (column.len() + 1) * width;
    match column.data_type() {
        DataType::Utf8View => size_of::<u128>() * column.len() + column.as_string_view().total_buffer_bytes_used(),
        DataType::BinaryView => size_of::<u128>() * column.len() + column.as_binary_view().total_buffer_bytes_used(),
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            offsets(size_of::<i32>()) + between(lists.values(), lists.value_offsets().iter().map(|end| *end as usize))
        }
        DataType::LargeList(_) => {
            let lists = column.as_list::<i64>();
            offsets(size_of::<i64>()) + between(lists.values(), lists.value_offsets().iter().map(|end| *end as usize))
        }
        DataType::Map(..) => {
            let maps = column.as_map();
            let entries = maps.entries().columns().iter();
            let ends = || maps.value_offsets().iter().map(|end| *end as usize);
            offsets(size_of::<i32>()) + entries.map(|entries| between(entries, ends())).sum::<usize>()
        }
        DataType::Struct(_) => column.as_struct().columns().iter().map(value_bytes).sum(),
        _ => {
            let data = column.to_data();
            data.get_slice_memory_size().unwrap_or_else(|_| data.get_array_memory_size())
        }
    }
}

/// Bytes of the items from the first offset to the last.
fn between(items: &ArrayRef, offsets: impl DoubleEndedIterator<Item = usize> + Clone) -> usize {
    let (first, last) = (offsets.clone().next().unwrap_or(0), offsets.clone().next_back().unwrap_or(0));
    value_bytes(&items.slice(first, last - first))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Int64Array, ListBuilder, StringViewArray, StringViewBuilder, StructArray};

    use super::*;

    #[test]
    fn texts_count_wherever_they_are() {
        let long = "x".repeat(1_000);
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec![long.as_str(), "short", &long]));
        assert_eq!(value_bytes(&texts), 3 * 16 + 2_000);
        assert_eq!(value_bytes(&texts.slice(1, 1)), 16);
        let mut lists = ListBuilder::new(StringViewBuilder::new());
        for items in [2, 0, 1] {
            (0..items).for_each(|_| lists.values().append_value(&long));
            lists.append(true);
        }
        let lists: ArrayRef = Arc::new(lists.finish());
        assert_eq!(value_bytes(&lists), 4 * 4 + 3 * 1_016);
        assert_eq!(value_bytes(&lists.slice(1, 2)), 3 * 4 + 1_016);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        assert_eq!(value_bytes(&numbers.slice(1, 2)), 16);
        let both = StructArray::try_from(vec![("text", texts), ("number", numbers)]).unwrap();
        assert_eq!(value_bytes(&(Arc::new(both) as ArrayRef).slice(0, 1)), 1_016 + 8);
    }
}
