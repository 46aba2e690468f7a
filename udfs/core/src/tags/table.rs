//! What can be known of a program before any row: its truth table, and the atoms it requires.
//!
//! Both run the program once for 64 cases at a time, one case to a bit of each word.

use super::parser::{ListRule, Op};
use super::program::Mask;

/// The most atoms that a table is built for: 4,096 answers in 512 bytes.
pub(super) const MAX_BITS: usize = 12;

/// In word `w`, bit `k` is the answer for the bits `64 * w + k`.
pub(super) fn build(atom_count: usize, ops: &[Op], masks: &[Mask]) -> Vec<u64> {
    let words = (1_usize << atom_count).div_ceil(64);
    let mut stack = Vec::new();
    (0..words).map(|word| run_cases(word, ops, masks, &mut stack)).collect()
}

/// The answer for the bits.
#[inline]
pub(super) fn look_up(atom_count: usize, table: &[u64], bits: u64) -> bool {
    let case = bits & ((1 << atom_count) - 1);
    table[case as usize / 64] >> (case % 64) & 1 == 1
}

/// The one answer of the whole table, if there is one.
pub(super) fn constant(atom_count: usize, table: &[u64]) -> Option<bool> {
    let all = if atom_count >= 6 { u64::MAX } else { (1 << (1_u32 << atom_count)) - 1 };
    if table.iter().all(|word| word & all == 0) {
        Some(false)
    } else if table.iter().all(|word| word & all == all) {
        Some(true)
    } else {
        None
    }
}

/// The program for the 64 cases whose bits begin at `64 * word`.
fn run_cases(word: usize, ops: &[Op], masks: &[Mask], stack: &mut Vec<u64>) -> u64 {
    stack.clear();
    for op in ops {
        let value = match op {
            Op::Atom(bit) => cases_with(*bit, word),
            Op::List { rule, start, end } => {
                let members = masks[*start as usize..*end as usize].iter().flat_map(members);
                let held = members.map(|bit| cases_with(bit, word));
                match rule {
                    ListRule::Any => held.fold(0, |any, one| any | one),
                    ListRule::All => held.fold(u64::MAX, |all, one| all & one),
                    ListRule::AtLeast(count) => at_least(*count as usize, held),
                }
            }
            Op::Not => !pop(stack),
            Op::And => pop(stack) & pop(stack),
            Op::Xor => pop(stack) ^ pop(stack),
            Op::Or => pop(stack) | pop(stack),
        };
        stack.push(value);
    }
    pop(stack)
}

/// The cases, of the 64 in the word, in which the atom holds.
fn cases_with(bit: u32, word: usize) -> u64 {
    const WITHIN_WORD: [u64; 6] = [
        0xAAAA_AAAA_AAAA_AAAA,
        0xCCCC_CCCC_CCCC_CCCC,
        0xF0F0_F0F0_F0F0_F0F0,
        0xFF00_FF00_FF00_FF00,
        0xFFFF_0000_FFFF_0000,
        0xFFFF_FFFF_0000_0000,
    ];
    match WITHIN_WORD.get(bit as usize) {
        Some(&cases) => cases,
        None if word >> (bit - 6) & 1 == 1 => u64::MAX,
        None => 0,
    }
}

/// The cases in which `count` or more of the members hold.
fn at_least(count: usize, held: impl Iterator<Item = u64>) -> u64 {
    // Entry k: the cases in which k + 1 or more of the members so far hold.
    let mut reached = vec![0; count];
    for cases in held {
        for k in (1..count).rev() {
            reached[k] |= reached[k - 1] & cases;
        }
        reached[0] |= cases;
    }
    reached[count - 1]
}

/// The atoms without which the program cannot be true, ascending.
///
/// Case k of a pass supposes that atom k of the pass does not hold and that nothing is known of the
/// others; it is required when the program is then surely false.
pub(super) fn required(atom_count: usize, ops: &[Op], masks: &[Mask]) -> Vec<usize> {
    let mut required = Vec::new();
    let mut stack = Vec::new();
    for word in 0..atom_count.div_ceil(64) {
        let possible = run_unknown(word as u32, ops, masks, &mut stack);
        let last = (atom_count - word * 64).min(64);
        required.extend((0..last).filter(|bit| possible >> bit & 1 == 0).map(|bit| word * 64 + bit));
    }
    required
}

/// The cases in which a value may be true, and those in which it may be false.
#[derive(Clone, Copy)]
struct Maybe {
    yes: u64,
    no: u64,
}

fn run_unknown(word: u32, ops: &[Op], masks: &[Mask], stack: &mut Vec<Maybe>) -> u64 {
    stack.clear();
    for op in ops {
        let value = match op {
            Op::Atom(bit) => unknown(*bit, word),
            Op::List { rule, start, end } => {
                let masks = &masks[*start as usize..*end as usize];
                let size: u32 = masks.iter().map(|mask| mask.bits.count_ones()).sum();
                let here = masks.iter().filter(|mask| mask.word == word).fold(0, |bits, mask| bits | mask.bits);
                let needed = match rule {
                    ListRule::Any => 1,
                    ListRule::All => size,
                    ListRule::AtLeast(count) => *count,
                };
                // A case takes one member away, and only if it is in the list.
                Maybe { yes: if needed == size { !here } else { u64::MAX }, no: u64::MAX }
            }
            Op::Not => {
                let Maybe { yes, no } = pop_maybe(stack);
                Maybe { yes: no, no: yes }
            }
            Op::And => {
                let (right, left) = (pop_maybe(stack), pop_maybe(stack));
                Maybe { yes: left.yes & right.yes, no: left.no | right.no }
            }
            Op::Or => {
                let (right, left) = (pop_maybe(stack), pop_maybe(stack));
                Maybe { yes: left.yes | right.yes, no: left.no & right.no }
            }
            Op::Xor => {
                let (right, left) = (pop_maybe(stack), pop_maybe(stack));
                Maybe { yes: left.yes & right.no | left.no & right.yes, no: left.yes & right.yes | left.no & right.no }
            }
        };
        stack.push(value);
    }
    pop_maybe(stack).yes
}

fn unknown(bit: u32, word: u32) -> Maybe {
    let absent = if bit / 64 == word { 1 << (bit % 64) } else { 0 };
    Maybe { yes: !absent, no: u64::MAX }
}

/// The bits of a mask, as indexes of atoms.
fn members(mask: &Mask) -> impl Iterator<Item = u32> + use<> {
    let Mask { word, bits } = *mask;
    (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit)
}

/// The parser gives every operation its operands, so the stack is never empty here.
fn pop(stack: &mut Vec<u64>) -> u64 {
    stack.pop().unwrap_or_default()
}

/// As [`pop`].
fn pop_maybe(stack: &mut Vec<Maybe>) -> Maybe {
    stack.pop().unwrap_or(Maybe { yes: 0, no: 0 })
}
