//! Published examples whose answers were recomputed by hand.

use super::*;

#[test]
fn six_visits_to_a_page_are_three_sessions() {
    assert_eq!(numbers(&gap_only(), "10:00 10:15 10:25 11:30 11:45 13:00"), "1:first 1 1 2:timeout 2 3:timeout");
}

#[test]
fn exactly_the_gap_stays_and_a_microsecond_more_starts_a_session() {
    let ten = 600 * MINUTE;
    let at = |at_us: i64| Event { at_us, ..Event::default() };
    let session_nos = |last_us: i64| -> Vec<i64> {
        rows_of(&gap_only(), &[at(ten), at(last_us)], utc_day).iter().map(|row| row.session_no).collect()
    };
    assert_eq!(session_nos(ten + GAP), [1, 1]);
    assert_eq!(session_nos(ten + GAP + 1), [1, 2]);
}

#[test]
fn campaigns_and_midnight_split_as_in_the_worked_example() {
    let spec = spec(None, None, splits("cd"));
    assert_eq!(
        numbers(&spec, "23:40:A 23:55:A 24:05:A 24:10:B 24:12 24:13:B 24:50:B"),
        "1:first 1 2:day 3:change 3 3 4:timeout"
    );
}

#[test]
fn every_row_says_where_it_stands() {
    let spec = spec(None, None, splits("cd"));
    let answers = rows_of(&spec, &events("23:40:A 23:55:A 24:05:A 24:10:B"), utc_day);
    let brief: Vec<_> = answers
        .iter()
        .map(|row| (row.event_no, row.is_start(), row.gap_us.map(|gap_us| gap_us / MINUTE), row.started_at_us / MINUTE))
        .collect();
    let start = 23 * 60 + 40;
    assert_eq!(
        brief,
        [
            (1, true, None, start),
            (2, false, Some(15), start),
            (1, true, Some(10), 24 * 60 + 5),
            (1, true, Some(5), 24 * 60 + 10),
        ]
    );
}
