//! Heavy users cost what their rows cost. Bounds are loose: they catch a wrong order of growth, not
//! a slow machine.

use std::time::{Duration, Instant};

use super::super::true_events;
use super::*;

const ROW_COUNT: i64 = 300_000;

/// Every option on, days of an hour.
fn all_options() -> Spec {
    spec(Some(GAP), Some(100), splits("necd"))
}

fn event_count_of(spec: &Spec, at_us: impl Fn(i64) -> i64) -> i64 {
    let event = |row: i64| Event {
        at_us: at_us(row),
        tie: (row % 5) as u32,
        new_when: row % 97 == 0,
        end_when: row % 89 == 0,
        change: (row % 3 != 0).then_some((row % 1_000) as u32 + 1),
    };
    let table = Table::of(&(0..ROW_COUNT).map(event).collect::<Vec<_>>());
    let started = Instant::now();
    let (mut row_count, mut event_count) = (0, 0);
    let day_of = |at_us: i64| at_us.div_euclid(60 * MINUTE);
    rows(spec, &table.columns(), day_of, &mut Scratch::default(), |_| row_count += 1);
    sessions(spec, &table.columns(), day_of, &mut Scratch::default(), |session| event_count += session.event_count);
    assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
    assert_eq!(row_count, ROW_COUNT);
    event_count
}

#[test]
fn a_user_of_many_events_is_one_pass() {
    for spec in [gap_only(), all_options()] {
        assert_eq!(event_count_of(&spec, |row| row * MINUTE / 7), ROW_COUNT);
    }
}

#[test]
fn a_user_whose_events_are_all_at_one_time_is_sorted_once() {
    for spec in [gap_only(), all_options()] {
        assert_eq!(event_count_of(&spec, |_| 0), ROW_COUNT);
    }
    let is_true: Vec<bool> = (0..ROW_COUNT).map(|row| row % 2 == 0).collect();
    let started = Instant::now();
    let mut last = 0;
    let at_us = vec![0; is_true.len()];
    true_events(&at_us, &is_true, &[], &mut Scratch::default(), |count| last = last.max(count));
    assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
    assert_eq!(last, ROW_COUNT / 2);
}
