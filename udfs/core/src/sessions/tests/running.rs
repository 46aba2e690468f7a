//! The running counters by example.

use super::super::{change_events, true_events};
use super::*;

fn true_counts(at_us: &[i64], is_true: &[bool], tie: &[u32]) -> Vec<i64> {
    let mut counts = Vec::new();
    true_events(at_us, is_true, tie, &mut Scratch::default(), |count| counts.push(count));
    counts
}

fn change_counts(at_us: &[i64], values: &[u32], tie: &[u32]) -> Vec<i64> {
    let mut counts = Vec::new();
    change_events(at_us, values, tie, &mut Scratch::default(), |count| counts.push(count));
    counts
}

#[test]
fn sessions_13_true_rows_are_counted_from_the_row_itself() {
    assert_eq!(true_counts(&[1, 2, 3, 4, 5], &[false, true, false, true, true], &[]), [0, 1, 1, 2, 3]);
    assert_eq!(true_counts(&[1, 2], &[true, false], &[]), [1, 1]);
    assert!(true_counts(&[], &[], &[]).is_empty());
}

#[test]
fn sessions_13_equal_rows_count_together_after_the_false_ones() {
    assert_eq!(true_counts(&[1, 1, 1, 2], &[true, false, true, true], &[]), [2, 0, 2, 3]);
}

#[test]
fn sessions_13_the_tie_column_goes_first() {
    assert_eq!(true_counts(&[1, 1, 1], &[true, false, true], &[0, 1, 2]), [1, 1, 2]);
}

#[test]
fn sessions_14_changes_are_counted_from_the_row_itself() {
    assert_eq!(change_counts(&[1, 2, 3, 4, 5], &[7, 7, 8, 8, 7], &[]), [0, 0, 1, 1, 2]);
    assert!(change_counts(&[], &[], &[]).is_empty());
}

#[test]
fn sessions_14_null_is_neither_a_change_nor_remembered() {
    assert_eq!(change_counts(&[1, 2, 3, 4, 5, 6], &[0, 7, 0, 7, 0, 8], &[]), [0, 0, 0, 0, 0, 1]);
}

#[test]
fn sessions_14_values_of_one_time_are_taken_smaller_first_and_null_last() {
    assert_eq!(change_counts(&[1, 2, 2, 2, 2], &[8, 9, 0, 8, 9], &[]), [0, 1, 1, 0, 1]);
    assert_eq!(change_counts(&[1, 1, 2], &[u32::MAX, 0, 1], &[]), [0, 0, 1]);
}

#[test]
fn sessions_14_the_tie_column_goes_first() {
    assert_eq!(change_counts(&[1, 1, 1], &[9, 8, 9], &[0, 1, 2]), [0, 1, 2]);
}
