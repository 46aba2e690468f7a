//! The rule itself: block by block, which cause if any starts a session.

use super::{Cause, Columns, END_WHEN, NEW_WHEN, Row, Session, Spec, order};

/// What the rule reads of the rows of one block, which are equal in all of it.
pub(super) struct Block {
    at_us: i64,
    /// Only bits that the spec reads.
    flags: u8,
    /// 0 if NULL, or not read.
    change: u32,
    row_count: usize,
}

impl Block {
    /// The block's values, from its first row.
    #[inline]
    pub fn of(spec: &Spec, columns: &Columns, block: &order::Block) -> Self {
        let flag_bits = spec.flag_bits();
        Self {
            at_us: columns.at_us[block.row],
            flags: if flag_bits == 0 { 0 } else { columns.flags[block.row] & flag_bits },
            change: if spec.splits().change { columns.change[block.row] } else { 0 },
            row_count: block.row_count,
        }
    }
}

/// The order of rows at one time by SESSIONS-11, if there is anything to order them by.
pub(super) fn key(spec: &Spec, columns: &Columns) -> Option<impl Fn(usize) -> u128> {
    let flag_bits = spec.flag_bits();
    let has_change = spec.splits().change;
    let Columns { flags, change, tie, .. } = *columns;
    (flag_bits != 0 || has_change || !tie.is_empty()).then_some(move |row: usize| {
        let tie = if tie.is_empty() { 0 } else { tie[row] };
        let flags = if flag_bits == 0 { 0 } else { flags[row] & flag_bits };
        let change = if has_change { change[row] } else { 0 };
        u128::from(tie) << 34 | u128::from(flags) << 32 | u128::from(null_last(change))
    })
}

/// A code of a value so that NULL, 0, comes after all others.
pub(super) fn null_last(code: u32) -> u32 {
    code.wrapping_sub(1)
}

/// A user's sessions up to some block.
pub(super) struct Walk<'a, D> {
    spec: &'a Spec,
    /// The session that the last block belongs to; without events before the first block.
    open: Session,
    /// The last row satisfied `end_when`.
    is_ended: bool,
    last_value: LastValue,
    days: Days<D>,
}

impl<'a, D: FnMut(i64) -> i64> Walk<'a, D> {
    /// A user of whom nothing was seen.
    pub fn new(spec: &'a Spec, day_of: D) -> Self {
        let open = Session {
            session_no: 0,
            started_at_us: 0,
            ended_at_us: 0,
            event_count: 0,
            cause: Cause::First,
            start_index: 0,
        };
        let days = Days { day_of, latest: None };
        Self { spec, open, is_ended: false, last_value: LastValue::default(), days }
    }

    /// Takes the next block and gives the answer of its first row; the session that it ends, if
    /// any, goes to `finished`.
    #[inline(always)]
    pub fn step(&mut self, block: &Block, mut finished: impl FnMut(Session)) -> Row {
        let is_change = self.last_value.observe(block.change);
        let is_first = self.open.event_count == 0;
        let cause = if is_first { Some(Cause::First) } else { self.cause(block, is_change) };
        let gap_us = if is_first { None } else { Some(elapsed_us(self.open.ended_at_us, block.at_us)) };
        if let Some(cause) = cause {
            if !is_first {
                finished(self.open);
            }
            let starts_again = !is_first && self.open.started_at_us == block.at_us;
            self.open.session_no += 1;
            self.open.start_index = if starts_again { self.open.start_index.saturating_add(1) } else { 0 };
            self.open.started_at_us = block.at_us;
            self.open.event_count = 0;
            self.open.cause = cause;
        }
        let row = Row {
            session_no: self.open.session_no,
            event_no: self.open.event_count + 1,
            cause,
            gap_us,
            started_at_us: self.open.started_at_us,
            start_index: self.open.start_index,
        };
        self.open.ended_at_us = block.at_us;
        self.open.event_count += block.row_count as i64;
        self.is_ended = block.flags & END_WHEN != 0;
        row
    }

    /// The first cause that holds in the order of [`Cause`] (SESSIONS-2 to SESSIONS-9).
    #[inline(always)]
    fn cause(&mut self, block: &Block, is_change: bool) -> Option<Cause> {
        let Session { started_at_us, ended_at_us, event_count, .. } = self.open;
        let timeout = exceeds(ended_at_us, block.at_us, self.spec.gap_us());
        // A step over an infinity is a timeout already.
        let too_long =
            (self.spec.max_duration_us()).is_some_and(|limit_us| exceeds_finite(started_at_us, block.at_us, limit_us));
        let is_full = self.spec.max_events().is_some_and(|limit| event_count as u64 >= limit);
        let is_new = block.flags & NEW_WHEN != 0;
        // One branch for all: where a session starts cannot be predicted, which cause it has need
        // not be.
        if timeout | too_long | is_full | is_new | self.is_ended | is_change {
            let causes = [
                (timeout, Cause::Timeout),
                (too_long, Cause::MaxDuration),
                (is_full, Cause::MaxEvents),
                (is_new, Cause::Condition),
                (self.is_ended, Cause::EndCondition),
            ];
            return causes.into_iter().find_map(|(holds, cause)| holds.then_some(cause)).or(Some(Cause::Change));
        }
        (self.spec.splits().day && self.days.differ(ended_at_us, block.at_us)).then_some(Cause::Day)
    }

    /// The session that was open when the rows ended.
    pub fn finish(self) -> Option<Session> {
        (self.open.event_count > 0).then_some(self.open)
    }
}

/// The answer of a block's n-th row, from 0, given that of its first (SESSIONS-12).
#[inline]
pub(super) fn row_of_block(first: Row, nth: usize) -> Row {
    if nth == 0 { first } else { Row { event_no: first.event_no + nth as i64, cause: None, gap_us: Some(0), ..first } }
}

/// Whether a time lies more than `limit_us` after an earlier or equal one (SESSIONS-2, SESSIONS-10).
#[inline]
pub(super) fn exceeds(from_us: i64, to_us: i64, limit_us: i64) -> bool {
    is_infinite(from_us, to_us) || exceeds_finite(from_us, to_us, limit_us)
}

/// [`exceeds`] for two times of which none is an infinity.
///
/// The difference of two ordered `i64` always fits a `u64`, so nothing needs to saturate.
#[inline(always)]
pub(super) fn exceeds_finite(from_us: i64, to_us: i64, limit_us: i64) -> bool {
    to_us.wrapping_sub(from_us) as u64 > limit_us as u64
}

/// The time between two ordered times, saturating (SESSIONS-10).
#[inline]
pub(super) fn elapsed_us(from_us: i64, to_us: i64) -> i64 {
    if is_infinite(from_us, to_us) { i64::MAX } else { to_us.saturating_sub(from_us) }
}

/// Whether an infinity lies between two ordered times.
#[inline]
fn is_infinite(from_us: i64, to_us: i64) -> bool {
    from_us != to_us && (from_us == i64::MIN || to_us == i64::MAX)
}

/// The last value that was not NULL (SESSIONS-7).
#[derive(Default)]
pub(super) struct LastValue {
    code: u32,
}

impl LastValue {
    /// Whether a value is a change; remembers it.
    #[inline]
    pub fn observe(&mut self, code: u32) -> bool {
        let is_change = code != 0 && self.code != 0 && code != self.code;
        if code != 0 {
            self.code = code;
        }
        is_change
    }
}

/// Local days, each moment asked for once.
struct Days<D> {
    day_of: D,
    /// The latest moment asked for, and its day.
    latest: Option<(i64, i64)>,
}

impl<D: FnMut(i64) -> i64> Days<D> {
    /// Whether two ordered times lie on different days.
    ///
    /// Called only if no earlier cause holds; a step from or to an infinity is a timeout, so no
    /// infinity gets here but beside itself.
    fn differ(&mut self, from_us: i64, to_us: i64) -> bool {
        if from_us == to_us {
            return false;
        }
        let from_day = match self.latest {
            Some((at_us, day)) if at_us == from_us => day,
            _ => (self.day_of)(from_us),
        };
        let to_day = (self.day_of)(to_us);
        self.latest = Some((to_us, to_day));
        from_day != to_day
    }
}
