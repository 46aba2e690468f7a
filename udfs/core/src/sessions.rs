//! Where one user's visits begin and end, and why.
//!
//! A user's rows come as columns sorted by time ([`Columns`]). [`rows`] numbers every row;
//! [`sessions`] gives one element for each session. Both follow one rule and cannot disagree.
//!
//! # Rules
//!
//! Times are minutes unless said; the gap is 30 minutes.
//!
//! - **SESSIONS-1, numbers.** Sessions of a user are numbered from 1 in order of time, events of a
//!   session from 1. The first row starts session 1; its cause is `first`. Every other row
//!   continues the session of the row before it unless one of the causes below holds.
//! - **SESSIONS-2, `timeout`.** A row starts a session when it comes more than the gap after the
//!   row before it. Exactly the gap stays: 10:00, 10:30 is one session, a microsecond later it is
//!   two.
//! - **SESSIONS-3, `max_duration`.** A row starts a session when it comes more than `max_duration`
//!   after the session's first row. Exactly `max_duration` stays.
//! - **SESSIONS-4, `max_events`.** A row starts a session when the session already holds
//!   `max_events` events.
//! - **SESSIONS-5, `condition`.** A row for which `new_when` is true starts a session.
//! - **SESSIONS-6, `end_condition`.** A row for which `end_when` is true is the last of its
//!   session: the row after it starts one.
//! - **SESSIONS-7, `change`.** A row starts a session when its `change_of` value differs from the
//!   user's last value before it. NULL is no value: it is no change and is not remembered, so
//!   a, NULL, a is one session and a, NULL, b is two. The last value is remembered across sessions.
//!   The user's first value is no change.
//! - **SESSIONS-8, `day`.** A row starts a session when its local day is not that of the row before
//!   it. Which day a moment belongs to is the caller's to say.
//! - **SESSIONS-9, precedence.** When several causes hold, the first in the order of [`Cause`] is
//!   reported; that is the order of the rules above.
//! - **SESSIONS-10, infinity.** The ends of `i64` are the infinities. They are further from every
//!   other time than any gap or duration, and equal to themselves. Gaps too long for an `i64` are
//!   reported as its maximum. Nobody is asked for the day of an infinity.
//!
//! # Ties
//!
//! - **SESSIONS-11, order at one time.** Rows of equal time are ordered by the tie column, then by
//!   what the spec reads: `new_when` (false first), `end_when` (false first), `change_of` (smaller
//!   first, NULL last). Their order in the input does not matter.
//! - **SESSIONS-12, blocks.** Rows equal in time and in all of these are a *block*. A split is
//!   decided once for a block, at its start, and never inside it: two equal `new_when` rows start
//!   one session, two equal `end_when` rows end one, and a session may exceed `max_events` by the
//!   rest of a block. All rows of a block are in the same session. Only the ordinal tells them
//!   apart: `event_no` follows the input, and the cause and the gap to the previous moment are on
//!   the first row.
//!
//! # Running counters
//!
//! The two counters that Snowflake and Vertica call `conditional_true_event` and
//! `conditional_change_event`; without ties the answers are theirs.
//!
//! - **SESSIONS-13, [`true_events`].** How many rows so far, this one included, satisfy the
//!   condition; NULL does not. At one time: tie column, then false before true; rows equal in both
//!   get the count after all of them, so that two true rows at the start both get 2.
//! - **SESSIONS-14, [`change_events`].** How many changes so far, this row's included, by
//!   SESSIONS-7: 0 until the second distinct value. At one time: tie column, then smaller first,
//!   NULL last; rows equal in both are one change at most.
//!
//! # Cost
//!
//! One pass, a few instructions a row when only the gap is asked for; rows of one time are sorted,
//! and only when there is something to order them by. The local day is asked for at most once for
//! every distinct moment. No allocation for a user: [`Scratch`] is reused.

mod fast;
mod key;
mod order;
mod running;
mod spec;
#[cfg(test)]
mod tests;
mod walk;

use walk::{Block, Walk};

pub use key::{UserKey, session_key};
pub use running::{change_events, true_events};
pub use spec::{Cause, Spec, SpecError, Splits};

/// Bit of [`Columns::flags`]: `new_when` is true (SESSIONS-5). The higher of the two, so that flags
/// compare as SESSIONS-11 orders them.
pub const NEW_WHEN: u8 = 0b10;
/// Bit of [`Columns::flags`]: `end_when` is true (SESSIONS-6).
pub const END_WHEN: u8 = 0b01;

/// One user's rows, sorted by time; an empty slice is a column that the call does not have.
///
/// Columns that the [`Spec`] does not read are ignored, whatever their length.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns<'a> {
    /// Time in microseconds, ascending; equal times in any order.
    pub at_us: &'a [i64],
    /// [`NEW_WHEN`] and [`END_WHEN`]; a NULL condition is false.
    pub flags: &'a [u8],
    /// Codes of the `change_of` values in the order of the values; 0 is NULL.
    pub change: &'a [u32],
    /// Ranks of the tie column, NULL with the highest.
    pub tie: &'a [u32],
}

impl<'a> Columns<'a> {
    /// Times alone: all that a spec with only a gap, `max_duration`, `max_events` or `day` reads.
    pub fn of_times(at_us: &'a [i64]) -> Self {
        Self { at_us, ..Self::default() }
    }
}

/// What [`rows`] says of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The session, from 1.
    pub session_no: i64,
    /// The row's place in its session, from 1.
    pub event_no: i64,
    /// Why the session starts here; `None` unless this is its first row.
    pub cause: Option<Cause>,
    /// Time since the row before, of whichever session; `None` on the user's first row.
    pub gap_us: Option<i64>,
    /// Time of the session's first row.
    pub started_at_us: i64,
    /// How many earlier sessions of the user start at that very time; see [`session_key`].
    pub start_index: u32,
}

impl Row {
    /// Whether the row is the first of its session.
    pub fn is_start(&self) -> bool {
        self.cause.is_some()
    }
}

/// One session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its number, from 1.
    pub session_no: i64,
    /// Time of its first row.
    pub started_at_us: i64,
    /// Time of its last row.
    pub ended_at_us: i64,
    /// Its rows, at least 1.
    pub event_count: i64,
    /// Why it started.
    pub cause: Cause,
    /// How many earlier sessions of the user start at that very time; see [`session_key`].
    pub start_index: u32,
}

/// Working memory, reused between users and specs; nothing carries over from one call to the next.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    keys: Vec<u128>,
    rows: Vec<Row>,
    counts: Vec<i64>,
}

/// Calls `sink` once for every row, in the order of the input.
///
/// `day_of` maps a moment to its local day and is called only if the spec splits at days, at most
/// once for every distinct moment and never for an infinity. Never fails; panics only if a column
/// that the spec reads is not as long as `at_us`.
pub fn rows(
    spec: &Spec,
    columns: &Columns,
    day_of: impl FnMut(i64) -> i64,
    scratch: &mut Scratch,
    mut sink: impl FnMut(Row),
) {
    check(spec, columns);
    if spec.is_gap_only() && columns.tie.is_empty() && fast::is_finite(columns.at_us) {
        return fast::rows(spec.gap_us(), columns.at_us, sink);
    }
    let mut walk = Walk::new(spec, day_of);
    let Scratch { keys, rows, .. } = scratch;
    order::for_each_block(columns.at_us, walk::key(spec, columns), keys, |block| {
        let first = walk.step(&Block::of(spec, columns, block), |_| ());
        block.place(rows, |place| walk::row_of_block(first, place), &mut sink);
    });
}

/// Calls `sink` once for every session, in order of their numbers; not at all without rows.
///
/// As [`rows`] otherwise.
pub fn sessions(
    spec: &Spec,
    columns: &Columns,
    day_of: impl FnMut(i64) -> i64,
    scratch: &mut Scratch,
    mut sink: impl FnMut(Session),
) {
    check(spec, columns);
    if spec.is_gap_only() && fast::is_finite(columns.at_us) {
        return fast::sessions(spec.gap_us(), columns.at_us, sink);
    }
    let mut walk = Walk::new(spec, day_of);
    order::for_each_block(columns.at_us, walk::key(spec, columns), &mut scratch.keys, |block| {
        walk.step(&Block::of(spec, columns, block), &mut sink);
    });
    if let Some(last) = walk.finish() {
        sink(last);
    }
}

/// Checks what the rule relies on. The lengths are the caller's invariant, the order too costly to
/// check twice.
fn check(spec: &Spec, columns: &Columns) {
    let row_count = columns.at_us.len();
    let splits = spec.splits();
    assert!(!(splits.new_when || splits.end_when) || columns.flags.len() == row_count, "flags for every row");
    assert!(!splits.change || columns.change.len() == row_count, "a code of change_of for every row");
    assert!(columns.tie.is_empty() || columns.tie.len() == row_count, "a tie rank for every row");
    debug_assert!(columns.at_us.is_sorted(), "rows of a user are not sorted by time");
}
