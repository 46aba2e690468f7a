//! The same tags in every kind of column.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListArray, ListBuilder, ListViewArray, MapArray, StringArray, StringBuilder,
    StringViewArray, StructArray, UInt32Array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Field};

/// The tags of a row, with NULLs among them; `None` for NULL.
pub type Row<'a> = Option<Vec<Option<&'a str>>>;

/// A row of these tags.
pub fn row<'a>(tags: &[&'a str]) -> Row<'a> {
    Some(tags.iter().copied().map(Some).collect())
}

/// The rows in every encoding that a table may have, with its name.
///
/// Lists of one length are padded with NULLs, texts and maps leave out NULLs among tags: the answers are the same.
pub fn every_encoding(rows: &[Row]) -> Vec<(String, ArrayRef)> {
    let texts = [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        keyed(DataType::Int8, DataType::Utf8),
        keyed(DataType::UInt32, DataType::LargeUtf8),
    ];
    let plain = lists(rows);
    let mut columns = vec![];
    for text in &texts {
        let item = Arc::new(Field::new_list_field(text.clone(), true));
        for list in [
            DataType::List(Arc::clone(&item)),
            DataType::LargeList(Arc::clone(&item)),
            DataType::ListView(Arc::clone(&item)),
            DataType::LargeListView(Arc::clone(&item)),
        ] {
            columns.push(cast(&plain, &list).unwrap());
        }
        let longest = rows.iter().flatten().map(Vec::len).max().unwrap_or_default().max(1);
        let padded: Vec<Row> = rows
            .iter()
            .map(|row| {
                let mut row = row.clone()?;
                row.resize(longest, None);
                Some(row)
            })
            .collect();
        columns.push(cast(&lists(&padded), &DataType::FixedSizeList(item, longest as i32)).unwrap());
        columns.push(cast(&delimited(rows), text).unwrap());
    }
    columns.push(backwards(&plain));
    let keys: Vec<Option<Vec<&str>>> =
        rows.iter().map(|row| Some(row.as_ref()?.iter().copied().flatten().collect())).collect();
    let entry_count = keys.iter().flatten().map(Vec::len).sum();
    columns.push(maps(&keys, Arc::new(Int64Array::new_null(entry_count))));
    columns.into_iter().map(|column| (column.data_type().to_string(), column)).collect()
}

fn keyed(key: DataType, value: DataType) -> DataType {
    DataType::Dictionary(Box::new(key), Box::new(value))
}

/// Lists of text.
pub fn lists(rows: &[Row]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        match row {
            Some(tags) => lists.append_value(tags.iter().copied()),
            None => lists.append_null(),
        }
    }
    Arc::new(lists.finish())
}

/// Views whose rows lie in the items in the opposite order, which lists cannot do.
fn backwards(plain: &ArrayRef) -> ArrayRef {
    let plain: &ListArray = plain.as_list();
    let last_first: UInt32Array = (0..plain.len() as u32).rev().collect();
    let reversed = take(plain, &last_first, None).unwrap();
    let reversed: &ListArray = reversed.as_list();
    let offsets = reversed.value_offsets();
    let starts: Vec<i32> = (0..plain.len()).rev().map(|row| offsets[row]).collect();
    let sizes: Vec<i32> = (0..plain.len()).rev().map(|row| offsets[row + 1] - offsets[row]).collect();
    Arc::new(ListViewArray::new(
        Arc::new(Field::new_list_field(DataType::Utf8, true)),
        starts.into(),
        sizes.into(),
        Arc::clone(reversed.values()),
        plain.nulls().cloned(),
    ))
}

/// Texts of tags joined by commas.
pub fn delimited(rows: &[Row]) -> ArrayRef {
    let join = |tags: &Vec<Option<&str>>| tags.iter().copied().flatten().collect::<Vec<_>>().join(", ");
    Arc::new(rows.iter().map(|row| row.as_ref().map(join)).collect::<StringViewArray>())
}

/// Maps with these keys; the values are those of all entries, one after the other.
pub fn maps(keys: &[Option<Vec<&str>>], values: ArrayRef) -> ArrayRef {
    let all: StringArray = keys.iter().flatten().flatten().copied().map(Some).collect();
    let fields = [Field::new("key", DataType::Utf8, false), Field::new("value", values.data_type().clone(), true)];
    let entries = StructArray::new(fields.to_vec().into(), vec![Arc::new(all), values], None);
    let offsets = OffsetBuffer::from_lengths(keys.iter().map(|keys| keys.as_ref().map_or(0, Vec::len)));
    let nulls: NullBuffer = keys.iter().map(Option::is_some).collect();
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    Arc::new(MapArray::new(field, offsets, entries, Some(nulls), false))
}
