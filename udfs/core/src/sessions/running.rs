//! Running counts of true rows and of changes (SESSIONS-13, SESSIONS-14).

use super::walk::{LastValue, null_last};
use super::{Scratch, order};

/// Calls `sink` for every row, in the order of the input, with the number of rows up to it for
/// which the condition is true (SESSIONS-13).
///
/// `at_us` is sorted; `is_true` has an element for each row, false for NULL; `tie` has ranks as in
/// [`super::Columns::tie`], or is empty. Never fails; panics only if the lengths differ.
pub fn true_events(at_us: &[i64], is_true: &[bool], tie: &[u32], scratch: &mut Scratch, mut sink: impl FnMut(i64)) {
    check(at_us, is_true, tie);
    let mut count = 0;
    let Scratch { keys, counts, .. } = scratch;
    let key = |row: usize| tie_key(tie, row) << 1 | u128::from(is_true[row]);
    order::for_each_block(at_us, Some(key), keys, |block| {
        if is_true[block.row] {
            count += block.row_count as i64;
        }
        block.place(counts, |_| count, &mut sink);
    });
}

/// Calls `sink` for every row, in the order of the input, with the number of changes of `values` up
/// to it (SESSIONS-14).
///
/// `values` are codes as in [`super::Columns::change`], one for each row, 0 for NULL; the rest as
/// for [`true_events`].
pub fn change_events(at_us: &[i64], values: &[u32], tie: &[u32], scratch: &mut Scratch, mut sink: impl FnMut(i64)) {
    check(at_us, values, tie);
    let mut count = 0;
    let mut last_value = LastValue::default();
    let Scratch { keys, counts, .. } = scratch;
    let key = |row: usize| tie_key(tie, row) << 32 | u128::from(null_last(values[row]));
    order::for_each_block(at_us, Some(key), keys, |block| {
        count += i64::from(last_value.observe(values[block.row]));
        block.place(counts, |_| count, &mut sink);
    });
}

fn tie_key(tie: &[u32], row: usize) -> u128 {
    if tie.is_empty() { 0 } else { u128::from(tie[row]) }
}

fn check<T>(at_us: &[i64], values: &[T], tie: &[u32]) {
    assert_eq!(at_us.len(), values.len(), "a value for every row");
    assert!(tie.is_empty() || tie.len() == at_us.len(), "a tie rank for every row");
    debug_assert!(at_us.is_sorted(), "rows of a user are not sorted by time");
}
