//! What may be asked.

use super::super::{Cause, SpecError};
use super::*;

#[test]
fn limits_are_positive() {
    let none = Splits::default();
    for gap_us in [0, -1, i64::MIN] {
        assert_eq!(Spec::try_new(gap_us, None, None, none), Err(SpecError::Gap { gap_us }));
    }
    for max_duration_us in [0, -1, i64::MIN] {
        let error = SpecError::MaxDuration { max_duration_us };
        assert_eq!(Spec::try_new(1, Some(max_duration_us), None, none), Err(error));
    }
    assert_eq!(Spec::try_new(1, None, Some(0), none), Err(SpecError::MaxEvents));
    assert!(Spec::try_new(1, Some(1), Some(1), none).is_ok());
    assert!(Spec::try_new(i64::MAX, Some(i64::MAX), Some(u64::MAX), splits("necd")).is_ok());
}

#[test]
fn a_spec_is_gap_only_when_nothing_else_splits() {
    assert!(gap_only().is_gap_only());
    assert!(!spec(Some(GAP), None, Splits::default()).is_gap_only());
    assert!(!spec(None, Some(5), Splits::default()).is_gap_only());
    for letter in ["n", "e", "c", "d"] {
        assert!(!spec(None, None, splits(letter)).is_gap_only(), "{letter}");
    }
}

#[test]
fn a_spec_tells_what_it_was_built_from() {
    let built = Spec::try_new(7, Some(8), Some(9), splits("ed")).expect("valid spec");
    assert_eq!((built.gap_us(), built.max_duration_us(), built.max_events()), (7, Some(8), Some(9)));
    assert_eq!(built.splits(), splits("ed"));
}

#[test]
fn causes_are_named_in_order_of_precedence() {
    let names: Vec<_> = Cause::ALL.into_iter().map(Cause::name).collect();
    let expected = ["first", "timeout", "max_duration", "max_events", "condition", "end_condition", "change", "day"];
    assert_eq!(names, expected);
    assert!(Cause::ALL.is_sorted());
}

#[test]
#[should_panic(expected = "flags for every row")]
fn a_column_that_the_spec_reads_has_a_value_for_every_row() {
    let columns = Columns { flags: &[0], ..Columns::of_times(&[1, 2]) };
    sessions(&spec(None, None, splits("n")), &columns, utc_day, &mut Scratch::default(), |_| ());
}

#[test]
fn columns_that_the_spec_does_not_read_are_ignored() {
    let columns = Columns { flags: &[NEW_WHEN], change: &[1, 2, 3], ..Columns::of_times(&[1, 2]) };
    let mut counts = Vec::new();
    sessions(&gap_only(), &columns, utc_day, &mut Scratch::default(), |session| counts.push(session.event_count));
    assert_eq!(counts, [2]);
    assert_eq!(numbers(&gap_only(), "0:00:enA 0:01:nB 0:01:B 0:02"), "1:first 1 1 1");
}
