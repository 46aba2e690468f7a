//! Each rule by the smallest rows that only it answers so.

use super::*;

#[test]
fn sessions_1_sessions_and_their_events_are_numbered_from_one() {
    let answers = rows_of(&gap_only(), &events("1:00 1:10 3:00 5:00 5:01 5:02"), utc_day);
    let numbers: Vec<_> = answers.iter().map(|row| (row.session_no, row.event_no)).collect();
    assert_eq!(numbers, [(1, 1), (1, 2), (2, 1), (3, 1), (3, 2), (3, 3)]);
    assert!(rows_of(&gap_only(), &[], utc_day).is_empty());
    assert!(sessions_of(&gap_only(), &[], utc_day).is_empty());
    assert!(sessions_of(&spec(None, Some(1), Splits::default()), &[], utc_day).is_empty());
}

#[test]
fn sessions_1_a_session_tells_its_times_its_size_and_its_cause() {
    let answers = sessions_of(&gap_only(), &events("1:00 1:10 3:00"), utc_day);
    let brief: Vec<_> = answers
        .iter()
        .map(|session| (session.started_at_us / MINUTE, session.ended_at_us / MINUTE, session.event_count))
        .collect();
    assert_eq!(brief, [(60, 70, 2), (180, 180, 1)]);
    assert_eq!(answers.iter().map(|session| session.cause.name()).collect::<Vec<_>>(), ["first", "timeout"]);
}

#[test]
fn sessions_2_the_gap_runs_from_the_row_before() {
    assert_eq!(numbers(&gap_only(), "1:00 1:30 2:00 2:31"), "1:first 1 1 2:timeout");
}

#[test]
fn sessions_2_every_row_of_a_long_visit_can_be_the_one_that_splits() {
    for split_row in 1..200 {
        let at = |row: i64| Event { at_us: row + if row < split_row { 0 } else { 2 * GAP }, ..Event::default() };
        let events: Vec<Event> = (0..200).map(at).collect();
        let counts: Vec<_> = sessions_of(&gap_only(), &events, utc_day).iter().map(|one| one.event_count).collect();
        assert_eq!(counts, [split_row, 200 - split_row]);
    }
}

#[test]
fn sessions_3_the_duration_runs_from_the_first_row_of_the_session() {
    let spec = spec(Some(60 * MINUTE), None, Splits::default());
    assert_eq!(numbers(&spec, "1:00 1:30 2:00 2:01 2:31 3:01 3:02"), "1:first 1 1 2:max_duration 2 2 3:max_duration");
}

#[test]
fn sessions_4_a_full_session_is_followed_by_another() {
    let spec = spec(None, Some(2), Splits::default());
    assert_eq!(numbers(&spec, "1:00 1:01 1:02 1:03 1:04"), "1:first 1 2:max_events 2 3:max_events");
}

#[test]
fn sessions_5_a_true_new_when_starts_a_session() {
    let spec = spec(None, None, splits("n"));
    assert_eq!(numbers(&spec, "1:00 1:01:n 1:02 1:03:n 1:04:n"), "1:first 2:condition 2 3:condition 4:condition");
    assert_eq!(numbers(&spec, "1:00:e 1:01:A 1:02:B"), "1:first 1 1");
}

#[test]
fn sessions_6_a_true_end_when_is_the_last_row_of_its_session() {
    let spec = spec(None, None, splits("e"));
    assert_eq!(numbers(&spec, "1:00 1:01:e 1:02 1:03:e 1:04:e"), "1:first 1 2:end_condition 2 3:end_condition");
    assert_eq!(numbers(&spec, "1:00 1:01:n 1:02"), "1:first 1 1");
}

#[test]
fn sessions_7_null_is_neither_a_change_nor_remembered() {
    let spec = spec(None, None, splits("c"));
    assert_eq!(numbers(&spec, "1:00 1:01:A 1:02 1:03:A"), "1:first 1 1 1");
    assert_eq!(numbers(&spec, "1:00:A 1:01 1:02:B 1:03:A"), "1:first 1 2:change 3:change");
}

#[test]
fn sessions_7_the_last_value_is_remembered_across_sessions() {
    let spec = spec(None, None, splits("c"));
    assert_eq!(numbers(&spec, "1:00:A 3:00 3:01:A 5:00 5:01:B"), "1:first 2:timeout 2 3:timeout 4:change");
    assert_eq!(numbers(&spec, "1:00:A 3:00:B 3:01:B"), "1:first 2:timeout 2");
}

#[test]
fn sessions_8_the_day_is_the_callers() {
    let spec = spec(None, None, splits("d"));
    assert_eq!(numbers(&spec, "23:58 23:59 24:00 24:01"), "1:first 1 2:day 2");
    // Shanghai's day begins at 16:00 UTC.
    let shanghai = |at_us: i64| utc_day(at_us + 8 * 60 * MINUTE);
    let session_nos =
        |text: &str| -> Vec<i64> { rows_of(&spec, &events(text), shanghai).iter().map(|row| row.session_no).collect() };
    assert_eq!(session_nos("15:59 16:00"), [1, 2]);
    assert_eq!(session_nos("23:59 24:00"), [1, 1]);
}

#[test]
fn sessions_8_a_moment_is_asked_for_once_and_only_if_its_day_matters() {
    let mut asked = Vec::new();
    let text = "1:00 1:01 1:01 1:02 5:00 9:00 9:01";
    rows_of(&spec(None, None, splits("d")), &events(text), |at_us| {
        asked.push(at_us / MINUTE);
        utc_day(at_us)
    });
    assert_eq!(asked, [60, 61, 62, 540, 541]);
    let never = |_| -> i64 { panic!("the spec does not split at days") };
    assert_eq!(rows_of(&spec(None, Some(9), splits("nec")), &events(text), never).len(), 7);
}

#[test]
fn sessions_10_an_infinity_is_further_than_any_gap() {
    let [past, future] = [i64::MIN, i64::MAX];
    let at = |times: &[i64]| -> Vec<Event> { times.iter().map(|&at_us| Event { at_us, ..Event::default() }).collect() };
    let never = |_| -> i64 { panic!("an infinity has no day") };
    for on in ["", "d"] {
        let spec = Spec::try_new(i64::MAX, None, None, splits(on)).expect("valid spec");
        let session_nos = |times: &[i64], day_of: fn(i64) -> i64| -> Vec<i64> {
            rows_of(&spec, &at(times), day_of).iter().map(|row| row.session_no).collect()
        };
        assert_eq!(session_nos(&[past, past, past + 1], never), [1, 1, 2]);
        assert_eq!(session_nos(&[future - 1, future, future], never), [1, 2, 2]);
        assert_eq!(session_nos(&[past, future], never), [1, 2]);
        assert_eq!(session_nos(&[-9, i64::MAX - 9], |_| 0), [1, 1]);
        assert_eq!(session_nos(&[-9, i64::MAX - 8], |_| 0), [1, 2]);
    }
}

#[test]
fn sessions_10_gaps_saturate() {
    let at = |at_us: i64| Event { at_us, ..Event::default() };
    let gaps = |spec: &Spec, times: [i64; 3]| -> Vec<Option<i64>> {
        rows_of(spec, &times.map(at), utc_day).iter().map(|row| row.gap_us).collect()
    };
    for spec in [gap_only(), spec(None, Some(9), Splits::default())] {
        assert_eq!(gaps(&spec, [i64::MIN, -7, i64::MAX]), [None, Some(i64::MAX), Some(i64::MAX)]);
        assert_eq!(gaps(&spec, [i64::MIN + 1, i64::MAX - 1, i64::MAX - 1]), [None, Some(i64::MAX), Some(0)]);
        assert_eq!(gaps(&spec, [-1, 0, i64::MAX - 1]), [None, Some(1), Some(i64::MAX - 1)]);
    }
}

#[test]
fn sessions_10_an_infinity_exceeds_every_duration() {
    let spec = Spec::try_new(i64::MAX, Some(i64::MAX), None, Splits::default()).expect("valid spec");
    let times = [i64::MIN + 1, -1, i64::MAX - 1];
    let events = times.map(|at_us| Event { at_us, ..Event::default() });
    let causes: Vec<_> =
        rows_of(&spec, &events, utc_day).iter().map(|row| row.cause.map(|cause| cause.name())).collect();
    assert_eq!(causes, [Some("first"), None, Some("max_duration")]);
}

#[test]
fn sessions_11_rows_of_one_time_are_ordered_by_what_the_spec_reads() {
    // False before true, in either input order: the plain row belongs to the session before.
    let new_when = spec(None, None, splits("n"));
    assert_eq!(numbers(&new_when, "1:00 1:05:n 1:05"), "1:first 2:condition 1");
    assert_eq!(numbers(&new_when, "1:00 1:05 1:05:n"), "1:first 1 2:condition");
    let end_when = spec(None, None, splits("e"));
    assert_eq!(numbers(&end_when, "1:00 1:05:e 1:05 1:06"), "1:first 1 1 2:end_condition");
    // Smaller first, NULL last.
    let change = spec(None, None, splits("c"));
    assert_eq!(numbers(&change, "1:00:A 1:05 1:05:B 1:05:A"), "1:first 2 2:change 1");
    // new_when goes before end_when, and both before the value.
    let all = spec(None, None, splits("nec"));
    assert_eq!(numbers(&all, "1:05:nA 1:05:eB"), "2:condition 1:first");
    assert_eq!(numbers(&all, "1:05:eA 1:05:B"), "2:change 1:first");
}

#[test]
fn sessions_11_the_tie_column_goes_first() {
    let new_when = spec(None, None, splits("n"));
    assert_eq!(numbers(&new_when, "1:00 1:05:n1 1:05:2"), "1:first 2:condition 2");
    let answers = rows_of(&gap_only(), &events("1:00:3 1:00:1 1:00:2"), utc_day);
    assert_eq!(answers.iter().map(|row| row.event_no).collect::<Vec<_>>(), [3, 1, 2]);
}

#[test]
fn sessions_11_the_largest_code_and_rank_keep_their_place() {
    let columns = Columns { at_us: &[5; 4], flags: &[0; 4], change: &[0, u32::MAX, 1, 1], tie: &[0, 0, 0, u32::MAX] };
    let mut event_nos = Vec::new();
    let spec = spec(None, Some(9), splits("nec"));
    rows(&spec, &columns, utc_day, &mut Scratch::default(), |row| event_nos.push((row.session_no, row.event_no)));
    assert_eq!(event_nos, [(2, 2), (2, 1), (1, 1), (3, 1)]);
}

#[test]
fn sessions_12_equal_rows_are_split_once() {
    assert_eq!(numbers(&spec(None, None, splits("n")), "1:00 1:05:n 1:05:n"), "1:first 2:condition 2");
    assert_eq!(numbers(&spec(None, None, splits("e")), "1:00:e 1:00:e 1:05"), "1:first 1 2:end_condition");
    assert_eq!(numbers(&spec(None, None, splits("c")), "1:00:A 1:05:B 1:05:B"), "1:first 2:change 2");
}

#[test]
fn sessions_12_a_block_may_overfill_a_session() {
    let two = spec(None, Some(2), Splits::default());
    assert_eq!(numbers(&two, "1:00 1:05 1:05 1:05 1:06"), "1:first 1 1 1 2:max_events");
    // What tells rows apart makes blocks of them.
    assert_eq!(numbers(&two, "1:05:1 1:05:2 1:05:3"), "1:first 1 2:max_events");
}

#[test]
fn sessions_12_only_the_ordinal_tells_rows_of_a_block_apart() {
    let answers = rows_of(&spec(None, None, splits("n")), &events("1:00 1:05:n 1:05:n"), utc_day);
    let [_, first, second] = answers[..] else { panic!("three rows, got {answers:?}") };
    assert_eq!((first.event_no, first.gap_us), (1, Some(5 * MINUTE)));
    assert_eq!(second, Row { event_no: 2, cause: None, gap_us: Some(0), ..first });
}

#[test]
fn sessions_that_start_at_one_time_are_counted() {
    let spec = spec(None, None, splits("c"));
    let start_indexes = |text: &str| -> Vec<u32> {
        let sessions = sessions_of(&spec, &events(text), utc_day);
        sessions.iter().map(|session| session.start_index).collect()
    };
    assert_eq!(start_indexes("1:00:A 1:00:B 1:00:C 1:05:A"), [0, 1, 2, 0]);
    assert_eq!(start_indexes("1:00:A 1:05:A 1:05:B 1:05:C"), [0, 0, 1]);
}
