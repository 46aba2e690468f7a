//! SESSIONS-9: the order of causes, by a row for which all of them hold.

use super::super::Cause;
use super::*;

/// The last row comes 40 minutes after a full, ended session of 60 minutes, on a new day, with
/// another value and a true condition.
const EVERYTHING: &str = "23:00:A 23:20:eA 24:00:nB";

fn cause_of_the_last_row(
    gap_us: i64,
    max_duration_us: Option<i64>,
    max_events: Option<u64>,
    on: &str,
) -> Option<Cause> {
    let spec = Spec::try_new(gap_us, max_duration_us, max_events, splits(on)).expect("valid spec");
    rows_of(&spec, &events(EVERYTHING), utc_day)[2].cause
}

const LONG: i64 = 40 * MINUTE;
const SHORT: Option<i64> = Some(59 * MINUTE);

#[test]
fn timeout_goes_before_max_duration() {
    assert_eq!(cause_of_the_last_row(GAP, SHORT, Some(2), "necd"), Some(Cause::Timeout));
}

#[test]
fn max_duration_goes_before_max_events() {
    assert_eq!(cause_of_the_last_row(LONG, SHORT, Some(2), "necd"), Some(Cause::MaxDuration));
}

#[test]
fn max_events_goes_before_condition() {
    assert_eq!(cause_of_the_last_row(LONG, None, Some(2), "necd"), Some(Cause::MaxEvents));
}

#[test]
fn condition_goes_before_end_condition() {
    assert_eq!(cause_of_the_last_row(LONG, None, None, "necd"), Some(Cause::Condition));
}

#[test]
fn end_condition_goes_before_change() {
    assert_eq!(cause_of_the_last_row(LONG, None, None, "ecd"), Some(Cause::EndCondition));
}

#[test]
fn change_goes_before_day() {
    assert_eq!(cause_of_the_last_row(LONG, None, None, "cd"), Some(Cause::Change));
}

#[test]
fn day_comes_last() {
    assert_eq!(cause_of_the_last_row(LONG, None, None, "d"), Some(Cause::Day));
    assert_eq!(cause_of_the_last_row(LONG, None, None, ""), None);
}

#[test]
fn first_goes_before_all() {
    let spec = Spec::try_new(1, Some(1), Some(1), splits("necd")).expect("valid spec");
    assert_eq!(rows_of(&spec, &events("1:00:neA"), utc_day)[0].cause, Some(Cause::First));
}
