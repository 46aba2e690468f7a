//! The rules read one row at a time, looking back as far as they say.

use std::cmp::Ordering;

use super::super::{Cause, Row, Session, Spec};
use super::Event;

/// Every event with its answer, in the order of SESSIONS-11.
pub fn rows(spec: &Spec, events: &[Event], day_of: impl Fn(i64) -> i64) -> Vec<(Event, Row)> {
    let mut events = events.to_vec();
    events.sort_by(|one, other| order(spec, one, other));
    let mut answers: Vec<(Event, Row)> = Vec::new();
    for &event in &events {
        let cause = cause(spec, &answers, &event, &day_of);
        let gap_us = answers.last().map(|(before, _)| match distance_us(before.at_us, event.at_us) {
            Some(distance_us) => i64::try_from(distance_us).unwrap_or(i64::MAX),
            None => i64::MAX,
        });
        let row = match (cause, answers.last()) {
            (None, Some((_, before))) => Row { event_no: before.event_no + 1, cause, gap_us, ..*before },
            _ => {
                let starts = answers.iter().filter(|(_, row)| row.cause.is_some());
                let at_this_time = starts.clone().filter(|(start, _)| start.at_us == event.at_us).count();
                Row {
                    session_no: starts.count() as i64 + 1,
                    event_no: 1,
                    cause,
                    gap_us,
                    started_at_us: event.at_us,
                    start_index: at_this_time as u32,
                }
            }
        };
        answers.push((event, row));
    }
    answers
}

/// The sessions that rows add up to.
pub fn sessions(rows: &[(Event, Row)]) -> Vec<Session> {
    let count = rows.iter().map(|(_, row)| row.session_no).max().unwrap_or(0);
    (1..=count)
        .map(|session_no| {
            let rows: Vec<_> = rows.iter().filter(|(_, row)| row.session_no == session_no).collect();
            Session {
                session_no,
                started_at_us: rows.iter().map(|(event, _)| event.at_us).min().expect("a row"),
                ended_at_us: rows.iter().map(|(event, _)| event.at_us).max().expect("a row"),
                event_count: rows.len() as i64,
                cause: rows.iter().find_map(|(_, row)| row.cause).expect("a cause"),
                start_index: rows[0].1.start_index,
            }
        })
        .collect()
}

/// SESSIONS-11; equal rows are a block.
fn order(spec: &Spec, one: &Event, other: &Event) -> Ordering {
    let splits = spec.splits();
    let by = |is_read: bool, order: Ordering| if is_read { order } else { Ordering::Equal };
    let null_last = |value: Option<u32>| (value.is_none(), value);
    (one.at_us.cmp(&other.at_us))
        .then(one.tie.cmp(&other.tie))
        .then(by(splits.new_when, one.new_when.cmp(&other.new_when)))
        .then(by(splits.end_when, one.end_when.cmp(&other.end_when)))
        .then(by(splits.change, null_last(one.change).cmp(&null_last(other.change))))
}

fn cause(spec: &Spec, before: &[(Event, Row)], event: &Event, day_of: &impl Fn(i64) -> i64) -> Option<Cause> {
    let Some((last, last_row)) = before.last() else {
        return Some(Cause::First);
    };
    if order(spec, last, event) == Ordering::Equal {
        return None;
    }
    let is_over = |from_us: i64, limit_us: i64| {
        distance_us(from_us, event.at_us).is_none_or(|distance_us| distance_us > i128::from(limit_us))
    };
    let splits = spec.splits();
    let last_value = before.iter().rev().find_map(|(event, _)| event.change);
    // Only finite times have days, and a step over infinity is a timeout before it is a new day.
    let is_new_day = || last.at_us != event.at_us && day_of(last.at_us) != day_of(event.at_us);
    let timeout = is_over(last.at_us, spec.gap_us());
    [
        (Cause::Timeout, timeout),
        (Cause::MaxDuration, spec.max_duration_us().is_some_and(|limit_us| is_over(last_row.started_at_us, limit_us))),
        (Cause::MaxEvents, spec.max_events().is_some_and(|limit| last_row.event_no as u64 >= limit)),
        (Cause::Condition, splits.new_when && event.new_when),
        (Cause::EndCondition, splits.end_when && last.end_when),
        (Cause::Change, splits.change && event.change.is_some() && last_value.is_some() && event.change != last_value),
        (Cause::Day, splits.day && !timeout && is_new_day()),
    ]
    .into_iter()
    .find_map(|(cause, holds)| holds.then_some(cause))
}

/// The time between two ordered times; `None` if it is infinite (SESSIONS-10).
fn distance_us(from_us: i64, to_us: i64) -> Option<i128> {
    let is_infinite = |at_us: i64| at_us == i64::MIN || at_us == i64::MAX;
    if from_us != to_us && (is_infinite(from_us) || is_infinite(to_us)) {
        return None;
    }
    Some(i128::from(to_us) - i128::from(from_us))
}

/// SESSIONS-13 from its definition: every row counts the true rows that are not after it.
pub fn true_events(rows: &[(i64, u32, bool)]) -> Vec<i64> {
    let not_after = |one: &(i64, u32, bool), other: &(i64, u32, bool)| one <= other;
    rows.iter().map(|row| rows.iter().filter(|other| other.2 && not_after(other, row)).count() as i64).collect()
}

/// SESSIONS-14 from its definition: every row counts the neighbours that differ among the values
/// that are not after it.
pub fn change_events(rows: &[(i64, u32, Option<u32>)]) -> Vec<i64> {
    let key = |&(at_us, tie, value): &(i64, u32, Option<u32>)| (at_us, tie, value.is_none(), value);
    rows.iter()
        .map(|row| {
            let mut until: Vec<_> = rows.iter().map(key).filter(|other| *other <= key(row)).collect();
            until.sort();
            let values: Vec<u32> = until.into_iter().filter_map(|(.., value)| value).collect();
            values.windows(2).filter(|pair| pair[0] != pair[1]).count() as i64
        })
        .collect()
}
