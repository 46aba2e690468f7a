//! Which keys were seen, in a bit each, where keys are close together.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type, UInt32Type, UInt64Type};

/// Neighbouring keys share a run of bits; the bits of a key's number in its run, and those of a word.
const RUN_BITS: u32 = 12;
const WORD_BITS: u32 = u64::BITS.ilog2();
const RUN_WORDS: usize = 1 << (RUN_BITS - WORD_BITS);
/// Runs that there is room for at first.
const FIRST_RUNS: usize = 1 << 6;
/// Runs that are known at a time.
const SLOTS: usize = 1 << 14;
/// So many runs may be nearly empty. Of keys that are further apart than that a table of hashes is smaller.
const FREE_RUNS: usize = 1 << 12;
const LEAST_KEYS_OF_RUN: usize = 16;
/// After so many rows it is asked whether any were repeats, and given up if less than this share were.
const TRIAL_ROWS: usize = 1 << 20;
const LEAST_SHARE: usize = 8;

/// The keys of some rows. A key that it says was seen was; of others it may not know it.
pub(super) struct Seen {
    slots: Vec<Slot>,
    bits: Vec<u64>,
    /// Whether keys came for which there was no room.
    is_short: bool,
    key_count: usize,
    has_null: bool,
    /// Rows since the last trial, and those of them that were repeats.
    trial_rows: usize,
    trial_repeats: usize,
}

/// A run that is known.
#[derive(Clone, Copy, Default)]
struct Slot {
    run: i64,
    /// The place of its words, of which 0 is none.
    words: u32,
}

impl Seen {
    /// Without memory: it knows no key until it has grown.
    pub fn new() -> Self {
        Self {
            slots: vec![],
            bits: vec![],
            is_short: true,
            key_count: 0,
            has_null: false,
            trial_rows: 0,
            trial_repeats: 0,
        }
    }

    /// Bytes that it would hold if it grew; `None` if it has no need to.
    pub fn wanted_bytes(&self) -> Option<usize> {
        (self.is_short && self.run_room() < SLOTS).then(|| Self::bytes_of(self.next_run_room()))
    }

    /// Makes room for more runs.
    pub fn grow(&mut self) {
        let words = (self.next_run_room() + 1) * RUN_WORDS;
        self.slots.resize(SLOTS, Slot::default());
        self.bits.reserve_exact(words - self.bits.len());
        if self.bits.is_empty() {
            // Nobody's words come first, so that a slot of zeros is an empty one.
            self.bits.resize(RUN_WORDS, 0);
        }
        self.is_short = false;
    }

    /// Runs that there is room for.
    fn run_room(&self) -> usize {
        (self.bits.capacity() / RUN_WORDS).saturating_sub(1)
    }

    fn next_run_room(&self) -> usize {
        (self.run_room() * 4).clamp(FIRST_RUNS, SLOTS)
    }

    fn bytes_of(run_room: usize) -> usize {
        SLOTS * size_of::<Slot>() + (run_room + 1) * RUN_WORDS * size_of::<u64>()
    }

    /// Whether keys of a type can be remembered.
    pub fn is_for(data_type: &DataType) -> bool {
        matches!(data_type, DataType::Int32 | DataType::Int64 | DataType::UInt32 | DataType::UInt64)
    }

    /// The rows whose keys were not seen before, and some more; `None` for a type that it is not for. It has grown once.
    pub fn first_rows(&mut self, keys: &ArrayRef) -> Option<BooleanBuffer> {
        let first = match keys.data_type() {
            DataType::Int32 => self.first_of(keys, keys.as_primitive::<Int32Type>().values(), |key| i64::from(*key)),
            DataType::Int64 => self.first_of(keys, keys.as_primitive::<Int64Type>().values(), |key| *key),
            DataType::UInt32 => self.first_of(keys, keys.as_primitive::<UInt32Type>().values(), |key| i64::from(*key)),
            // Numbers above those of i64 become others, each its own.
            DataType::UInt64 => self.first_of(keys, keys.as_primitive::<UInt64Type>().values(), |key| *key as i64),
            _ => return None,
        };
        self.trial_rows += first.len();
        self.trial_repeats += first.len() - first.count_set_bits();
        Some(first)
    }

    fn first_of<T>(&mut self, keys: &ArrayRef, values: &[T], key: impl Fn(&T) -> i64) -> BooleanBuffer {
        match keys.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => BooleanBuffer::collect_bool(values.len(), |row| self.is_first(key(&values[row]))),
            Some(nulls) => BooleanBuffer::collect_bool(values.len(), |row| match nulls.is_valid(row) {
                true => self.is_first(key(&values[row])),
                false => !std::mem::replace(&mut self.has_null, true),
            }),
        }
    }

    #[inline]
    fn is_first(&mut self, key: i64) -> bool {
        let run = key >> RUN_BITS;
        let slot = &mut self.slots[run as usize & (SLOTS - 1)];
        if slot.words == 0 {
            if self.bits.len() + RUN_WORDS > self.bits.capacity() {
                self.is_short = true;
                return true;
            }
            // At most one for each slot.
            *slot = Slot { run, words: self.bits.len() as u32 };
            self.bits.resize(self.bits.len() + RUN_WORDS, 0);
        } else if slot.run != run {
            return true;
        }
        let word = &mut self.bits[slot.words as usize + (key >> WORD_BITS) as usize % RUN_WORDS];
        let bit = 1 << (key & i64::from(u64::BITS - 1));
        let is_first = *word & bit == 0;
        *word |= bit;
        self.key_count += usize::from(is_first);
        is_first
    }

    /// Whether what it drops is worth what it costs, in memory and in time.
    pub fn is_worth(&mut self) -> bool {
        let runs = (self.bits.len() / RUN_WORDS).saturating_sub(1);
        if runs > FREE_RUNS + self.key_count / LEAST_KEYS_OF_RUN {
            return false;
        }
        if self.trial_rows < TRIAL_ROWS {
            return true;
        }
        let is_dropping = self.trial_repeats >= self.trial_rows / LEAST_SHARE;
        (self.trial_rows, self.trial_repeats) = (0, 0);
        is_dropping
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use datafusion::arrow::array::{Int64Array, UInt64Array};
    use datafusion::arrow::compute::cast;
    use proptest::prelude::*;

    use super::*;

    /// With room for as many keys as there can be.
    fn grown() -> Seen {
        let mut seen = Seen::new();
        while let Some(bytes) = seen.wanted_bytes() {
            seen.grow();
            assert_eq!(Seen::bytes_of(seen.run_room()), bytes);
            seen.is_short = true;
        }
        seen
    }

    /// The rows that come first, by a set.
    fn expected(keys: &[Option<i64>], seen: &mut HashSet<Option<i64>>) -> BooleanBuffer {
        keys.iter().map(|key| seen.insert(*key)).collect()
    }

    proptest! {
        #[test]
        fn of_keys_that_are_close_together_each_comes_once(
            batches in proptest::collection::vec(
                proptest::collection::vec(proptest::option::weighted(0.9, -9_000..9_000i64), 0..300), 1..6),
        ) {
            for data_type in [DataType::Int32, DataType::Int64] {
                let (mut seen, mut known) = (grown(), HashSet::new());
                for keys in &batches {
                    let column: ArrayRef = Arc::new(keys.iter().copied().collect::<Int64Array>());
                    let first = seen.first_rows(&cast(&column, &data_type).unwrap()).unwrap();
                    prop_assert_eq!(first, expected(keys, &mut known));
                }
            }
        }

        /// Some repeats come again, and no key is missing.
        #[test]
        fn of_any_keys_none_is_missing(keys in proptest::collection::vec(
            prop_oneof![any::<i64>(), -5..5i64, (0..8i64).prop_map(|run| run << (RUN_BITS + 14)), Just(i64::MIN), Just(i64::MAX)], 0..400)) {
            let column: ArrayRef = Arc::new(Int64Array::from(keys.clone()));
            let first = grown().first_rows(&column).unwrap();
            let given: HashSet<i64> = first.set_indices().map(|row| keys[row]).collect();
            prop_assert_eq!(given, keys.iter().copied().collect::<HashSet<_>>());
            let unsigned: ArrayRef = Arc::new(keys.iter().map(|key| *key as u64).collect::<UInt64Array>());
            prop_assert_eq!(grown().first_rows(&unsigned).unwrap(), first);
        }
    }

    fn column(keys: impl Iterator<Item = i64>) -> ArrayRef {
        Arc::new(keys.collect::<Int64Array>())
    }

    #[test]
    fn keys_far_from_each_other_are_given_up() {
        let mut seen = grown();
        let far = |from: i64| column((from..from + 3_000).map(|key| key << RUN_BITS));
        seen.first_rows(&far(0)).unwrap();
        assert!(seen.is_worth());
        seen.first_rows(&far(3_000)).unwrap();
        assert!(!seen.is_worth());
        assert_eq!(Seen::bytes_of(seen.run_room()), Seen::bytes_of(SLOTS));
    }

    #[test]
    fn keys_without_room_are_passed_on_until_there_is_some() {
        let mut seen = Seen::new();
        seen.grow();
        let keys = column((0..1_000).map(|key| (key % 500) << RUN_BITS));
        assert_eq!(seen.first_rows(&keys).unwrap().count_set_bits(), 1_000 - FIRST_RUNS);
        let before = seen.bits.capacity();
        while seen.wanted_bytes().is_some() {
            seen.grow();
            seen.first_rows(&keys).unwrap();
        }
        assert!(seen.bits.capacity() > before);
        assert_eq!(seen.first_rows(&keys).unwrap().count_set_bits(), 0);
    }

    #[test]
    fn keys_that_do_not_repeat_are_given_up() {
        let (mut once, mut often) = (grown(), grown());
        for start in (0..TRIAL_ROWS as i64 + 1).step_by(1 << 13) {
            once.first_rows(&column(start..start + (1 << 13))).unwrap();
            often.first_rows(&column((start..start + (1 << 13)).map(|key| key % 50_000))).unwrap();
        }
        assert!(!once.is_worth());
        assert!(often.is_worth());
    }
}
