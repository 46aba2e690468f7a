//! From one tag to the bits of the conditions it satisfies.
//!
//! Most tags of a row are in no expression, so the common answer is no: one bit of a filter by length
//! and three bytes, without a branch that depends on the tag. The rest is a hash of at most sixteen
//! bytes.

use super::Atom;
use super::value::Comparison;

/// The conditions of an expression, arranged for a look-up by tag.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    tags: Table,
    /// The bit of each tag, in the order of the table.
    tag_bits: Vec<u32>,
    prefixes: Table,
    prefix_bits: Vec<u32>,
    /// Distinct lengths of prefixes in bytes, ascending.
    prefix_lengths: Vec<usize>,
    compared: Table,
    /// The comparisons of each name, in the order of the table.
    comparisons: Vec<Vec<(u32, Comparison)>>,
    /// Whether a tag that begins with this byte can satisfy a prefix or a comparison.
    first_bytes: [bool; 256],
    has_more: bool,
}

impl Lookup {
    /// Arranges the conditions; the bit of each is its index.
    pub(super) fn new(atoms: &[Atom]) -> Self {
        let (mut tags, mut tag_bits) = (Vec::new(), Vec::new());
        let (mut prefixes, mut prefix_bits) = (Vec::new(), Vec::new());
        let mut compared: Vec<(&str, u32, &Comparison)> = Vec::new();
        for (bit, atom) in (0..).zip(atoms) {
            match atom {
                Atom::Tag(name) => {
                    tags.push(name.as_str());
                    tag_bits.push(bit);
                }
                Atom::Prefix(prefix) => {
                    prefixes.push(prefix.as_str());
                    prefix_bits.push(bit);
                }
                Atom::Compare(comparison) => compared.push((&comparison.name, bit, comparison)),
            }
        }
        compared.sort_by_key(|&(name, bit, _)| (name, bit));
        let groups: Vec<_> = compared.chunk_by(|left, right| left.0 == right.0).collect();
        let compared_names: Vec<&str> = groups.iter().map(|group| group[0].0).collect();

        let mut first_bytes = [prefixes.contains(&""); 256];
        for name in prefixes.iter().chain(&compared_names) {
            if let Some(&first) = name.as_bytes().first() {
                first_bytes[usize::from(first)] = true;
            }
        }
        let mut prefix_lengths: Vec<usize> = prefixes.iter().map(|prefix| prefix.len()).collect();
        prefix_lengths.sort_unstable();
        prefix_lengths.dedup();
        Self {
            has_more: !prefixes.is_empty() || !groups.is_empty(),
            comparisons: groups
                .iter()
                .map(|group| group.iter().map(|&(_, bit, comparison)| (bit, comparison.clone())).collect())
                .collect(),
            compared: Table::new(&compared_names),
            tags: Table::new(&tags),
            tag_bits,
            prefixes: Table::new(&prefixes),
            prefix_bits,
            prefix_lengths,
            first_bytes,
        }
    }

    /// Sets the bits of the conditions that the tag satisfies. An empty tag satisfies none.
    #[inline]
    pub(super) fn mark(&self, tag: &str, bits: &mut [u64]) {
        let Some(&first) = tag.as_bytes().first() else { return };
        if self.tags.may_hold(tag.as_bytes())
            && let Some(index) = self.tags.find(tag.as_bytes())
        {
            set(bits, self.tag_bits[index]);
        }
        if self.has_more && self.first_bytes[usize::from(first)] {
            self.mark_prefixes(tag.as_bytes(), bits);
            self.mark_comparisons(tag, bits);
        }
    }

    /// One look-up for each length that a prefix has.
    fn mark_prefixes(&self, tag: &[u8], bits: &mut [u64]) {
        for &length in &self.prefix_lengths {
            let Some(start) = tag.get(..length) else { return };
            if let Some(index) = self.prefixes.find(start) {
                set(bits, self.prefix_bits[index]);
            }
        }
    }

    /// Every colon and every equals sign may stand between a name and its value.
    fn mark_comparisons(&self, tag: &str, bits: &mut [u64]) {
        if self.comparisons.is_empty() {
            return;
        }
        for (at, separator) in tag.bytes().enumerate() {
            if separator != b':' && separator != b'=' {
                continue;
            }
            let Some(index) = self.compared.find(&tag.as_bytes()[..at]) else { continue };
            let value = tag[at + 1..].trim();
            for (bit, comparison) in &self.comparisons[index] {
                if comparison.holds(value) {
                    set(bits, *bit);
                }
            }
        }
    }
}

#[inline]
fn set(bits: &mut [u64], bit: u32) {
    bits[bit as usize / 64] |= 1 << (bit % 64);
}

/// Distinct names and their index, found by hash.
#[derive(Clone, Debug)]
struct Table {
    /// A power of two of slots, at least three quarters of them empty; none without names.
    slots: Vec<Slot>,
    names: Vec<Box<[u8]>>,
    /// A power of two of words whose bits tell most other names at a glance.
    filter: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: Key,
    index: u32,
}

impl Slot {
    const EMPTY: Self = Self { key: Key { first: 0, last: 0, length: 0 }, index: u32::MAX };
}

impl Table {
    fn new(names: &[&str]) -> Self {
        let slot_count = if names.is_empty() { 0 } else { (names.len() * 4).next_power_of_two().max(16) };
        let filter_words = (names.len() / 2).next_power_of_two().max(16);
        let mut table = Self {
            slots: vec![Slot::EMPTY; slot_count],
            names: names.iter().map(|name| name.as_bytes().into()).collect(),
            filter: vec![0; filter_words],
        };
        for (index, name) in (0..).zip(names) {
            let key = Key::of(name.as_bytes());
            let mut at = key.hash() & (slot_count - 1);
            while table.slots[at].index != Slot::EMPTY.index {
                at = (at + 1) & (slot_count - 1);
            }
            table.slots[at] = Slot { key, index };
            let glance = glance(name.as_bytes());
            table.filter[(glance / 64) & (filter_words - 1)] |= 1 << (glance % 64);
        }
        table
    }

    /// False for most names that are not in the table, true for all that are.
    #[inline]
    fn may_hold(&self, name: &[u8]) -> bool {
        let glance = glance(name);
        self.filter[(glance / 64) & (self.filter.len() - 1)] >> (glance % 64) & 1 == 1
    }

    /// The index of the name.
    #[inline]
    fn find(&self, name: &[u8]) -> Option<usize> {
        let last = self.slots.len().checked_sub(1)?;
        let key = Key::of(name);
        let mut at = key.hash() & last;
        loop {
            let slot = &self.slots[at & last];
            if slot.index == Slot::EMPTY.index {
                return None;
            }
            let index = slot.index as usize;
            if slot.key == key && (key.is_whole() || *self.names[index] == *name) {
                return Some(index);
            }
            at += 1;
        }
    }
}

/// A hash of the length and of the first, middle and last byte, which no name is too short for.
#[inline]
fn glance(name: &[u8]) -> usize {
    let byte = |at: usize| usize::from(name.get(at).copied().unwrap_or_default());
    let length = name.len();
    let mixed = byte(0) ^ byte(length / 2) << 8 ^ byte(length.wrapping_sub(1)) << 16 ^ length << 24;
    ((mixed as u64).wrapping_mul(MIX[0]) >> 40) as usize
}

/// Odd numbers without pattern: the fractions of the golden ratio and of pi.
const MIX: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0x243F_6A88_85A3_08D3];

/// The first and last eight bytes of a name and its length: all of a name of up to sixteen bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    first: u64,
    last: u64,
    length: usize,
}

impl Key {
    #[inline]
    fn of(name: &[u8]) -> Self {
        let length = name.len();
        let (first, last) = if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
        } else if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
            (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
        } else if let (Some(first), Some(last)) = (name.first(), name.last()) {
            // Of one to three bytes, the middle one is the second.
            (u64::from(*first) | u64::from(name[length / 2]) << 8, u64::from(*last))
        } else {
            (0, 0)
        };
        Self { first, last, length }
    }

    /// Whether equal keys are equal names.
    #[inline]
    fn is_whole(&self) -> bool {
        self.length <= 16
    }

    #[inline]
    fn hash(&self) -> usize {
        let mixed = (self.first ^ self.length as u64).wrapping_mul(MIX[0]) ^ self.last.wrapping_mul(MIX[1]);
        (mixed.wrapping_mul(MIX[0]) >> 40) as usize
    }
}
