//! Text to mask, once per row or once per dictionary value.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, GenericStringArray, OffsetSizeTrait, StringViewArray, make_view,
};
use datafusion::arrow::datatypes::{
    ArrowDictionaryKeyType, DataType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use datafusion::common::{Result, internal_err};

/// A text of at most this many bytes is its own view: 16 bytes that can be compared as one integer.
const INLINE_BYTES: usize = 12;
const SLOT_SEEDS: u64 = 4_096;

/// The mask of every text that meets a step.
#[derive(Debug)]
pub(crate) struct Lookup {
    /// Every text with its steps, for comparison, display and long texts.
    texts: BTreeMap<String, u64>,
    short: Slots,
    /// Texts too long to be inline in a view.
    long: Vec<(Vec<u8>, u64)>,
}

impl PartialEq for Lookup {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl Eq for Lookup {}

impl Hash for Lookup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.texts.hash(state);
    }
}

impl Lookup {
    pub fn new(texts: BTreeMap<String, u64>) -> Self {
        let is_short = |text: &String| text.len() <= INLINE_BYTES;
        let short = texts.iter().filter(|(text, _)| is_short(text)).map(|(text, &mask)| (view(text.as_bytes()), mask));
        let long =
            texts.iter().filter(|(text, _)| !is_short(text)).map(|(text, &mask)| (text.clone().into_bytes(), mask));
        Self { short: Slots::new(short.collect()), long: long.collect(), texts }
    }

    /// How many texts are too long for the table, and compared one by one with every long text of a row.
    pub fn long_count(&self) -> usize {
        self.long.len()
    }

    /// Each step as a condition on `column`, with its bit.
    pub fn conditions(&self, column: &str) -> Vec<(u8, String)> {
        let mut steps: BTreeMap<u8, Vec<&str>> = BTreeMap::new();
        for (text, mask) in &self.texts {
            for bit in (0..64).filter(|bit| mask >> bit & 1 == 1) {
                steps.entry(bit).or_default().push(text);
            }
        }
        let condition = |texts: Vec<&str>| match texts[..] {
            [text] => format!("{column} = '{text}'"),
            _ => format!("{column} IN ('{}')", texts.join("', '")),
        };
        steps.into_iter().map(|(bit, texts)| (bit, condition(texts))).collect()
    }

    /// The mask of each row; a NULL meets nothing.
    pub fn masks(&self, column: &ArrayRef) -> Result<Vec<u64>> {
        let mut masks = match column.data_type() {
            DataType::Utf8View => self.views(column.as_string_view()),
            DataType::Utf8 => self.strings(column.as_string::<i32>()),
            DataType::LargeUtf8 => self.strings(column.as_string::<i64>()),
            DataType::Dictionary(key, _) => return self.dictionary(column, key),
            other => return internal_err!("step_mask cannot look up a column of type {other}"),
        };
        if let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) {
            for (mask, is_valid) in masks.iter_mut().zip(nulls) {
                *mask &= if is_valid { u64::MAX } else { 0 };
            }
        }
        Ok(masks)
    }

    fn views(&self, column: &StringViewArray) -> Vec<u64> {
        let short = column.views().iter().map(|&view| self.short.mask(view));
        let mut masks: Vec<u64> = short.collect();
        if !self.long.is_empty() {
            for (row, view) in column.views().iter().enumerate() {
                if *view as u32 as usize > INLINE_BYTES && column.is_valid(row) {
                    masks[row] = self.long_mask(column.value(row).as_bytes());
                }
            }
        }
        masks
    }

    fn strings<O: OffsetSizeTrait>(&self, column: &GenericStringArray<O>) -> Vec<u64> {
        let bytes = column.value_data();
        let bounds = column.value_offsets().windows(2);
        bounds.map(|bounds| self.mask(bytes, bounds[0].as_usize(), bounds[1].as_usize())).collect()
    }

    fn mask(&self, bytes: &[u8], start: usize, end: usize) -> u64 {
        let length = end - start;
        if length > INLINE_BYTES {
            return if self.long.is_empty() { 0 } else { self.long_mask(&bytes[start..end]) };
        }
        self.short.mask(match bytes.get(start..start + INLINE_BYTES) {
            Some(window) => view_in(window, length),
            None => view(&bytes[start..end]),
        })
    }

    fn long_mask(&self, text: &[u8]) -> u64 {
        self.long.iter().find(|(long, _)| long == text).map_or(0, |&(_, mask)| mask)
    }

    fn dictionary(&self, column: &ArrayRef, key: &DataType) -> Result<Vec<u64>> {
        match key {
            DataType::Int8 => self.keyed::<Int8Type>(column),
            DataType::Int16 => self.keyed::<Int16Type>(column),
            DataType::Int32 => self.keyed::<Int32Type>(column),
            DataType::Int64 => self.keyed::<Int64Type>(column),
            DataType::UInt8 => self.keyed::<UInt8Type>(column),
            DataType::UInt16 => self.keyed::<UInt16Type>(column),
            DataType::UInt32 => self.keyed::<UInt32Type>(column),
            DataType::UInt64 => self.keyed::<UInt64Type>(column),
            other => internal_err!("a dictionary is not keyed by {other}"),
        }
    }

    fn keyed<K: ArrowDictionaryKeyType>(&self, column: &ArrayRef) -> Result<Vec<u64>> {
        let column: &DictionaryArray<K> = column.as_dictionary();
        let value_masks = self.masks(column.values())?;
        Ok(column.keys_iter().map(|key| key.and_then(|key| value_masks.get(key)).copied().unwrap_or(0)).collect())
    }
}

fn view(text: &[u8]) -> u128 {
    make_view(text, 0, 0)
}

/// The view of the first `length` bytes of a window, which a copy of fixed size makes cheap.
fn view_in(window: &[u8], length: usize) -> u128 {
    let mut view = [0; 16];
    view[4..].copy_from_slice(window);
    let text = u128::MAX >> (8 * (INLINE_BYTES - length)) & !u128::from(u32::MAX);
    (u128::from_le_bytes(view) & text) | length as u128
}

/// A table without collisions: a row costs one multiplication and one comparison, whatever it holds.
#[derive(Debug)]
struct Slots {
    seed: u64,
    shift: u32,
    slots: Vec<(u128, u64)>,
}

impl Slots {
    /// Tries multipliers until every text has a slot of its own, with more slots the longer that takes.
    fn new(entries: Vec<(u128, u64)>) -> Self {
        let mut bits = entries.len().max(4).next_power_of_two().trailing_zeros() + 1;
        loop {
            for attempt in 1..=SLOT_SEEDS {
                let seed = attempt.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
                // A view that no text has (its length exceeds what is inline) marks a free slot.
                let mut table = Self { seed, shift: 64 - bits, slots: vec![(u128::MAX, 0); 1 << bits] };
                let fits = entries.iter().all(|&(view, mask)| {
                    let slot = table.slot(view);
                    let is_free = table.slots[slot].0 == u128::MAX;
                    table.slots[slot] = (view, mask);
                    is_free
                });
                if fits {
                    return table;
                }
            }
            bits += 1;
        }
    }

    #[inline(always)]
    fn slot(&self, view: u128) -> usize {
        let folded = (view as u64).rotate_left(27) ^ (view >> 64) as u64;
        (folded.wrapping_mul(self.seed) >> self.shift) as usize
    }

    #[inline(always)]
    fn mask(&self, view: u128) -> u64 {
        let (text, mask) = self.slots[self.slot(view)];
        // Without a branch: which event a row is cannot be predicted.
        mask & u64::from(text == view).wrapping_neg()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{LargeStringArray, StringArray};

    use super::*;

    #[test]
    fn every_encoding_gives_the_same_masks() {
        let texts = [
            Some("a"),
            None,
            Some(""),
            Some("twelve_bytes"),
            Some("thirteen_byte"),
            Some("thirteen_bytf"),
            Some("b"),
            Some("twelve_bytez"),
            Some("a"),
            Some("多么长的中文事件名"),
            Some("a\0"),
        ];
        let masks = [("", 1), ("a", 2), ("twelve_bytes", 4), ("thirteen_byte", 9), ("多么长的中文事件名", 16)];
        let lookup = Lookup::new(masks.map(|(text, mask)| (text.to_string(), mask)).into());
        let expected = [2, 0, 1, 4, 9, 0, 0, 0, 2, 16, 0];
        let plain = StringArray::from_iter(texts);
        let large = LargeStringArray::from_iter(texts);
        let views = StringViewArray::from_iter(texts);
        let keyed: DictionaryArray<Int16Type> = texts.into_iter().collect();
        for column in [Arc::new(plain) as ArrayRef, Arc::new(large), Arc::new(views), Arc::new(keyed)] {
            assert_eq!(lookup.masks(&column).unwrap(), expected, "{}", column.data_type());
            let part = column.slice(3, 5);
            assert_eq!(lookup.masks(&part).unwrap(), expected[3..8], "a slice of {}", column.data_type());
        }
    }

    #[test]
    fn many_texts_have_slots_of_their_own() {
        let texts: Vec<String> = (0..700).map(|n| format!("event_{n}")).collect();
        let lookup = Lookup::new(texts.iter().enumerate().map(|(n, text)| (text.clone(), n as u64 + 1)).collect());
        let column: ArrayRef = Arc::new(texts.iter().map(Some).collect::<StringViewArray>());
        assert_eq!(lookup.masks(&column).unwrap(), (1..=700).collect::<Vec<u64>>());
    }
}
