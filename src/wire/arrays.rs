//! Array parameters, decoded a chunk of items at a time: what a client sends in two bytes takes no hundred here.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ListArray, new_empty_array, new_null_array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::error::Result as PlanResult;
use datafusion::scalar::ScalarValue;

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
        if !self.chunk.is_empty() {
            self.done.push(ScalarValue::iter_to_array(self.chunk.drain(..))?);
        }
        Ok(())
    }
}

/// What is wrong with a text that is no array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoArray;

/// `{a,"b c",NULL}` as its items, `None` for NULL: one dimension, as PostgreSQL writes it.
pub(super) fn items(text: &str) -> impl Iterator<Item = Result<Option<Cow<'_, str>>, NoArray>> {
    let inner = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let mut rest = match inner {
        Some(inner) if inner.trim().is_empty() => Ok(None),
        Some(inner) => Ok(Some(inner)),
        None => Err(NoArray),
    };
    std::iter::from_fn(move || match rest {
        Ok(None) => None,
        Err(error) => {
            rest = Ok(None);
            Some(Err(error))
        }
        Ok(Some(text)) => Some(match item(text) {
            Some((item, after)) => {
                rest = Ok(after);
                Ok(item)
            }
            None => {
                rest = Ok(None);
                Err(NoArray)
            }
        }),
    })
}

/// The first item of a text, and what follows the comma behind it, if there is one.
fn item(text: &str) -> Option<(Option<Cow<'_, str>>, Option<&str>)> {
    let text = text.trim_start();
    let (item, after) = match text.strip_prefix('"') {
        Some(quoted) => {
            let (item, after) = until(quoted, |c| c == '"', |_| false)?;
            (Some(item), after.strip_prefix('"')?)
        }
        None => {
            let (item, after) = until(text, |c| c == ',', |c| matches!(c, '{' | '}' | '"'))?;
            let item = match item {
                Cow::Borrowed(item) => Cow::Borrowed(item.trim_end()),
                // A blank that a backslash stands before is a part of the item.
                Cow::Owned(item) => Cow::Owned(item),
            };
            let is_null = matches!(&item, Cow::Borrowed(item) if item.eq_ignore_ascii_case("null"));
            // Nothing between two commas is no item.
            if item.is_empty() {
                return None;
            }
            ((!is_null).then_some(item), after)
        }
    };
    let after = after.trim_start();
    match after.strip_prefix(',') {
        Some(after) => Some((item, Some(after))),
        None => after.is_empty().then_some((item, None)),
    }
}

/// The text up to the first character that ends it, backslashes taken off; `None` at one that may not be there.
fn until(text: &str, ends: impl Fn(char) -> bool, is_wrong: impl Fn(char) -> bool) -> Option<(Cow<'_, str>, &str)> {
    let mut owned: Option<String> = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if ends(c) {
            let item = owned.map_or(Cow::Borrowed(&text[..at]), Cow::Owned);
            return Some((item, &text[at..]));
        }
        if is_wrong(c) {
            return None;
        }
        if c == '\\' {
            let (_, escaped) = chars.next()?;
            owned.get_or_insert_with(|| text[..at].to_owned()).push(escaped);
        } else if let Some(owned) = &mut owned {
            owned.push(c);
        }
    }
    Some((owned.map_or(Cow::Borrowed(text), Cow::Owned), ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<Option<String>>, NoArray> {
        items(text).map(|item| item.map(|item| item.map(Cow::into_owned))).collect()
    }

    fn some(items: &[&str]) -> Result<Vec<Option<String>>, NoArray> {
        Ok(items.iter().map(|item| Some((*item).to_owned())).collect())
    }

    #[test]
    fn arrays_are_read_as_postgresql_reads_them() {
        assert_eq!(read("{}"), Ok(vec![]));
        assert_eq!(read(" { } "), Ok(vec![]));
        assert_eq!(read(r#"{红茶, "a,\"b\"" ,c\,d}"#), some(&["红茶", "a,\"b\"", "c,d"]));
        assert_eq!(read(r#"{NULL,"NULL",null, a b }"#).map(|items| items[0].clone()), Ok(None));
        assert_eq!(read(r#"{"NULL", a b }"#), some(&["NULL", "a b"]));
        assert_eq!(read(r#"{"a\"b","c\\d",""}"#), some(&["a\"b", "c\\d", ""]));
        for wrong in ["", "a,b", "{a", "a}", "{{1},{2}}", "{a,}", "{,a}", "{a,,b}", "{\"a\"b}", "{a\"b}", "{a\\"] {
            assert_eq!(read(wrong), Err(NoArray), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_as_it_was(texts in proptest::collection::vec("\\PC*", 1..8)) {
            let quoted: Vec<String> =
                texts.iter().map(|t| format!("\"{}\"", t.replace('\\', "\\\\").replace('"', "\\\""))).collect();
            let expected: Vec<Option<String>> = texts.into_iter().map(Some).collect();
            prop_assert_eq!(read(&format!("{{{}}}", quoted.join(","))), Ok(expected));
        }
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
    fn nulls_alone_have_the_type_of_the_parameter() {
        let mut items = Items::new();
        items.push(None).unwrap();
        assert_eq!(items.finish(&DataType::Int64).unwrap().to_string(), "[NULL]".to_owned());
        assert_eq!(Items::new().finish(&DataType::Utf8).unwrap().to_string(), "[]".to_owned());
    }
}
