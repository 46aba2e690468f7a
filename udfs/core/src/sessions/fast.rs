//! The most common question, only a gap and no infinity: one pass over the times.
//!
//! Rows of one time are one block here (SESSIONS-12) and no cause but `timeout` exists, so rows
//! need no order inside a time.

use super::walk::exceeds_finite;
use super::{Cause, Row, Session};

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
    if at_us.is_empty() {
        return;
    }
    let (mut start, mut session_no, mut cause) = (0, 1, Cause::First);
    let session = |start: usize, end: usize, session_no, cause| Session {
        session_no,
        started_at_us: at_us[start],
        ended_at_us: at_us[end - 1],
        event_count: (end - start) as i64,
        cause,
        start_index: 0,
    };
    for end in 1..at_us.len() {
        if exceeds_finite(at_us[end - 1], at_us[end], gap_us) {
            sink(session(start, end, session_no, cause));
            (start, session_no, cause) = (end, session_no + 1, Cause::Timeout);
        }
    }
    sink(session(start, at_us.len(), session_no, cause));
}
