//! The dirt that waits for the import.

use std::collections::{HashMap, HashSet};

use super::sample;
use chrono::DateTime;

#[test]
fn the_file_holds_the_planted_dirt_and_each_row_is_bad_in_one_way() {
    let (path, text) = &sample().lake.landing;
    assert_eq!(*path, "landing/events_2026-06-01.csv");
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let at = |name: &str| header.iter().position(|column| *column == name).expect("a column");
    let (id, time, received, phone) = (at("event_id"), at("event_time"), at("received_at"), at("phone"));

    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 10_000);
    assert!(rows.iter().all(|row| row.len() == header.len()));

    let mut copies: HashMap<&str, usize> = HashMap::new();
    rows.iter().for_each(|row| *copies.entry(row[id]).or_default() += 1);
    assert_eq!(rows.len() - copies.len(), 150);

    let unreadable: HashSet<&str> =
        rows.iter().filter(|row| DateTime::parse_from_rfc3339(row[time]).is_err()).map(|row| row[id]).collect();
    let is_number = |text: &str| {
        text.strip_prefix('+')
            .is_some_and(|digits| (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let impossible: HashSet<&str> =
        rows.iter().filter(|row| !row[phone].is_empty() && !is_number(row[phone])).map(|row| row[id]).collect();
    let late: HashSet<&str> = rows
        .iter()
        .filter(|row| {
            let received = DateTime::parse_from_rfc3339(row[received]).expect("a good time");
            DateTime::parse_from_rfc3339(row[time]).is_ok_and(|happened| (received - happened).num_days() >= 3)
        })
        .map(|row| row[id])
        .collect();
    assert_eq!((unreadable.len(), impossible.len(), late.len()), (40, 25, 60));
    let mut dirty: HashSet<&str> = HashSet::new();
    for rows in [&unreadable, &impossible, &late] {
        assert!(rows.iter().all(|id| dirty.insert(id) && copies[id] == 1), "{rows:?}");
    }
}
