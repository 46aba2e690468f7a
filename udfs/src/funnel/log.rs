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

/// Some neighbouring groups with their entries, grouped, in the order of arrival within a group.
pub(crate) struct Sorted<M> {
    /// Entry `ends[g - 1]` (0 for the first) up to `ends[g]` are those of group `g`.
    pub ends: Vec<usize>,
    /// Times of the entries.
    pub at_us: Vec<i64>,
    /// Steps of the entries.
    pub masks: Vec<M>,
}

impl<M: PackedMask> Log<M> {
    pub fn new() -> Self {
        Self { blocks: VecDeque::new(), emitted: 0, chunk_count: 0, spare: None }
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
        let mut sorted = Sorted { ends: vec![], at_us: vec![], masks: vec![] };
        let mut left = group_count;
        while left > 0 {
            let first = self.emitted;
            let count = left.min(BLOCK_GROUPS - first);
            sorted.clear(count);
            if let Some(block) = self.blocks.front_mut() {
                block.sort_into(first, count, &mut sorted);
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

    /// Counting sort of the entries of `count` groups from place `first`; keeps the order of arrival.
    fn sort_into(&self, first: usize, count: usize, sorted: &mut Sorted<M>) {
        let ends = &mut sorted.ends;
        for chunk in &self.chunks {
            for &place in &chunk.place[..chunk.len] {
                if let Some(end) = ends.get_mut((place as usize).wrapping_sub(first)) {
                    *end += 1;
                }
            }
        }
        let mut total = 0;
        for end in ends.iter_mut() {
            total += mem::replace(end, total);
        }
        sorted.at_us.resize(total, 0);
        sorted.masks.resize(total, M::ZERO);
        for chunk in &self.chunks {
            for entry in 0..chunk.len {
                // `ends` holds where a group begins, and has moved to where it ends when its last entry is placed.
                if let Some(end) = ends.get_mut((chunk.place[entry] as usize).wrapping_sub(first)) {
                    let at = *end;
                    sorted.at_us[at] = chunk.at_us[entry];
                    sorted.masks[at] = chunk.mask[entry];
                    *end += 1;
                }
            }
        }
        debug_assert!(ends.len() == count && ends.last().is_none_or(|&end| end == total));
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
        self.at_us.clear();
        self.masks.clear();
    }

    /// Gives the entries of each group, sorted by time; only groups that arrived out of order are sorted.
    pub fn for_each_group(&mut self, mut each: impl FnMut(&[i64], &[M])) {
        let mut entries: Vec<(i64, M)> = vec![];
        let mut start = 0;
        for &end in &self.ends {
            let group = start..end;
            start = end;
            let (at_us, masks) = (&mut self.at_us[group.clone()], &mut self.masks[group]);
            if !at_us.is_sorted() {
                sort(at_us, masks, &mut entries);
            }
            each(at_us, masks);
        }
    }
}

/// Sorts by time; rows of equal time form one group in every rule, so their order means nothing.
fn sort<M: PackedMask>(at_us: &mut [i64], masks: &mut [M], entries: &mut Vec<(i64, M)>) {
    entries.clear();
    entries.extend(at_us.iter().copied().zip(masks.iter().copied()));
    entries.sort_unstable_by_key(|&(at_us, _)| at_us);
    for ((at_us, mask), &(sorted_at_us, sorted_mask)) in at_us.iter_mut().zip(masks).zip(&*entries) {
        *at_us = sorted_at_us;
        *mask = sorted_mask;
    }
}
