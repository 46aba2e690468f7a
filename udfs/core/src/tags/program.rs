//! A compiled expression, and its answer for a row's bits.

use std::fmt;

use super::error::TagError;
use super::lookup::Lookup;
use super::parser::{ListRule, Op, Parsed, parse};
use super::table;
use super::{Atom, Case, MAX_NESTING};

/// A compiled tag expression: which tags matter, and what they add up to.
///
/// Immutable and cheap to share between threads; each thread makes its own [`super::Matcher`]. A
/// row's tags become bits, one for each of [`Program::atoms`]; the answer is a function of the bits.
#[derive(Clone, Debug)]
pub struct Program {
    text: String,
    case: Case,
    atoms: Vec<Atom>,
    lookup: Lookup,
    ops: Vec<Op>,
    /// The members of the lists in `ops`, as bits of a word; every word at most once in a list.
    masks: Vec<Mask>,
    /// The most truth values that wait at a time.
    stack_size: usize,
    /// The answer for every value of the bits, where there are few enough.
    table: Option<Vec<u64>>,
}

/// Some bits of one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mask {
    pub word: u32,
    pub bits: u64,
}

/// Each open parenthesis leaves at most an OR, a XOR and an AND to wait for their right operands.
const MAX_STACK: usize = (MAX_NESTING + 1) * 3 + 1;

/// The stack that expressions of people need; clearing the large one would cost more than they do.
const SMALL_STACK: usize = 32;

impl Program {
    /// Compiles an expression (the rules of [`super`]).
    ///
    /// Errors say the place and the fault; [`TagError`]. Costs time and memory linear in the
    /// expression.
    pub fn compile(expression: &str, case: Case) -> Result<Self, TagError> {
        let Parsed { atoms, mut ops, members, text } = parse(expression, case)?;
        let masks = pack(&mut ops, &members);
        Ok(Self {
            lookup: Lookup::new(&atoms),
            stack_size: stack_size(&ops),
            table: (atoms.len() <= table::MAX_BITS).then(|| table::build(atoms.len(), &ops, &masks)),
            text,
            case,
            atoms,
            ops,
            masks,
        })
    }

    /// The distinct conditions on single tags; the index of each is its bit. Under
    /// [`Case::Insensitive`] their texts are in lower case.
    pub fn atoms(&self) -> &[Atom] {
        &self.atoms
    }

    /// Whether case matters.
    pub fn case(&self) -> Case {
        self.case
    }

    /// How many words the bits of a row fill: 1 for up to 64 atoms, at most `MAX_ATOMS / 64`.
    pub fn word_count(&self) -> usize {
        self.atoms.len().div_ceil(64)
    }

    /// The answer, where it is the same for every row: `a OR NOT a`. Looked for where there are at
    /// most 12 atoms; none above.
    pub fn constant(&self) -> Option<bool> {
        self.table.as_deref().and_then(|table| table::constant(self.atoms.len(), table))
    }

    /// The atoms without which no row matches, ascending: in `a AND (b OR c)` the index of `a`.
    ///
    /// May be left out where one could be proved only by cases (`(a AND b) OR (a AND NOT b)` gives
    /// `a`, `(a OR b) AND (a OR NOT b)` may not). Costs `atoms / 64` passes over the program.
    pub fn required(&self) -> Vec<usize> {
        table::required(self.atoms.len(), &self.ops, &self.masks)
    }

    /// The answer for a row whose bits are these; the OR of the bits of its tags.
    ///
    /// Panics when there are fewer than [`Program::word_count`] words; others are ignored. Never
    /// allocates. One look-up for up to 12 atoms, else one pass over the program.
    #[inline]
    pub fn evaluate(&self, bits: &[u64]) -> bool {
        match &self.table {
            Some(table) => table::look_up(self.atoms.len(), table, bits[0]),
            None => self.evaluate_postfix(bits),
        }
    }

    /// The answer without the table.
    pub(super) fn evaluate_postfix(&self, bits: &[u64]) -> bool {
        if self.stack_size <= SMALL_STACK { self.run::<SMALL_STACK>(bits) } else { self.run::<MAX_STACK>(bits) }
    }

    fn run<const SIZE: usize>(&self, bits: &[u64]) -> bool {
        let mut stack = [false; SIZE];
        // One above the top of the stack.
        let mut top = 0;
        for op in &self.ops {
            match op {
                Op::Atom(bit) => {
                    stack[top] = bits[*bit as usize / 64] >> (bit % 64) & 1 == 1;
                    top += 1;
                }
                Op::List { rule, start, end } => {
                    stack[top] = holds(*rule, &self.masks[*start as usize..*end as usize], bits);
                    top += 1;
                }
                Op::Not => stack[top - 1] = !stack[top - 1],
                Op::And | Op::Xor | Op::Or => {
                    top -= 1;
                    let right = stack[top];
                    let left = &mut stack[top - 1];
                    *left = match op {
                        Op::And => *left & right,
                        Op::Xor => *left ^ right,
                        _ => *left | right,
                    };
                }
            }
        }
        stack[0]
    }

    /// Sets the bits of a tag that is already in the case of the program.
    #[inline]
    pub(super) fn mark(&self, tag: &str, bits: &mut [u64]) {
        self.lookup.mark(tag, bits);
    }
}

impl fmt::Display for Program {
    /// The expression in one spelling: operators as words, names quoted where they must be, single
    /// spaces. Compiles to the same program.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a list holds for the bits.
fn holds(rule: ListRule, masks: &[Mask], bits: &[u64]) -> bool {
    let held = |mask: &Mask| bits[mask.word as usize] & mask.bits;
    match rule {
        ListRule::Any => masks.iter().any(|mask| held(mask) != 0),
        ListRule::All => masks.iter().all(|mask| held(mask) == mask.bits),
        ListRule::AtLeast(count) => masks.iter().map(|mask| held(mask).count_ones()).sum::<u32>() >= count,
    }
}

/// Turns the lists of members into masks, and the ranges of the operations with them.
fn pack(ops: &mut [Op], members: &[u32]) -> Vec<Mask> {
    let mut masks: Vec<Mask> = Vec::new();
    let mut sorted = Vec::new();
    for op in ops {
        let Op::List { start, end, .. } = op else { continue };
        sorted.clear();
        sorted.extend_from_slice(&members[*start as usize..*end as usize]);
        sorted.sort_unstable();
        *start = masks.len() as u32;
        for group in sorted.chunk_by(|left, right| left / 64 == right / 64) {
            let bits = group.iter().fold(0, |bits, member| bits | 1 << (member % 64));
            masks.push(Mask { word: group[0] / 64, bits });
        }
        *end = masks.len() as u32;
    }
    masks
}

/// The most truth values that wait at a time.
fn stack_size(ops: &[Op]) -> usize {
    let (mut size, mut most) = (0_usize, 0);
    for op in ops {
        match op {
            Op::Atom(_) | Op::List { .. } => size += 1,
            Op::Not => {}
            Op::And | Op::Xor | Op::Or => size -= 1,
        }
        most = most.max(size);
    }
    most
}
