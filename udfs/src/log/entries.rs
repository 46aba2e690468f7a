//! The state of every group at once: a flat, append-only log of the rows that matter.
//!
//! As long as groups come one after the other, as from a table that is sorted by user, entries are a [`Line`], and a
//! group is a piece of it. From the first entry that is out of line on:
//!
//! An entry is its time, its payload, and the group's place in its block: 11 bytes where eight bits of payload do.
//! Entries are appended to the block of their group, a block being 2^14 neighbouring groups, in chunks that never move.
//! So nothing is reallocated, a block fits a core's cache when it is read, and its chunks are freed before the next
//! block is touched: the peak is the log itself and one block.

use std::collections::VecDeque;
use std::mem;

use super::late::sort_late;
use super::line::{Columns, Line};

/// Groups of a block are counted in this many bits.
const BLOCK_BITS: u32 = 14;
const BLOCK_GROUPS: usize = 1 << BLOCK_BITS;
const CHUNK_ENTRIES: usize = 1024;
/// Emptied chunks that are kept for the next entries; a megabyte or two.
const MAX_SPARE: usize = 128;

/// What an entry holds beside its time: the narrowest integer that has all bits that are used, or nothing.
pub(crate) trait Payload: Copy + Send + Sync + 'static {
    /// No bit.
    const ZERO: Self;

    /// The payload in fewer bits; bits that the type cannot hold do not occur.
    fn pack(bits: u64) -> Self;

    /// The payload widened to 64 bits.
    fn unpack(self) -> u64;
}

macro_rules! payload {
    ($($native:ty),*) => {
        $(impl Payload for $native {
            const ZERO: Self = 0;

            #[inline(always)]
            fn pack(bits: u64) -> Self {
                bits as Self
            }

            #[inline(always)]
            fn unpack(self) -> u64 {
                u64::from(self)
            }
        })*
    };
}
payload!(u8, u16, u32, u64);

impl Payload for () {
    const ZERO: Self = ();

    #[inline(always)]
    fn pack(_bits: u64) -> Self {}

    #[inline(always)]
    fn unpack(self) -> u64 {
        0
    }
}

/// The log of all groups of one accumulator.
pub(crate) struct Log<P> {
    /// All entries, while there are no blocks.
    line: Line<P>,
    blocks: VecDeque<Block<P>>,
    /// Groups of the first block that were emitted before.
    emitted: usize,
    chunk_count: usize,
    /// Emptied chunks, kept for the entries that arrive after groups were emitted.
    spare: Vec<Box<Chunk<P>>>,
    /// Bits of a payload that can be set, from the lowest.
    payload_bits: u32,
    /// Groups up to the last that has an entry, counted from the first of the first block.
    group_count: usize,
}

struct Block<P> {
    chunks: Vec<Box<Chunk<P>>>,
}

struct Chunk<P> {
    len: usize,
    at_us: [i64; CHUNK_ENTRIES],
    place: [u16; CHUNK_ENTRIES],
    payload: [P; CHUNK_ENTRIES],
}

/// Some neighbouring groups with their entries as keys that sort by time.
pub(crate) struct Sorted<P> {
    /// Keys `ends[g - 1]` (0 for the first) up to `ends[g]` are those of group `g`.
    ends: Vec<usize>,
    keys: Keys<P>,
    /// Groups that had to be sorted.
    unordered: u64,
    /// The group at hand, as columns.
    at_us: Vec<i64>,
    payloads: Vec<P>,
    /// Keys that came late in the group at hand.
    late: Vec<u64>,
}

/// Time and payload of an entry in one integer: one write to place it, one comparison to sort it.
enum Keys<P> {
    /// As they came, each apart.
    Columns(Columns<P>),
    /// Time since the first of the block, above the bits of the payload: any block that spans a few centuries, if the
    /// payload is a few bits.
    Narrow { keys: Vec<u64>, first_us: i64, payload_bits: u32 },
    /// All of the time above all of a payload.
    Wide(Vec<u128>),
}

impl<P: Payload> Log<P> {
    /// An empty log for payloads of which the lowest `payload_bits` can be set.
    pub fn new(payload_bits: u32) -> Self {
        Self {
            line: Line::default(),
            blocks: VecDeque::new(),
            emitted: 0,
            chunk_count: 0,
            spare: vec![],
            payload_bits,
            group_count: 0,
        }
    }

    /// Says again how many bits of a payload can be set; the fewer, the narrower the keys that are sorted.
    pub fn set_payload_bits(&mut self, payload_bits: u32) {
        self.payload_bits = payload_bits;
    }

    /// Adds a row of a group; groups are counted from the first that was not emitted yet.
    #[inline]
    pub fn push(&mut self, group: usize, at_us: i64, payload: P) {
        if self.is_line() {
            if self.line.push(group, at_us, payload) {
                return;
            }
            self.leave_line();
        }
        self.push_to_block(group, at_us, payload);
    }

    /// Adds rows, each as `push` does, of which `row` says the group, the time and the payload.
    ///
    /// Cost: less than half of that row by row, where the rows are of neighbouring groups.
    #[inline]
    pub fn push_rows(&mut self, row_count: usize, row: impl Fn(usize) -> (usize, i64, P)) {
        let mut next = 0;
        while next < row_count {
            if self.is_line() {
                let (group, at_us, payload) = row(next);
                self.push(group, at_us, payload);
                next += 1;
            } else {
                next = self.push_piece(next, row_count, &row);
            }
        }
    }

    /// Adds rows from `next` on, as far as they are of one block and its chunk has room, and says which is the next.
    #[inline]
    fn push_piece(&mut self, next: usize, row_count: usize, row: &impl Fn(usize) -> (usize, i64, P)) -> usize {
        let (group, at_us, payload) = row(next);
        // Sees to it that there are a block and a chunk.
        self.push_to_block(group, at_us, payload);
        let block = (group + self.emitted) >> BLOCK_BITS;
        let Some(chunk) = self.blocks.get_mut(block).and_then(|block| block.chunks.last_mut()) else { return next + 1 };
        let (first, len) = (next + 1, chunk.len);
        let room = (CHUNK_ENTRIES - len).min(row_count - first);
        let cells = chunk.at_us[len..].iter_mut().zip(&mut chunk.place[len..]).zip(&mut chunk.payload[len..]);
        let (mut added, mut greatest) = (0, 0);
        for (index, ((time_cell, place_cell), payload_cell)) in (first..first + room).zip(cells) {
            let (group, at_us, payload) = row(index);
            let group = group + self.emitted;
            if group >> BLOCK_BITS != block {
                break;
            }
            greatest = greatest.max(group);
            *time_cell = at_us;
            *place_cell = (group & (BLOCK_GROUPS - 1)) as u16;
            *payload_cell = payload;
            added += 1;
        }
        chunk.len = len + added;
        self.group_count = self.group_count.max(greatest + 1);
        first + added
    }

    fn is_line(&self) -> bool {
        self.blocks.is_empty()
    }

    #[cold]
    fn leave_line(&mut self) {
        let mut line = mem::take(&mut self.line);
        line.drain(|group, at_us, payload| self.push_to_block(group, at_us, payload));
        self.line = line;
    }

    #[inline]
    fn push_to_block(&mut self, group: usize, at_us: i64, payload: P) {
        let group = group + self.emitted;
        self.group_count = self.group_count.max(group + 1);
        let block = group >> BLOCK_BITS;
        if block >= self.blocks.len() {
            self.blocks.resize_with(block + 1, Block::new);
        }
        let place = (group & (BLOCK_GROUPS - 1)) as u16;
        if !self.blocks[block].push(at_us, place, payload) {
            self.add_chunk(block);
            self.blocks[block].push(at_us, place, payload);
        }
    }

    #[cold]
    fn add_chunk(&mut self, block: usize) {
        let chunk = self.spare.pop().unwrap_or_else(|| {
            self.chunk_count += 1;
            Box::new(Chunk::EMPTY)
        });
        self.blocks[block].chunks.push(chunk);
    }

    /// Takes the first `group_count` groups out, one block at a time, and frees each block before the next is taken.
    ///
    /// The groups that stay are counted from 0 again. Groups without entries are given too. Returns how many groups
    /// had to be sorted.
    pub fn drain(&mut self, group_count: usize, mut each: impl FnMut(&mut Sorted<P>)) -> u64 {
        if self.is_line() {
            return self.drain_line(group_count, each);
        }
        let mut sorted = Sorted::new(vec![], Keys::Wide(vec![]));
        let mut left = group_count;
        while left > 0 {
            let first = self.emitted;
            let count = left.min(BLOCK_GROUPS - first);
            sorted.clear(count);
            if let Some(block) = self.blocks.front_mut() {
                block.group_into(first, self.payload_bits, &mut sorted);
            }
            self.emitted += count;
            if self.emitted == BLOCK_GROUPS || self.emitted >= self.group_count {
                self.group_count = self.group_count.saturating_sub(BLOCK_GROUPS);
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
        sorted.unordered
    }

    fn drain_line(&mut self, group_count: usize, mut each: impl FnMut(&mut Sorted<P>)) -> u64 {
        let (ends, columns) = self.line.take(group_count);
        let taken = ends.last().copied().unwrap_or(0);
        let mut sorted = Sorted::new(ends, Keys::Columns(columns));
        each(&mut sorted);
        if let Keys::Columns(columns) = sorted.keys {
            self.line.give_back(taken, columns);
        }
        sorted.unordered
    }

    /// Gives back what is kept for later entries: states are taken where memory is short.
    pub fn free_spare(&mut self) {
        if self.line.used_bytes() == 0 {
            self.line = Line::default();
        }
        self.chunk_count -= self.spare.len();
        self.spare = vec![];
    }

    /// Forgets everything; the next group is the first.
    pub fn clear(&mut self) {
        self.line.clear();
        for block in mem::take(&mut self.blocks) {
            self.free(block.chunks);
        }
        self.emitted = 0;
        self.group_count = 0;
    }

    /// Bytes that the log holds. Cost: one multiplication.
    pub fn bytes(&self) -> usize {
        let blocks = self.blocks.capacity() * mem::size_of::<Block<P>>();
        self.line.bytes() + blocks + self.chunk_count * (mem::size_of::<Chunk<P>>() + mem::size_of::<usize>())
    }

    /// The same without what waits to be used again.
    pub fn used_bytes(&self) -> usize {
        let spare = self.spare.len() * (mem::size_of::<Chunk<P>>() + mem::size_of::<usize>());
        self.bytes() - spare - self.line.bytes() + self.line.used_bytes()
    }

    /// Appends the entries of the first block again that belong to groups not emitted yet.
    fn keep_from(&mut self, chunks: Vec<Box<Chunk<P>>>) {
        let mut kept = vec![];
        for chunk in &chunks {
            for entry in 0..chunk.len {
                if chunk.place[entry] as usize >= self.emitted {
                    kept.push((chunk.place[entry], chunk.at_us[entry], chunk.payload[entry]));
                }
            }
        }
        self.free(chunks);
        for (place, at_us, payload) in kept {
            self.push(place as usize - self.emitted, at_us, payload);
        }
    }

    fn free(&mut self, chunks: Vec<Box<Chunk<P>>>) {
        for mut chunk in chunks {
            if self.spare.len() < MAX_SPARE {
                chunk.len = 0;
                self.spare.push(chunk);
            } else {
                self.chunk_count -= 1;
            }
        }
    }
}

impl<P: Payload> Block<P> {
    fn new() -> Self {
        Self { chunks: vec![] }
    }

    /// False when there is no room.
    #[inline]
    fn push(&mut self, at_us: i64, place: u16, payload: P) -> bool {
        let Some(chunk) = self.chunks.last_mut() else { return false };
        let entry = chunk.len;
        if entry >= CHUNK_ENTRIES {
            return false;
        }
        chunk.at_us[entry] = at_us;
        chunk.place[entry] = place;
        chunk.payload[entry] = payload;
        chunk.len = entry + 1;
        true
    }

    /// Counting sort of the entries by group, for as many groups from place `first` as `sorted` has room for.
    fn group_into(&self, first: usize, payload_bits: u32, sorted: &mut Sorted<P>) {
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
        if payload_bits < u64::BITS && payload_bits <= span_us.leading_zeros() {
            let mut keys = sorted.keys.take_narrow();
            // What is there already is written over.
            if keys.len() < total {
                keys.resize(total, 0);
            }
            let key = |at_us: i64, payload: u64| (at_us.wrapping_sub(first_us) as u64) << payload_bits | payload;
            self.place(first, ends, &mut keys, key);
            sorted.keys = Keys::Narrow { keys, first_us, payload_bits };
        } else {
            let mut keys = vec![0; total];
            let key = |at_us: i64, payload: u64| u128::from(at_us as u64 ^ SIGN) << u64::BITS | u128::from(payload);
            self.place(first, ends, &mut keys, key);
            sorted.keys = Keys::Wide(keys);
        }
    }

    /// Puts the key of every entry among those of its group. `ends` holds where groups begin, and where they end when
    /// all is placed.
    fn place<K>(&self, first: usize, ends: &mut [usize], keys: &mut [K], key: impl Fn(i64, u64) -> K) {
        for chunk in &self.chunks {
            let len = chunk.len;
            for ((&place, &at_us), &payload) in
                chunk.place[..len].iter().zip(&chunk.at_us[..len]).zip(&chunk.payload[..len])
            {
                if let Some(end) = ends.get_mut((place as usize).wrapping_sub(first)) {
                    keys[*end] = key(at_us, payload.unpack());
                    *end += 1;
                }
            }
        }
    }
}

/// Turns the order of signed integers into that of unsigned ones.
const SIGN: u64 = 1 << 63;

impl<P> Keys<P> {
    /// The narrow keys' memory, with what was in it.
    fn take_narrow(&mut self) -> Vec<u64> {
        match self {
            Self::Narrow { keys, .. } => mem::take(keys),
            Self::Wide(_) | Self::Columns(_) => vec![],
        }
    }
}

impl<P: Payload> Chunk<P> {
    const EMPTY: Self =
        Self { len: 0, at_us: [0; CHUNK_ENTRIES], place: [0; CHUNK_ENTRIES], payload: [P::ZERO; CHUNK_ENTRIES] };
}

impl<P: Payload> Sorted<P> {
    fn new(ends: Vec<usize>, keys: Keys<P>) -> Self {
        Self { ends, keys, unordered: 0, at_us: vec![], payloads: vec![], late: vec![] }
    }

    fn clear(&mut self, group_count: usize) {
        self.ends.clear();
        self.ends.resize(group_count, 0);
        if !matches!(self.keys, Keys::Narrow { .. }) {
            self.keys = Keys::Wide(vec![]);
        }
    }

    /// Gives the entries of each group in the order of time; only groups that arrived out of order are sorted.
    ///
    /// Entries of one time come by payload, the smaller first.
    pub fn for_each_group(&mut self, each: impl FnMut(&[i64], &[P])) {
        self.for_each_group_with(0, each);
    }

    /// The same, with no entries for groups of which no entry has one of the `wanted` bits in its payload; these are not
    /// sorted. 0 wants nothing special.
    pub fn for_each_group_with(&mut self, wanted: u64, mut each: impl FnMut(&[i64], &[P])) {
        let Self { ends, keys, unordered, at_us, payloads, late } = self;
        let mut start = 0;
        for &end in &*ends {
            let group = start..end;
            start = end;
            at_us.clear();
            payloads.clear();
            match keys {
                Keys::Columns(columns) => {
                    let (times, bits) = (&columns.at_us[group.clone()], &columns.payloads[group]);
                    if wanted > 0 && !bits.iter().any(|bits| bits.unpack() & wanted > 0) {
                        each(&[], &[]);
                        continue;
                    }
                    if is_in_order(times, bits) {
                        each(times, bits);
                        continue;
                    }
                    *unordered += 1;
                    let mut entries: Vec<(i64, u64)> =
                        times.iter().copied().zip(bits.iter().map(|bits| bits.unpack())).collect();
                    entries.sort_unstable();
                    at_us.extend(entries.iter().map(|(at_us, _)| at_us));
                    payloads.extend(entries.iter().map(|(_, bits)| P::pack(*bits)));
                }
                Keys::Narrow { keys, first_us, payload_bits } => {
                    let keys = &mut keys[group];
                    if wanted > 0 && !keys.iter().any(|key| key & wanted > 0) {
                        each(&[], &[]);
                        continue;
                    }
                    let keys = in_order(keys, late, unordered);
                    let payload = (1 << *payload_bits) - 1;
                    at_us.extend(keys.iter().map(|key| first_us.wrapping_add((key >> *payload_bits) as i64)));
                    payloads.extend(keys.iter().map(|key| P::pack(key & payload)));
                }
                Keys::Wide(keys) => {
                    let keys = &mut keys[group];
                    if wanted > 0 && !keys.iter().any(|key| *key as u64 & wanted > 0) {
                        each(&[], &[]);
                        continue;
                    }
                    let keys = in_order(keys, &mut vec![], unordered);
                    at_us.extend(keys.iter().map(|key| ((key >> u64::BITS) as u64 ^ SIGN) as i64));
                    payloads.extend(keys.iter().map(|key| P::pack(*key as u64)));
                }
            }
            each(at_us, payloads);
        }
    }
}

/// By time, and by payload where times are equal.
fn is_in_order<P: Payload>(at_us: &[i64], payloads: &[P]) -> bool {
    let mut pairs = at_us.windows(2).zip(payloads.windows(2));
    let in_order = |(at_us, bits): (&[i64], &[P])| {
        at_us[0] < at_us[1] || (at_us[0] == at_us[1] && bits[0].unpack() <= bits[1].unpack())
    };
    pairs.all(in_order)
}

/// Sorts keys if they are not sorted. `late` is memory that is used again.
fn in_order<'a, K: Ord + Copy>(keys: &'a mut [K], late: &mut Vec<K>, unordered: &mut u64) -> &'a [K] {
    if !keys.is_sorted() {
        *unordered += 1;
        sort_late(keys, late);
    }
    keys
}

#[cfg(test)]
mod tests;
