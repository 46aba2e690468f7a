//! Rows of equal time in their order, cut into blocks (SESSIONS-11, SESSIONS-12).

/// Bits of an entry that hold the row's place in its time group; the key is above them.
const PLACE_BITS: u32 = 62;
/// Bits that a key may have.
const KEY_BITS: u32 = u128::BITS - PLACE_BITS;

/// Rows equal in time and key: nothing tells them apart but their place in the input.
pub(super) struct Block<'a> {
    /// The first of its rows in the input.
    pub row: usize,
    /// How many they are, at least 1.
    pub row_count: usize,
    /// The rows of its time.
    group_row_count: usize,
    /// The entries of its rows if the group was sorted; else the block is the whole group.
    entries: Option<&'a [u128]>,
    /// Whether it opens, or closes, its group.
    is_first: bool,
    is_last: bool,
}

/// Visits the blocks in order.
///
/// `key` orders rows of equal time, in at most 66 bits; without it a block is a time group.
pub(super) fn for_each_block<K: Fn(usize) -> u128>(
    at_us: &[i64],
    key: Option<K>,
    entries: &mut Vec<u128>,
    mut visit: impl FnMut(&Block),
) {
    let mut start = 0;
    while start < at_us.len() {
        let mut end = start + 1;
        while end < at_us.len() && at_us[end] == at_us[start] {
            end += 1;
        }
        match &key {
            Some(key) if end - start > 1 => visit_sorted(start, end, key, entries, &mut visit),
            _ => {
                let row_count = end - start;
                let group = Block {
                    row: start,
                    row_count,
                    group_row_count: row_count,
                    entries: None,
                    is_first: true,
                    is_last: true,
                };
                visit(&group);
            }
        }
        start = end;
    }
}

/// Visits the blocks of the time group of rows `start` to `end`.
///
/// Rare, and `visit` is dynamic: the compiler then inlines it where a row is a block.
fn visit_sorted(
    start: usize,
    end: usize,
    key: impl Fn(usize) -> u128,
    entries: &mut Vec<u128>,
    visit: &mut dyn FnMut(&Block),
) {
    entries.clear();
    entries.extend((start..end).map(|row| {
        let key = key(row);
        debug_assert!(key >> KEY_BITS == 0, "a key of more than {KEY_BITS} bits");
        key << PLACE_BITS | (row - start) as u128
    }));
    // The place makes entries distinct, so that equal rows keep the order of the input.
    entries.sort_unstable();
    let mut visited = 0;
    for block in entries.chunk_by(|one, other| one >> PLACE_BITS == other >> PLACE_BITS) {
        let is_first = visited == 0;
        visited += block.len();
        visit(&Block {
            row: start + place_of(block[0]),
            row_count: block.len(),
            group_row_count: entries.len(),
            entries: Some(block),
            is_first,
            is_last: visited == entries.len(),
        });
    }
}

fn place_of(entry: u128) -> usize {
    (entry & ((1 << PLACE_BITS) - 1)) as usize
}

impl Block<'_> {
    /// Hands the answers of the block's rows to `sink`, in the order of the input over all blocks.
    ///
    /// `answer` gives the answer of the block's n-th row, from 0. Answers wait in `pending` until
    /// the last block of the group.
    #[inline]
    pub fn place<T: Copy>(&self, pending: &mut Vec<T>, answer: impl Fn(usize) -> T, sink: &mut impl FnMut(T)) {
        let Some(entries) = self.entries else {
            return (0..self.row_count).for_each(|nth| sink(answer(nth)));
        };
        if self.is_first {
            pending.clear();
            pending.resize(self.group_row_count, answer(0));
        }
        for (nth, &entry) in entries.iter().enumerate() {
            pending[place_of(entry)] = answer(nth);
        }
        if self.is_last {
            pending.iter().for_each(|&answer| sink(answer));
        }
    }
}
