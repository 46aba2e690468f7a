//! The state of every group at once: a flat, append-only log of the rows that matter.
//!
//! An entry is 11 bytes for up to eight steps: time, mask, and the group's place in its block.
//! Entries are appended to the block of their group, a block being 2^14 neighbouring groups, in chunks that never move.
//! So nothing is reallocated, a block fits a core's cache when it is read, and its chunks are freed before the next
//! block is touched: the peak is the log itself and one block.

use std::collections::VecDeque;
use std::mem;

use datafusion::arrow::datatypes::{ArrowPrimitiveType, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use tributary_core::funnel::Mask;

/// Groups of a block are counted in this many bits.
const BLOCK_BITS: u32 = 14;
const BLOCK_GROUPS: usize = 1 << BLOCK_BITS;
const CHUNK_ENTRIES: usize = 1024;

/// A mask of steps as it is stored: the narrowest integer that has a bit for every step.
pub(crate) trait PackedMask: Mask + Send + 'static {
    /// No step.
    const ZERO: Self;

    /// The Arrow type of a column of such masks.
    type Arrow: ArrowPrimitiveType<Native = Self>;

    /// The mask in fewer bits; bits of steps that the type cannot hold do not occur.
    fn pack(bits: u64) -> Self;
}

macro_rules! packed_mask {
    ($($native:ty => $arrow:ty),*) => {
        $(impl PackedMask for $native {
            type Arrow = $arrow;
            const ZERO: Self = 0;

            #[inline(always)]
            fn pack(bits: u64) -> Self {
                bits as Self
            }
        })*
    };
}
packed_mask!(u8 => UInt8Type, u16 => UInt16Type, u32 => UInt32Type, u64 => UInt64Type);

/// The log of all groups of one accumulator.
pub(crate) struct Log<M> {
    blocks: VecDeque<Block<M>>,
    /// Groups of the first block that were emitted before.
    emitted: usize,
    chunk_count: usize,
    /// Emptied chunks, kept for the next entries when groups are emitted while rows still arrive.
    spare: Option<Box<Chunk<M>>>,
    /// Bits of a mask that can be set.
    mask_bits: u32,
}

struct Block<M> {
    chunks: Vec<Box<Chunk<M>>>,
}

struct Chunk<M> {
    len: usize,
    at_us: [i64; CHUNK_ENTRIES],
    place: [u16; CHUNK_ENTRIES],
    mask: [M; CHUNK_ENTRIES],
}

/// Some neighbouring groups with their entries as keys that sort by time.
pub(crate) struct Sorted<M> {
    /// Keys `ends[g - 1]` (0 for the first) up to `ends[g]` are those of group `g`.
    ends: Vec<usize>,
    keys: Keys,
    /// The group at hand, as columns.
    at_us: Vec<i64>,
    masks: Vec<M>,
}

/// Time and mask of an entry in one integer: one write to place it, one comparison to sort it.
enum Keys {
    /// Time since the first of the block, above the bits of the mask: any block that spans a few centuries.
    Narrow { keys: Vec<u64>, first_us: i64, mask_bits: u32 },
    /// All of the time above all of a mask.
    Wide(Vec<u128>),
}

impl<M: PackedMask> Log<M> {
    /// An empty log for masks of `step_count` steps.
    pub fn new(step_count: usize) -> Self {
        Self { blocks: VecDeque::new(), emitted: 0, chunk_count: 0, spare: None, mask_bits: step_count as u32 }
    }

    /// Adds a row of a group; groups are counted from the first that was not emitted yet.
    #[inline]
    pub fn push(&mut self, group: usize, at_us: i64, mask: M) {
        let group = group + self.emitted;
        let block = group >> BLOCK_BITS;
        if block >= self.blocks.len() {
            self.blocks.resize_with(block + 1, Block::new);
        }
        let place = (group & (BLOCK_GROUPS - 1)) as u16;
        if !self.blocks[block].push(at_us, place, mask) {
            self.add_chunk(block);
            self.blocks[block].push(at_us, place, mask);
        }
    }

    #[cold]
    fn add_chunk(&mut self, block: usize) {
        let chunk = self.spare.take().unwrap_or_else(|| {
            self.chunk_count += 1;
            Box::new(Chunk::EMPTY)
        });
        self.blocks[block].chunks.push(chunk);
    }

    /// Takes the first `group_count` groups out, one block at a time, and frees each block before the next is taken.
    ///
    /// The groups that stay are counted from 0 again. Groups without entries are given too.
    pub fn drain(&mut self, group_count: usize, mut each: impl FnMut(&mut Sorted<M>)) {
        let mut sorted = Sorted { ends: vec![], keys: Keys::Wide(vec![]), at_us: vec![], masks: vec![] };
        let mut left = group_count;
        while left > 0 {
            let first = self.emitted;
            let count = left.min(BLOCK_GROUPS - first);
            sorted.clear(count);
            if let Some(block) = self.blocks.front_mut() {
                block.group_into(first, self.mask_bits, &mut sorted);
            }
            self.emitted += count;
            if self.emitted == BLOCK_GROUPS {
                self.emitted = 0;
                if let Some(block) = self.blocks.pop_front() {
                    self.free(block.chunks);
                }
            } else if let Some(mut block) = self.blocks.pop_front() {
                let rest = mem::take(&mut block.chunks);
                self.blocks.push_front(block);
                self.keep_from(rest);
            }
            each(&mut sorted);
            left -= count;
        }
    }

    /// Forgets everything; the next group is the first.
    pub fn clear(&mut self) {
        self.blocks = VecDeque::new();
        self.emitted = 0;
        self.chunk_count = 0;
        self.spare = None;
    }

    /// Bytes that the log holds. Cost: one multiplication.
    pub fn bytes(&self) -> usize {
        let blocks = self.blocks.capacity() * mem::size_of::<Block<M>>();
        blocks + self.chunk_count * (mem::size_of::<Chunk<M>>() + mem::size_of::<usize>())
    }

    /// Appends the entries of the first block again that belong to groups not emitted yet.
    fn keep_from(&mut self, mut chunks: Vec<Box<Chunk<M>>>) {
        let mut kept = vec![];
        for chunk in &chunks {
            for entry in 0..chunk.len {
                if chunk.place[entry] as usize >= self.emitted {
                    kept.push((chunk.place[entry], chunk.at_us[entry], chunk.mask[entry]));
                }
            }
        }
        if let Some(mut chunk) = chunks.pop() {
            chunk.len = 0;
            self.chunk_count -= usize::from(self.spare.is_some());
            self.spare = Some(chunk);
        }
        self.free(chunks);
        for (place, at_us, mask) in kept {
            self.push(place as usize - self.emitted, at_us, mask);
        }
    }

    fn free(&mut self, chunks: Vec<Box<Chunk<M>>>) {
        self.chunk_count -= chunks.len();
    }
}

impl<M: PackedMask> Block<M> {
    fn new() -> Self {
        Self { chunks: vec![] }
    }

    /// False when there is no room.
    #[inline]
    fn push(&mut self, at_us: i64, place: u16, mask: M) -> bool {
        let Some(chunk) = self.chunks.last_mut() else { return false };
        let entry = chunk.len;
        if entry >= CHUNK_ENTRIES {
            return false;
        }
        chunk.at_us[entry] = at_us;
        chunk.place[entry] = place;
        chunk.mask[entry] = mask;
        chunk.len = entry + 1;
        true
    }

    /// Counting sort of the entries by group, for as many groups from place `first` as `sorted` has room for.
    fn group_into(&self, first: usize, mask_bits: u32, sorted: &mut Sorted<M>) {
        let ends = &mut sorted.ends;
        let (mut first_us, mut last_us) = (i64::MAX, i64::MIN);
        for chunk in &self.chunks {
            for &place in &chunk.place[..chunk.len] {
                if let Some(end) = ends.get_mut((place as usize).wrapping_sub(first)) {
                    *end += 1;
                }
            }
            for &at_us in &chunk.at_us[..chunk.len] {
                first_us = first_us.min(at_us);
                last_us = last_us.max(at_us);
            }
        }
        let mut total = 0;
        for end in ends.iter_mut() {
            total += mem::replace(end, total);
        }
        let span_us = last_us.wrapping_sub(first_us) as u64;
        // Below all bits, because a shift by all of them is none.
        if mask_bits < u64::BITS && mask_bits <= span_us.leading_zeros() {
            let mut keys = sorted.keys.take_narrow();
            keys.resize(total, 0);
            let key = |at_us: i64, mask: u64| (at_us.wrapping_sub(first_us) as u64) << mask_bits | mask;
            self.place(first, ends, &mut keys, key);
            sorted.keys = Keys::Narrow { keys, first_us, mask_bits };
        } else {
            let mut keys = vec![0; total];
            let key = |at_us: i64, mask: u64| u128::from(at_us as u64 ^ SIGN) << u64::BITS | u128::from(mask);
            self.place(first, ends, &mut keys, key);
            sorted.keys = Keys::Wide(keys);
        }
    }

    /// Puts the key of every entry among those of its group. `ends` holds where groups begin, and where they end when
    /// all is placed.
    fn place<K>(&self, first: usize, ends: &mut [usize], keys: &mut [K], key: impl Fn(i64, u64) -> K) {
        for chunk in &self.chunks {
            let len = chunk.len;
            for ((&place, &at_us), &mask) in chunk.place[..len].iter().zip(&chunk.at_us[..len]).zip(&chunk.mask[..len])
            {
                if let Some(end) = ends.get_mut((place as usize).wrapping_sub(first)) {
                    keys[*end] = key(at_us, mask.bits());
                    *end += 1;
                }
            }
        }
    }
}

/// Turns the order of signed integers into that of unsigned ones.
const SIGN: u64 = 1 << 63;

impl Keys {
    /// The narrow keys' memory, emptied.
    fn take_narrow(&mut self) -> Vec<u64> {
        match self {
            Self::Narrow { keys, .. } => {
                keys.clear();
                mem::take(keys)
            }
            Self::Wide(_) => vec![],
        }
    }
}

impl<M: PackedMask> Chunk<M> {
    const EMPTY: Self =
        Self { len: 0, at_us: [0; CHUNK_ENTRIES], place: [0; CHUNK_ENTRIES], mask: [M::ZERO; CHUNK_ENTRIES] };
}

impl<M: PackedMask> Sorted<M> {
    fn clear(&mut self, group_count: usize) {
        self.ends.clear();
        self.ends.resize(group_count, 0);
        if let Keys::Narrow { keys, .. } = &mut self.keys {
            keys.clear();
        } else {
            self.keys = Keys::Wide(vec![]);
        }
    }

    /// Gives the entries of each group in the order of time; only groups that arrived out of order are sorted.
    ///
    /// Entries of one time come by mask, which means nothing: they form one group in every rule.
    pub fn for_each_group(&mut self, mut each: impl FnMut(&[i64], &[M])) {
        let Self { ends, keys, at_us, masks } = self;
        let mut start = 0;
        for &end in &*ends {
            let group = start..end;
            start = end;
            at_us.clear();
            masks.clear();
            match keys {
                Keys::Narrow { keys, first_us, mask_bits } => {
                    let keys = in_order(&mut keys[group]);
                    let mask = (1 << *mask_bits) - 1;
                    at_us.extend(keys.iter().map(|key| first_us.wrapping_add((key >> *mask_bits) as i64)));
                    masks.extend(keys.iter().map(|key| M::pack(key & mask)));
                }
                Keys::Wide(keys) => {
                    let keys = in_order(&mut keys[group]);
                    at_us.extend(keys.iter().map(|key| ((key >> u64::BITS) as u64 ^ SIGN) as i64));
                    masks.extend(keys.iter().map(|key| M::pack(*key as u64)));
                }
            }
            each(at_us, masks);
        }
    }
}

fn in_order<K: Ord + Copy>(keys: &mut [K]) -> &[K] {
    if !keys.is_sorted() {
        keys.sort_unstable();
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The groups of a log as they come out, entries as (time, mask).
    fn drained<M: PackedMask>(log: &mut Log<M>, group_count: usize) -> Vec<Vec<(i64, u64)>> {
        let mut groups = vec![];
        log.drain(group_count, |sorted| {
            sorted.for_each_group(|at_us, masks| {
                groups.push(at_us.iter().copied().zip(masks.iter().map(|mask| mask.bits())).collect());
            });
        });
        groups
    }

    #[test]
    fn groups_come_out_sorted_by_time_and_empty_ones_too() {
        let mut log = Log::<u8>::new(3);
        for (group, at_us, mask) in [(2, 30, 4), (0, -5, 1), (2, 10, 1), (2, 20, 2)] {
            log.push(group, at_us, mask);
        }
        let groups = drained(&mut log, 4);
        assert_eq!(groups, [vec![(-5, 1)], vec![], vec![(10, 1), (20, 2), (30, 4)], vec![]]);
    }

    #[test]
    fn infinite_times_and_all_bits_are_kept() {
        let mut log = Log::<u64>::new(64);
        log.push(0, i64::MAX, u64::MAX);
        log.push(0, i64::MIN, 1 << 63);
        log.push(0, 0, 0);
        assert_eq!(drained(&mut log, 1), [vec![(i64::MIN, 1 << 63), (0, 0), (i64::MAX, u64::MAX)]]);
        let mut log = Log::<u8>::new(8);
        log.push(0, i64::MAX, 255);
        log.push(0, i64::MIN, 1);
        assert_eq!(drained(&mut log, 1), [vec![(i64::MIN, 1), (i64::MAX, 255)]]);
    }

    #[test]
    fn the_first_groups_can_be_taken_while_others_grow() {
        let mut log = Log::<u16>::new(9);
        let mut expected: Vec<Vec<(i64, u64)>> = vec![];
        let mut taken = vec![];
        // Each round adds to the groups that are open, opens many more, and takes all but the last.
        for round in 0..9i64 {
            let open = expected.len() - taken.len();
            expected.resize(expected.len() + 5_000, vec![]);
            for group in 0..open + 5_000 {
                let entry = (round * 10 - group as i64, 1 << (group % 9));
                let index = taken.len() + group;
                expected[index].push(entry);
                expected[index].sort();
                log.push(group, entry.0, entry.1 as u16);
            }
            taken.extend(drained(&mut log, open + 4_999));
        }
        taken.extend(drained(&mut log, 1));
        assert!(taken == expected);
    }

    #[test]
    fn bytes_follow_what_is_held() {
        let mut log = Log::<u8>::new(4);
        for entry in 0..100_000 {
            log.push(entry % 1_000, entry as i64, 1);
        }
        let full = log.bytes();
        assert!((1_100_000..1_250_000).contains(&full), "{full}");
        drained(&mut log, 999);
        assert!(log.bytes() < 30_000, "{}", log.bytes());
        log.clear();
        assert_eq!(log.bytes(), 0);
    }
}
