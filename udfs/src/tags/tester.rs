//! A compiled expression over columns of tags.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, MapArray, OffsetSizeTrait, StringArrayType};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use tributary_core::tags::{Atom, Case, Program};

use super::DOC;
use crate::error::{UserError, sqlstate};
use crate::step_mask::Lookup;

/// An expression, ready to be asked of any number of rows, and of any number of threads.
#[derive(Debug)]
pub(super) struct Tester {
    expression: String,
    program: Program,
    /// The bits of each tag, where the expression asks for whole tags and nothing else.
    lookup: Option<Lookup>,
}

impl PartialEq for Tester {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression && self.program.case() == other.program.case()
    }
}

impl Eq for Tester {}

impl Hash for Tester {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expression.hash(state);
        self.program.case().hash(state);
    }
}

/// Runs a body with the texts of an array, whatever their encoding.
macro_rules! with_texts {
    ($array:expr, $texts:ident => $body:expr) => {
        match $array.data_type() {
            DataType::Utf8 => {
                let $texts = $array.as_string::<i32>();
                $body
            }
            DataType::LargeUtf8 => {
                let $texts = $array.as_string::<i64>();
                $body
            }
            DataType::Utf8View => {
                let $texts = $array.as_string_view();
                $body
            }
            other => return internal_err!("tags of type {other} passed the check of types"),
        }
    };
}

impl Tester {
    /// Compiles an expression.
    ///
    /// # Errors
    /// 22023 with the place in the expression, what is wrong there and what to write instead.
    pub fn compile(expression: &str, case: Case) -> Result<Self, UserError> {
        let program = Program::compile(expression, case).map_err(|error| {
            let message = format!("{}: argument 'expression', {error}, in '{}'", DOC.name, shorten(expression));
            let told = UserError::new(sqlstate::INVALID_PARAMETER_VALUE, message);
            match error.hint() {
                Some(hint) => told.with_hint(as_sentence(&hint)),
                None => told,
            }
        })?;
        Ok(Self { expression: expression.to_string(), lookup: lookup(&program), program })
    }

    /// The answer of every row that has tags at all, where it is one and the same.
    pub fn constant(&self) -> Option<bool> {
        self.program.constant()
    }

    /// The answer of each row; NULL where the tags are NULL.
    pub fn test(&self, tags: &ArrayRef) -> Result<BooleanArray> {
        if let Some(answer) = self.constant() {
            let answers =
                if answer { BooleanBuffer::new_set(tags.len()) } else { BooleanBuffer::new_unset(tags.len()) };
            return Ok(BooleanArray::new(answers, tags.logical_nulls()));
        }
        let rows = tags.len();
        let answers = match tags.data_type() {
            DataType::Null => return Ok(BooleanArray::new_null(rows)),
            DataType::Dictionary(_, _) => return self.test_dictionary(tags),
            DataType::List(_) => {
                let lists = tags.as_list::<i32>();
                self.test_lists(lists.values(), lists.value_offsets())?
            }
            DataType::LargeList(_) => {
                let lists = tags.as_list::<i64>();
                self.test_lists(lists.values(), lists.value_offsets())?
            }
            DataType::FixedSizeList(_, _) => {
                let lists = tags.as_fixed_size_list();
                let size = usize::try_from(lists.value_length()).unwrap_or_default();
                self.test_spans(lists.values(), 0..rows * size, rows, |row| row * size..(row + 1) * size)?
            }
            DataType::ListView(_) => {
                let lists = tags.as_list_view::<i32>();
                self.test_views(lists.values(), lists.value_offsets(), lists.value_sizes())?
            }
            DataType::LargeListView(_) => {
                let lists = tags.as_list_view::<i64>();
                self.test_views(lists.values(), lists.value_offsets(), lists.value_sizes())?
            }
            DataType::Map(_, _) => self.test_maps(tags.as_map())?,
            _ => with_texts!(tags, texts => self.test_delimited(texts)),
        };
        Ok(BooleanArray::new(answers, tags.logical_nulls()))
    }

    /// Once per value of the dictionary, unless more of them are unused than used.
    fn test_dictionary(&self, tags: &ArrayRef) -> Result<BooleanArray> {
        let dictionary = tags.as_any_dictionary();
        let (keys, values) = (dictionary.keys(), dictionary.values());
        if values.len() > keys.len() {
            return self.test(&take(values, keys, None)?);
        }
        Ok(take(&self.test(values)?, keys, None)?.as_boolean().clone())
    }

    fn test_delimited<'a>(&self, texts: impl StringArrayType<'a>) -> BooleanBuffer {
        let mut matcher = self.program.matcher();
        BooleanBuffer::collect_bool(texts.len(), |row| {
            matcher.reset();
            if texts.is_valid(row) {
                matcher.see_delimited(texts.value(row));
            }
            matcher.matches()
        })
    }

    fn test_maps(&self, maps: &MapArray) -> Result<BooleanBuffer> {
        let offsets = maps.value_offsets();
        let (first, last) = ends(offsets);
        let texts = |entries: &ArrayRef| cast(&entries.slice(first, last - first), &DataType::Utf8View);
        let (keys, values) = (texts(maps.keys())?, texts(maps.values())?);
        let (keys, values) = (keys.as_string_view(), values.as_string_view());
        let mut matcher = self.program.matcher();
        Ok(BooleanBuffer::collect_bool(maps.len(), |row| {
            matcher.reset();
            for entry in span(offsets, row) {
                let entry = entry - first;
                let value = values.is_valid(entry).then(|| values.value(entry));
                matcher.see_pair(keys.value(entry), value);
            }
            matcher.matches()
        }))
    }

    fn test_lists<O: OffsetSizeTrait>(&self, items: &ArrayRef, offsets: &[O]) -> Result<BooleanBuffer> {
        let (first, last) = ends(offsets);
        self.test_spans(items, first..last, offsets.len().saturating_sub(1), |row| span(offsets, row))
    }

    fn test_views<O: OffsetSizeTrait>(&self, items: &ArrayRef, starts: &[O], sizes: &[O]) -> Result<BooleanBuffer> {
        let span = |row: usize| starts[row].as_usize()..starts[row].as_usize() + sizes[row].as_usize();
        let used = (0..starts.len()).map(span).filter(|span| !span.is_empty());
        let used = used.reduce(|all, span| all.start.min(span.start)..all.end.max(span.end)).unwrap_or_default();
        let first = used.start;
        // An empty list may point anywhere, also outside of what is used.
        self.test_spans(items, used, starts.len(), |row| match sizes[row].as_usize() {
            0 => first..first,
            _ => span(row),
        })
    }

    /// Rows whose tags are spans of one array, all of them inside `used`.
    fn test_spans(
        &self,
        items: &ArrayRef,
        used: Range<usize>,
        rows: usize,
        span: impl Fn(usize) -> Range<usize>,
    ) -> Result<BooleanBuffer> {
        let items = items.slice(used.start, used.len());
        let span = |row| {
            let span = span(row);
            span.start - used.start..span.end - used.start
        };
        if self.program.word_count() > 1 {
            return self.test_wide(&items, rows, span);
        }
        let item_bits = self.item_bits(&items)?;
        Ok(BooleanBuffer::collect_bool(rows, |row| {
            let bits = item_bits[span(row)].iter().fold(0, |all, bits| all | bits);
            self.program.evaluate(&[bits])
        }))
    }

    /// Rows of expressions with so many conditions that keeping the bits of every tag would cost more than it saves.
    fn test_wide(&self, items: &ArrayRef, rows: usize, span: impl Fn(usize) -> Range<usize>) -> Result<BooleanBuffer> {
        let items = cast(items, &DataType::Utf8View)?;
        let items = items.as_string_view();
        let mut matcher = self.program.matcher();
        Ok(BooleanBuffer::collect_bool(rows, |row| {
            matcher.reset();
            for item in span(row).filter(|&item| items.is_valid(item)) {
                matcher.see(items.value(item));
            }
            matcher.matches()
        }))
    }

    /// The conditions that each tag meets, as bits; none for a NULL.
    fn item_bits(&self, items: &ArrayRef) -> Result<Vec<u64>> {
        match (items.data_type(), &self.lookup) {
            (DataType::Null, _) => Ok(vec![0; items.len()]),
            (DataType::Dictionary(_, _), _) => self.dictionary_bits(items),
            (_, Some(lookup)) => lookup.masks(items),
            (_, None) => Ok(with_texts!(items, texts => self.text_bits(texts))),
        }
    }

    fn text_bits<'a>(&self, texts: impl StringArrayType<'a>) -> Vec<u64> {
        let mut matcher = self.program.matcher();
        let bits = |item| if texts.is_valid(item) { matcher.tag_bits(texts.value(item))[0] } else { 0 };
        (0..texts.len()).map(bits).collect()
    }

    /// As [`Self::test_dictionary`].
    fn dictionary_bits(&self, items: &ArrayRef) -> Result<Vec<u64>> {
        let dictionary = items.as_any_dictionary();
        let values = dictionary.values();
        if values.len() > items.len() || values.is_empty() {
            return self.item_bits(&take(values, dictionary.keys(), None)?);
        }
        let value_bits = self.item_bits(values)?;
        let mut bits: Vec<u64> = dictionary.normalized_keys().into_iter().map(|key| value_bits[key]).collect();
        if let Some(nulls) = dictionary.keys().nulls() {
            bits.iter_mut().zip(nulls).filter(|(_, is_valid)| !is_valid).for_each(|(bits, _)| *bits = 0);
        }
        Ok(bits)
    }
}

/// Whole tags are looked up together, if case matters and few are long: the look-up compares long ones one by one.
fn lookup(program: &Program) -> Option<Lookup> {
    const MOST_LONG_TAGS: usize = 4;
    if program.case() == Case::Insensitive || program.word_count() > 1 {
        return None;
    }
    let mut masks = BTreeMap::new();
    for (bit, atom) in program.atoms().iter().enumerate() {
        let Atom::Tag(tag) = atom else { return None };
        masks.insert(tag.clone(), 1 << bit);
    }
    let lookup = Lookup::new(masks);
    (lookup.long_count() <= MOST_LONG_TAGS).then_some(lookup)
}

/// Where the first of the lists begins and the last ends.
fn ends<O: OffsetSizeTrait>(offsets: &[O]) -> (usize, usize) {
    match offsets {
        [first, .., last] => (first.as_usize(), last.as_usize()),
        _ => (0, 0),
    }
}

#[inline]
fn span<O: OffsetSizeTrait>(offsets: &[O], row: usize) -> Range<usize> {
    offsets[row].as_usize()..offsets[row + 1].as_usize()
}

/// The beginning of an expression, for messages.
fn shorten(expression: &str) -> String {
    const MOST_CHARS: usize = 80;
    match expression.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{}...", &expression[..end]),
        None => expression.to_string(),
    }
}

/// With a capital and a full stop.
fn as_sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let stop = if words.ends_with('.') { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}
