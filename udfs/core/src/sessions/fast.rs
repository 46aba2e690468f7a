//! The most common question, only a gap and no infinity: one pass over the times.
//!
//! Rows of one time are one block here (SESSIONS-12) and no cause but `timeout` exists, so rows
//! need no order inside a time.

use super::walk::exceeds_finite;
use super::{Cause, Row, Session};

/// Rows looked at together: the bits of a `u64`.
const CHUNK_ROWS: usize = u64::BITS as usize;

/// Whether sorted times hold no infinity.
#[inline]
pub(super) fn is_finite(at_us: &[i64]) -> bool {
    at_us.first().is_none_or(|&first_us| first_us != i64::MIN)
        && at_us.last().is_none_or(|&last_us| last_us != i64::MAX)
}

/// [`super::rows`].
#[inline]
pub(super) fn rows(gap_us: i64, at_us: &[i64], mut sink: impl FnMut(Row)) {
    let Some(&first_us) = at_us.first() else {
        return;
    };
    let mut row = Row {
        session_no: 1,
        event_no: 1,
        cause: Some(Cause::First),
        gap_us: None,
        started_at_us: first_us,
        start_index: 0,
    };
    sink(row);
    for pair in at_us.windows(2) {
        // Selects, not branches: where a session starts cannot be predicted.
        let is_start = exceeds_finite(pair[0], pair[1], gap_us);
        row.session_no += i64::from(is_start);
        row.event_no = if is_start { 1 } else { row.event_no + 1 };
        row.cause = if is_start { Some(Cause::Timeout) } else { None };
        row.gap_us = Some(pair[1].saturating_sub(pair[0]));
        row.started_at_us = if is_start { pair[1] } else { row.started_at_us };
        sink(row);
    }
}

/// [`super::sessions`].
#[inline]
pub(super) fn sessions(gap_us: i64, at_us: &[i64], mut sink: impl FnMut(Session)) {
    let Some((_, later_us)) = at_us.split_first() else {
        return;
    };
    let (mut start, mut session_no, mut cause) = (0, 1, Cause::First);
    let session = |start: usize, end: usize, session_no, cause| Session {
        session_no,
        started_at_us: at_us[start],
        ended_at_us: at_us[end - 1],
        event_count: (end - start) as i64,
        cause,
        start_index: 0,
    };
    // A bit for every row that starts a session, then a visit to each bit: a branch for every row
    // would be mispredicted at every session, and doubles the time where sessions are short.
    let mut first_row = 1;
    for (before_us, at_us) in at_us.chunks(CHUNK_ROWS).zip(later_us.chunks(CHUNK_ROWS)) {
        let mut starts = 0_u64;
        for (nth, (&from_us, &to_us)) in before_us.iter().zip(at_us).enumerate() {
            starts |= u64::from(exceeds_finite(from_us, to_us, gap_us)) << nth;
        }
        while starts != 0 {
            let end = first_row + starts.trailing_zeros() as usize;
            starts &= starts - 1;
            sink(session(start, end, session_no, cause));
            (start, session_no, cause) = (end, session_no + 1, Cause::Timeout);
        }
        first_row += CHUNK_ROWS;
    }
    sink(session(start, at_us.len(), session_no, cause));
}
