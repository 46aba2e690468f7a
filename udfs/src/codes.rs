//! Texts as small numbers: a log keeps a number for each channel, and each channel once; so does a block of rows.

use std::mem;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, GenericStringArray, OffsetSizeTrait, StringViewArray, UInt32Array,
    make_view,
};
use datafusion::arrow::buffer::{Buffer, NullBuffer};
use datafusion::arrow::compute::{SortOptions, take};
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::{HashMap, Result, internal_err};

/// A text of at most this many bytes is its own view.
const INLINE_BYTES: usize = 12;
const RECENT_BITS: u32 = 8;
/// So many look-ups are not worth the memory of [`Codes::recent`].
const FEW_LOOKUPS: usize = 64;
/// No view: its length exceeds what any text has.
const NO_VIEW: u128 = u128::MAX;
/// A value of a dictionary that was not looked up yet.
const UNKNOWN: u32 = u32::MAX;

/// A text that was met lately.
#[derive(Clone, Copy)]
struct Recent {
    /// All of a short text; length and first bytes of a long one.
    view: u128,
    code: u32,
}

/// Numbers texts in the order in which they are met, from 1; 0 is NULL.
pub(crate) struct Codes {
    numbers: HashMap<Arc<[u8]>, u32>,
    /// The text of number `n` stands at `n - 1`.
    texts: Vec<Arc<[u8]>>,
    text_bytes: usize,
    /// Texts met lately: most look-ups end here. Empty before the first [`FEW_LOOKUPS`].
    recent: Vec<Recent>,
    /// Look-ups of texts that were not met lately.
    lookups: usize,
    /// The texts in order, until another comes.
    ranked: Option<Arc<Ranked>>,
}

impl Codes {
    pub fn new() -> Self {
        Self { numbers: HashMap::default(), texts: vec![], text_bytes: 0, recent: vec![], lookups: 0, ranked: None }
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let pointers = self.numbers.capacity() * mem::size_of::<(Arc<[u8]>, u32)>()
            + self.texts.capacity() * mem::size_of::<Arc<[u8]>>();
        let ranks = if self.ranked.is_some() { 2 * self.texts.len() * mem::size_of::<u32>() } else { 0 };
        pointers + self.text_bytes + mem::size_of_val(self.recent.as_slice()) + ranks
    }

    /// The number of a text.
    pub fn code(&mut self, text: &[u8]) -> u32 {
        // A long text has a view that says where it is: here nowhere.
        self.viewed(make_view(text, 0, 0), || text)
    }

    /// The number of a text with this view; `text` is asked only where the view does not say it all.
    #[inline(always)]
    fn viewed<'a>(&mut self, view: u128, text: impl Fn() -> &'a [u8]) -> u32 {
        let is_short = view as u32 as usize <= INLINE_BYTES;
        // Of a long text length and first bytes, without where it is.
        let view = if is_short { view } else { u128::from(view as u64) };
        let folded = (view as u64).rotate_left(27) ^ (view >> 64) as u64;
        let slot = (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - RECENT_BITS)) as usize;
        if let Some(&Recent { view: known, code }) = self.recent.get(slot)
            && known == view
            && (is_short || self.text(code) == text())
        {
            return code;
        }
        let code = self.find(text());
        if self.recent.is_empty() && self.lookups > FEW_LOOKUPS {
            self.recent = vec![Recent { view: NO_VIEW, code: 0 }; 1 << RECENT_BITS];
        }
        if let Some(recent) = self.recent.get_mut(slot) {
            *recent = Recent { view, code };
        }
        code
    }

    fn find(&mut self, text: &[u8]) -> u32 {
        self.lookups += 1;
        if let Some(&code) = self.numbers.get(text) {
            return code;
        }
        self.ranked = None;
        let text: Arc<[u8]> = text.into();
        self.text_bytes += text.len() + 2 * mem::size_of::<usize>();
        self.texts.push(Arc::clone(&text));
        let code = self.texts.len() as u32;
        self.numbers.insert(text, code);
        code
    }

    /// Appends the number of each of the rows of a column of text.
    pub fn read(
        &mut self,
        column: &ArrayRef,
        rows: impl ExactSizeIterator<Item = usize>,
        codes: &mut Vec<u32>,
    ) -> Result<()> {
        match column.data_type() {
            DataType::Utf8View => {
                let column = column.as_string_view();
                let views = column.views();
                for row in rows {
                    codes.push(if column.is_null(row) {
                        0
                    } else {
                        self.viewed(views[row], || column.value(row).as_bytes())
                    });
                }
            }
            DataType::BinaryView => {
                let column = column.as_binary_view();
                for row in rows {
                    codes.push(if column.is_null(row) { 0 } else { self.code(column.value(row)) });
                }
            }
            DataType::Utf8 => self.read_strings(column.as_string::<i32>(), rows, codes),
            DataType::LargeUtf8 => self.read_strings(column.as_string::<i64>(), rows, codes),
            DataType::Dictionary(..) => self.read_dictionary(column, rows, codes)?,
            DataType::Null => codes.extend(rows.map(|_| 0)),
            other => return internal_err!("a channel of type {other} passed the check of types"),
        }
        Ok(())
    }

    fn read_strings<O: OffsetSizeTrait>(
        &mut self,
        column: &GenericStringArray<O>,
        rows: impl Iterator<Item = usize>,
        codes: &mut Vec<u32>,
    ) {
        for row in rows {
            codes.push(if column.is_null(row) { 0 } else { self.code(column.value(row).as_bytes()) });
        }
    }

    /// Looks every value up once that some row has.
    fn read_dictionary(
        &mut self,
        column: &ArrayRef,
        rows: impl ExactSizeIterator<Item = usize>,
        codes: &mut Vec<u32>,
    ) -> Result<()> {
        let Some(dictionary) = column.as_any_dictionary_opt().filter(|column| !column.values().is_empty()) else {
            codes.extend(rows.map(|_| 0));
            return Ok(());
        };
        let values = dictionary.values();
        // The keys that readers give need no copy.
        if let Some(keys) = dictionary.keys().as_primitive_opt::<Int32Type>() {
            return self.read_keyed(keys.nulls(), |row| keys.value(row) as usize, values, rows, codes);
        }
        let keys = dictionary.normalized_keys();
        self.read_keyed(dictionary.keys().nulls(), |row| keys[row], values, rows, codes)
    }

    fn read_keyed(
        &mut self,
        nulls: Option<&NullBuffer>,
        key_of: impl Fn(usize) -> usize,
        values: &ArrayRef,
        rows: impl ExactSizeIterator<Item = usize>,
        codes: &mut Vec<u32>,
    ) -> Result<()> {
        let mut known = if values.len() <= rows.len() { vec![UNKNOWN; values.len()] } else { vec![] };
        for row in rows {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                codes.push(0);
                continue;
            }
            let key = key_of(row);
            if known.get(key).is_none_or(|&code| code == UNKNOWN) {
                self.read(values, std::iter::once(key), codes)?;
                if let (Some(known), Some(&code)) = (known.get_mut(key), codes.last()) {
                    *known = code;
                }
            } else {
                codes.push(known[key]);
            }
        }
        Ok(())
    }

    /// The texts by number.
    pub fn labels(&self) -> Labels {
        Labels::new(self.texts.iter())
    }

    /// The texts in the order of their bytes, which for UTF-8 is that of their letters.
    pub fn ranked(&mut self) -> Arc<Ranked> {
        if let Some(ranked) = &self.ranked {
            return Arc::clone(ranked);
        }
        let mut order: Vec<u32> = (1..=self.texts.len() as u32).collect();
        order.sort_unstable_by_key(|&code| &self.texts[code as usize - 1]);
        let mut ranks = vec![0; self.texts.len() + 1];
        for (rank, &code) in (1..).zip(&order) {
            ranks[code as usize] = rank;
        }
        let ranked = Arc::new(Ranked { ranks, order });
        self.ranked = Some(Arc::clone(&ranked));
        ranked
    }

    /// The number of a text that some row has.
    pub fn known(&self, text: &str) -> Option<u32> {
        self.numbers.get(text.as_bytes()).copied()
    }

    /// The text of a number; empty for 0.
    pub fn text(&self, code: u32) -> &[u8] {
        (code as usize).checked_sub(1).and_then(|index| self.texts.get(index)).map_or(&[], |text| text)
    }
}

/// The order of texts that were numbered as they came.
pub(crate) struct Ranked {
    /// For each number its rank from 1; rank 0 is NULL.
    pub ranks: Vec<u32>,
    /// The numbers in order.
    order: Vec<u32>,
}

impl Ranked {
    /// The texts by rank.
    pub fn labels(&self, codes: &Codes) -> Labels {
        Labels::new(self.order.iter().map(|&code| &codes.texts[code as usize - 1]))
    }
}

/// Texts written once, of which columns are made without a copy; a column refers to them from 1, and 0 is NULL.
pub(crate) struct Labels {
    views: Vec<u128>,
    buffers: Vec<Buffer>,
}

impl Labels {
    pub fn new<T: AsRef<[u8]>>(texts: impl Iterator<Item = T>) -> Self {
        let (mut views, mut blocks) = (vec![0], vec![vec![]]);
        for text in texts {
            let text = text.as_ref();
            if text.len() <= INLINE_BYTES {
                views.push(make_view(text, 0, 0));
                continue;
            }
            // A view reaches 2 GiB into its buffer.
            if blocks.last().is_none_or(|block: &Vec<u8>| block.len() + text.len() > i32::MAX as usize) {
                blocks.push(vec![]);
            }
            let index = blocks.len() - 1;
            views.push(make_view(text, index as u32, blocks[index].len() as u32));
            blocks[index].extend_from_slice(text);
        }
        Self { views, buffers: blocks.into_iter().map(Buffer::from).collect() }
    }

    fn views(&self, labels: &[u32]) -> (Vec<u128>, Option<NullBuffer>) {
        let views = labels.iter().map(|&label| self.views[label as usize]).collect();
        let nulls = labels.contains(&0).then(|| labels.iter().map(|&label| label > 0).collect());
        (views, nulls)
    }

    pub fn text_column(&self, labels: &[u32]) -> Result<ArrayRef> {
        let (views, nulls) = self.views(labels);
        Ok(Arc::new(StringViewArray::try_new(views.into(), self.buffers.clone(), nulls)?))
    }

    pub fn binary_column(&self, labels: &[u32]) -> Result<ArrayRef> {
        let (views, nulls) = self.views(labels);
        Ok(Arc::new(BinaryViewArray::try_new(views.into(), self.buffers.clone(), nulls)?))
    }
}

/// Values of any type as numbers, by way of bytes that sort as the values do, NULL last.
pub(crate) struct RowCodes {
    converter: RowConverter,
    pub codes: Codes,
}

impl RowCodes {
    pub fn new(data_type: &DataType) -> Result<Self> {
        Ok(Self { converter: RowConverter::new(vec![sort_field(data_type)])?, codes: Codes::new() })
    }

    /// Whether values of a type have such bytes.
    pub fn supports(data_type: &DataType) -> bool {
        RowConverter::supports_fields(&[sort_field(data_type)])
    }

    /// Appends the number of each of the rows of a column.
    pub fn read(&mut self, column: &ArrayRef, rows: &[u32], codes: &mut Vec<u32>) -> Result<()> {
        let taken = take(column, &UInt32Array::from(rows.to_vec()), None)?;
        for row in &self.converter.convert_columns(&[taken])? {
            codes.push(self.codes.code(row.as_ref()));
        }
        Ok(())
    }

    /// The values of these numbers; 0 is NULL.
    pub fn values(&self, codes: Vec<u32>) -> Result<ArrayRef> {
        let parser = self.converter.parser();
        let known = (1..=self.codes.len() as u32).map(|code| parser.parse(self.codes.text(code)));
        let Some(values) = self.converter.convert_rows(known)?.pop() else {
            return internal_err!("one column was made into rows, none came back");
        };
        let places: UInt32Array = codes.into_iter().map(|code| code.checked_sub(1)).collect();
        Ok(take(&values, &places, None)?)
    }

    pub fn bytes(&self) -> usize {
        self.converter.size() + self.codes.bytes()
    }
}

fn sort_field(data_type: &DataType) -> SortField {
    SortField::new_with_options(data_type.clone(), SortOptions { descending: false, nulls_first: false })
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{DictionaryArray, LargeStringArray, StringArray};
    use datafusion::arrow::datatypes::Int16Type;

    use super::*;

    /// Texts that share lengths and first bytes, short and long, and more of them than are kept at hand.
    fn texts() -> Vec<Option<String>> {
        let mut texts: Vec<Option<String>> = vec![None, Some(String::new()), Some("twelve_bytes".into())];
        for n in 0..600 {
            texts.push(Some(format!("c{n}")));
            texts.push(Some(format!("a_channel_with_a_long_name_{n}")));
            texts.push(Some("社交媒体广告投放平台".into()));
        }
        [texts.clone(), texts].concat()
    }

    #[test]
    fn every_encoding_gives_the_same_numbers() {
        let texts = texts();
        let mut known: Vec<&str> = vec![];
        let mut expected = vec![];
        for text in &texts {
            expected.push(text.as_deref().map_or(0, |text| match known.iter().position(|known| *known == text) {
                Some(place) => place as u32 + 1,
                None => {
                    known.push(text);
                    known.len() as u32
                }
            }));
        }
        let plain = StringArray::from_iter(&texts);
        let keyed: DictionaryArray<Int16Type> = texts.iter().map(|text| text.as_deref()).collect();
        let columns: [ArrayRef; 4] = [
            Arc::new(LargeStringArray::from_iter(&texts)),
            Arc::new(StringViewArray::from_iter(&texts)),
            Arc::new(plain),
            Arc::new(keyed),
        ];
        for column in columns {
            let mut codes = Codes::new();
            let mut read = vec![];
            codes.read(&column, 0..column.len(), &mut read).unwrap();
            assert!(read == expected, "{}", column.data_type());
            let mut part = vec![];
            codes.read(&column.slice(7, 900), 0..900, &mut part).unwrap();
            assert!(part == expected[7..907], "a slice of {}", column.data_type());
            let labels = codes.labels().text_column(&read).unwrap();
            assert!(labels.as_string_view().iter().eq(texts.iter().map(Option::as_deref)));
        }
    }

    #[test]
    fn ranks_sort_as_their_texts() {
        let mut codes = Codes::new();
        let texts = ["b", "搜索", "", "a_channel_with_a_long_name", "a"];
        let numbers: Vec<u32> = texts.iter().map(|text| codes.code(text.as_bytes())).collect();
        let ranked = codes.ranked();
        let mut by_rank: Vec<(u32, &str)> =
            numbers.iter().map(|&code| ranked.ranks[code as usize]).zip(texts).collect();
        by_rank.sort_unstable();
        assert!(by_rank.is_sorted_by_key(|(_, text)| *text) && by_rank[0] == (1, ""));
        assert_eq!(codes.known("搜索"), Some(2));
        assert_eq!(codes.known("ab"), None);
    }
}
