//! The rules by example, and the fast code against slow obvious code.

mod cost;
mod goldens;
mod keys;
mod oracle;
mod precedence;
mod properties;
mod rules;
mod running;
mod specs;

use super::{Columns, END_WHEN, NEW_WHEN, Row, Scratch, Session, Spec, Splits, rows, sessions};

const MINUTE: i64 = 60_000_000;
const GAP: i64 = 30 * MINUTE;

/// A row with every column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at_us: i64,
    tie: u32,
    new_when: bool,
    end_when: bool,
    /// A code from 1; `None` is NULL.
    change: Option<u32>,
}

/// Columns of events, sorted by time; a tie column only if some rank is not 0.
#[derive(Default)]
struct Table {
    at_us: Vec<i64>,
    flags: Vec<u8>,
    change: Vec<u32>,
    tie: Vec<u32>,
}

impl Table {
    fn of(events: &[Event]) -> Self {
        let mut table = Self::default();
        for event in in_time_order(events) {
            table.at_us.push(event.at_us);
            let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
            table.flags.push(flag(event.new_when, NEW_WHEN) | flag(event.end_when, END_WHEN));
            table.change.push(event.change.unwrap_or(0));
            table.tie.push(event.tie);
        }
        if table.tie.iter().all(|&rank| rank == 0) {
            table.tie.clear();
        }
        table
    }

    fn columns(&self) -> Columns<'_> {
        Columns { at_us: &self.at_us, flags: &self.flags, change: &self.change, tie: &self.tie }
    }
}

/// As a caller sorts: by time, else as given.
fn in_time_order(events: &[Event]) -> Vec<Event> {
    let mut sorted = events.to_vec();
    sorted.sort_by_key(|event| event.at_us);
    sorted
}

/// Only the gap.
fn gap_only() -> Spec {
    spec(None, None, Splits::default())
}

/// A gap of 30 minutes and more.
fn spec(max_duration_us: Option<i64>, max_events: Option<u64>, splits: Splits) -> Spec {
    Spec::try_new(GAP, max_duration_us, max_events, splits).expect("valid spec")
}

/// Splits by their letters: `n` new_when, `e` end_when, `c` change, `d` day.
fn splits(letters: &str) -> Splits {
    let has = |letter| letters.contains(letter);
    Splits { new_when: has('n'), end_when: has('e'), change: has('c'), day: has('d') }
}

/// The UTC day.
fn utc_day(at_us: i64) -> i64 {
    at_us.div_euclid(24 * 60 * MINUTE)
}

fn rows_of(spec: &Spec, events: &[Event], day_of: impl FnMut(i64) -> i64) -> Vec<Row> {
    let mut answers = Vec::new();
    rows(spec, &Table::of(events).columns(), day_of, &mut Scratch::default(), |row| answers.push(row));
    answers
}

fn sessions_of(spec: &Spec, events: &[Event], day_of: impl FnMut(i64) -> i64) -> Vec<Session> {
    let mut answers = Vec::new();
    sessions(spec, &Table::of(events).columns(), day_of, &mut Scratch::default(), |session| answers.push(session));
    answers
}

/// Rows from text: `23:40 24:05:nA`, a time in hours and minutes, then marks: `n` new_when, `e`
/// end_when, `A` to `Z` the value, a digit the tie rank.
fn events(text: &str) -> Vec<Event> {
    text.split_whitespace()
        .map(|row| {
            let mut parts = row.split(':');
            let mut number = || parts.next().and_then(|part| part.parse::<i64>().ok()).expect("hours:minutes");
            let at_us = (number() * 60 + number()) * MINUTE;
            let mut event = Event { at_us, ..Event::default() };
            for mark in parts.next().unwrap_or_default().chars() {
                match mark {
                    'n' => event.new_when = true,
                    'e' => event.end_when = true,
                    'A'..='Z' => event.change = Some(mark as u32 - 'A' as u32 + 1),
                    rank => event.tie = rank.to_digit(10).expect("a mark"),
                }
            }
            event
        })
        .collect()
}

/// What rows in text get, in the order of the text: `1:first 1 2:timeout`.
fn numbers(spec: &Spec, text: &str) -> String {
    let answers = rows_of(spec, &events(text), utc_day);
    let words = answers.iter().map(|row| match row.cause {
        Some(cause) => format!("{}:{}", row.session_no, cause.name()),
        None => row.session_no.to_string(),
    });
    words.collect::<Vec<_>>().join(" ")
}
