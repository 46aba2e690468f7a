//! Each rule by the smallest rows that only it answers so.

use super::super::{Compat, Report, Scratch, Spec, level};
use super::*;

const LONG: i64 = 1_000 * SECOND;

fn native(chain: &str, mode: &str, events: &Events) -> u32 {
    level_of(&spec(chain.len(), LONG, modes(mode)), events)
}

fn clickhouse(chain: &str, mode: &str, events: &Events) -> u32 {
    level_of(&with_compat(&spec(chain.len(), LONG, modes(mode)), Compat::ClickHouse), events)
}

#[test]
fn funnel_1_one_row_can_take_several_steps_in_a_row() {
    assert_eq!(native("abc", "", &events("abc", "0:abc")), 3);
    assert_eq!(native("abc", "", &events("abc", "0:ac")), 1);
    assert_eq!(native("abc", "", &events("abc", "0:bc")), 0);
}

#[test]
fn funnel_1_steps_at_one_time_follow_each_other_in_any_input_order() {
    for text in ["0:a 0:b 0:c", "0:c 0:b 0:a", "0:b 0:c 0:a"] {
        assert_eq!(native("abc", "", &events("abc", text)), 3, "{text}");
    }
}

#[test]
fn funnel_2_rows_between_the_steps_do_not_matter() {
    assert_eq!(native("abc", "", &in_turn("abc", "xaxbxcx")), 3);
    assert_eq!(native("abc", "", &in_turn("abc", "cba")), 1);
    assert_eq!(native("abc", "", &in_turn("abc", "bc")), 0);
    assert_eq!(native("abc", "", &Events::new()), 0);
}

#[test]
fn funnel_2_a_later_entry_wins_where_it_goes_further() {
    let spec = spec(3, 4 * SECOND, modes(""));
    assert_eq!(level_of(&spec, &events("abc", "0:a 3:a 4:b 7:c")), 3);
    assert_eq!(level_of(&spec, &events("abc", "0:a 4:b 5:a 7:c")), 2);
}

#[test]
fn funnel_3_a_step_at_the_window_edge_counts() {
    let spec = spec(2, 10, modes(""));
    assert_eq!(level_of(&spec, &[(0, 1), (9, 2)]), 2);
    assert_eq!(level_of(&spec, &[(0, 1), (10, 2)]), 2);
    assert_eq!(level_of(&spec, &[(0, 1), (11, 2)]), 1);
}

#[test]
fn funnel_3_the_window_runs_from_the_first_step() {
    let spec = spec(3, 10, modes(""));
    assert_eq!(level_of(&spec, &[(0, 1), (9, 2), (11, 4)]), 2);
}

#[test]
fn funnel_3_times_at_both_infinities_saturate() {
    let [past, future] = [i64::MIN, i64::MAX];
    for modes in Modes::SUPPORTED {
        let spec = spec(2, 10, modes);
        let ties = if modes.strict_increase { 1 } else { 2 };
        assert_eq!(level_of(&spec, &[(past, 1), (past, 2)]), ties, "{modes}");
        assert_eq!(level_of(&spec, &[(past, 1), (past + 1, 2)]), 1, "{modes}");
        assert_eq!(level_of(&spec, &[(past, 1), (0, 1), (5, 2)]), 2, "{modes}");
        assert_eq!(level_of(&spec, &[(future, 1), (future, 2)]), ties, "{modes}");
        assert_eq!(level_of(&spec, &[(future - 5, 1), (future, 2)]), 2, "{modes}");
        assert_eq!(level_of(&spec, &[(future - 11, 1), (future, 2)]), 1, "{modes}");
        assert_eq!(level_of(&spec, &[(past, 1), (future, 2)]), 1, "{modes}");
    }
    assert_eq!(times_of(&spec(2, 10, modes("")), &[(past, 1), (past, 2), (future, 1)]), [past, past]);
    assert_eq!(level_of(&spec(2, i64::MAX, modes("")), &[(1, 1), (future, 2)]), 2);
}

#[test]
fn funnel_4_times_strictly_increase() {
    let mode = "strict_increase";
    assert_eq!(native("ab", mode, &events("ab", "0:a 0:b")), 1);
    assert_eq!(native("ab", mode, &events("ab", "0:a 1:b")), 2);
    assert_eq!(native("abc", mode, &events("abc", "0:abc 1:abc 2:abc")), 3);
}

#[test]
fn funnel_4_an_entry_at_the_time_of_the_next_step_does_not_hide_the_earlier_one() {
    let rows = events("ab", "0:a 1:a 1:b");
    assert_eq!(native("ab", "strict_increase", &rows), 2);
    assert_eq!(clickhouse("ab", "strict_increase", &rows), 1);
    assert_eq!(times_of(&spec(2, LONG, modes("strict_increase")), &rows), [0, SECOND]);
    let rows = events("abc", "0:a 1:b 2:b 2:c");
    assert_eq!(native("abc", "strict_increase", &rows), 3);
    assert_eq!(clickhouse("abc", "strict_increase", &rows), 2);
    let rows = events("aab", "0:a 1:a 2:b");
    assert_eq!(native("aab", "strict_increase", &rows), 3);
    assert_eq!(clickhouse("aab", "strict_increase", &rows), 1);
}

#[test]
fn funnel_5_a_row_serves_one_step_of_a_chain() {
    assert_eq!(native("aaa", "", &events("aaa", "0:a")), 3);
    assert_eq!(native("aaa", "strict_once", &events("aaa", "0:a")), 1);
    assert_eq!(native("aaa", "strict_once", &events("aaa", "0:a 0:a")), 2);
    assert_eq!(native("aaa", "strict_once", &events("aaa", "0:a 0:a 0:a")), 3);
}

#[test]
fn funnel_5_rows_of_one_time_are_shared_out_for_the_longest_chain() {
    // Step a must leave the row `ab` to step b, which must leave `bc` to step c.
    for text in ["0:ab 0:a 0:bc", "0:bc 0:ab 0:a", "0:a 0:bc 0:ab"] {
        assert_eq!(native("abc", "strict_once", &events("abc", text)), 3, "{text}");
    }
    assert_eq!(native("abc", "strict_once", &events("abc", "0:ab 0:ab")), 2);
    assert_eq!(native("abc", "strict_once", &events("abc", "0:abc 0:abc")), 2);
    // An earlier a frees both rows for b and c.
    assert_eq!(native("abc", "strict_once", &events("abc", "0:a 1:abc 1:abc")), 3);
    assert_eq!(times_of(&spec(3, LONG, modes("strict_once")), &events("abc", "0:a 1:abc 1:abc")), [0, SECOND, SECOND]);
}

#[test]
fn funnel_5_a_shared_out_group_is_the_entry_when_it_finishes_in_time() {
    // Steps a and b at second 10 need both rows; the a at 0 is too early, the chain at 20 later.
    let rows = events("abc", "0:a 10:ab 10:ab 14:c 20:a 21:b 22:c");
    let spec = spec(3, 5 * SECOND, modes("strict_once"));
    let in_seconds = |report| -> Vec<i64> {
        let times = times_of(&with_report(&spec, report), &rows);
        times.iter().map(|at_us| at_us / SECOND).collect()
    };
    assert_eq!(in_seconds(Report::First), [10, 10, 14]);
    assert_eq!(in_seconds(Report::Last), [20, 21, 22]);
    assert_eq!(in_seconds(Report::Fastest), [20, 21, 22]);
}

#[test]
fn funnel_7_a_repeated_step_ends_the_journey_but_a_repeated_entry_does_not() {
    let mode = "strict_deduplication";
    assert_eq!(native("abc", mode, &in_turn("abc", "abbc")), 2);
    assert_eq!(native("abc", mode, &in_turn("abc", "aabc")), 3);
    assert_eq!(native("abc", mode, &in_turn("abc", "abac")), 3);
    // A b before any a was no reached step.
    assert_eq!(native("abc", mode, &in_turn("abc", "babc")), 3);
    assert_eq!(native("abcd", mode, &in_turn("abcd", "abcbd")), 3);
}

#[test]
fn funnel_7_equal_rows_repeat_each_other() {
    let mode = "strict_deduplication";
    assert_eq!(native("abc", mode, &events("abc", "0:a 1:b 1:b 1:c")), 2);
    assert_eq!(native("abc", mode, &events("abc", "0:a 1:bc 2:b")), 3);
    assert_eq!(times_of(&spec(3, LONG, modes(mode)), &events("abc", "0:a 1:b 1:b 1:c")), [0, SECOND]);
}

#[test]
fn funnel_7_reached_means_by_a_chain_of_the_mode() {
    // Under strict_increase b at the time of a reached nothing, so the next b repeats nothing.
    let rows = events("abc", "0:a 0:b 1:b 2:c");
    assert_eq!(native("abc", "strict_deduplication+strict_increase", &rows), 3);
    assert_eq!(native("abc", "strict_deduplication", &rows), 2);
}

#[test]
fn funnel_7_a_step_that_clickhouse_lost_was_reached_all_the_same() {
    let rows = events("abc", "0:a 1:a 1:b 2:b 3:c");
    let mode = "strict_deduplication+strict_increase";
    assert_eq!(native("abc", mode, &rows), 2);
    assert_eq!(clickhouse("abc", mode, &rows), 3);
}

#[test]
fn funnel_7_the_reported_chain_lies_in_the_journey() {
    // The second entry would be the later one, but its b is a repeat.
    let spec = with_report(&spec(2, LONG, modes("strict_deduplication")), Report::Last);
    assert_eq!(times_of(&spec, &in_turn("ab", "abab")), [0, SECOND]);
}

#[test]
fn funnel_8_a_row_without_a_step_ends_the_journey_after_the_entry() {
    assert_eq!(native("abc", "strict_order", &in_turn("abc", "xabc")), 3);
    assert_eq!(native("abc", "strict_order", &in_turn("abc", "axbc")), 1);
    assert_eq!(native("abc", "strict_order", &in_turn("abc", "abxc")), 2);
    assert_eq!(native("abc", "strict_order", &in_turn("abc", "axabc")), 1);
}

#[test]
fn funnel_8_a_step_not_yet_due_ends_the_journey_and_a_repeat_does_not() {
    assert_eq!(native("abc", "strict_order", &in_turn("abc", "cabc")), 3);
    assert_eq!(native("abc", "strict_order", &in_turn("abc", "acbc")), 1);
    assert_eq!(native("abc", "strict_order", &in_turn("abc", "aabbabc")), 3);
}

#[test]
fn funnel_8_a_row_is_an_intruder_only_if_none_of_its_steps_is_due() {
    let rows = in_turn("abac", "abac");
    assert_eq!(native("abac", "strict_order", &rows), 4);
    assert_eq!(clickhouse("abac", "strict_order", &rows), 1);
    assert_eq!(native("abcd", "strict_order", &events("abcd", "0:a 1:cd 2:b")), 1);
    assert_eq!(native("abcd", "strict_order", &events("abcd", "0:a 1:bd 2:c 3:d")), 4);
}

#[test]
fn funnel_8_at_one_time_intruders_come_first_and_steps_ascend() {
    let mode = "strict_order";
    assert_eq!(native("ab", mode, &events("ab", "0:a 0:x 1:b")), 2);
    assert_eq!(native("ab", mode, &events("ab", "0:a 1:x 1:b")), 1);
    assert_eq!(native("abc", mode, &events("abc", "0:c 0:b 0:a")), 3);
    // The c is not due at its time, and comes before the a of the next.
    assert_eq!(native("abc", mode, &events("abc", "0:c 0:a 1:b 2:c")), 1);
}

#[test]
fn funnel_8_with_increase_a_step_can_be_due_without_extending_the_chain() {
    // At second 1, b reaches step 2 and makes c admissible; c cannot share its time, so the next c
    // is step 3.
    let rows = events("abc", "0:a 1:b 1:c 2:c");
    assert_eq!(native("abc", "strict_order+strict_increase", &rows), 3);
    assert_eq!(times_of(&spec(3, LONG, modes("strict_order+strict_increase")), &rows), [0, SECOND, 2 * SECOND]);
}

#[test]
fn funnel_9_reentry_skips_steps_not_yet_due_but_not_rows_without_a_step() {
    let mode = "strict_order+allow_reentry";
    assert_eq!(native("abc", mode, &in_turn("abc", "acb")), 2);
    assert_eq!(native("abc", mode, &in_turn("abc", "acbc")), 3);
    assert_eq!(native("abc", mode, &in_turn("abc", "axbc")), 1);
    assert_eq!(native("abc", mode, &in_turn("abc", "xabc")), 3);
}

#[test]
fn funnel_10_the_report_chooses_among_the_longest_chains() {
    // Chains a@0 b@3 c@9, a@10 b@11 c@14, a@20 b@29 c@30; a@40 goes no further than b.
    let rows = events("abc", "0:a 3:b 9:c 10:a 11:b 14:c 20:a 29:b 30:c 40:a 41:b");
    let spec = spec(3, 12 * SECOND, modes(""));
    let report = |report| times_of(&with_report(&spec, report), &rows);
    assert_eq!(report(Report::First), [0, 3 * SECOND, 9 * SECOND]);
    assert_eq!(report(Report::Fastest), [10 * SECOND, 11 * SECOND, 14 * SECOND]);
    assert_eq!(report(Report::Last), [20 * SECOND, 29 * SECOND, 30 * SECOND]);
}

#[test]
fn funnel_10_equally_fast_chains_report_the_earliest() {
    let spec = with_report(&spec(2, LONG, modes("")), Report::Fastest);
    assert_eq!(times_of(&spec, &in_turn("ab", "abab")), [0, SECOND]);
}

#[test]
fn funnel_10_a_partial_funnel_reports_the_steps_it_reached() {
    let spec = spec(3, 5 * SECOND, modes(""));
    assert_eq!(times_of(&spec, &events("abc", "0:a 1:b 6:c")), [0, SECOND]);
    assert_eq!(times_of(&spec, &events("abc", "3:a")), [3 * SECOND]);
    assert_eq!(times_of(&spec, &events("abc", "3:b 4:c")), []);
}

#[test]
fn funnel_10_times_are_appended() {
    let (at_us, masks) = columns(&in_turn("ab", "ab"));
    let mut out = vec![7];
    super::super::times(&spec(2, LONG, modes("")), &at_us, &masks, &mut Scratch::default(), &mut out);
    assert_eq!(out, [7, 0, SECOND]);
}

#[test]
fn funnel_11_sixty_four_steps_work_and_other_bits_are_ignored() {
    for modes in Modes::SUPPORTED {
        let spec = spec(64, LONG, modes);
        let rows: Events = (0..64).map(|step| (step * SECOND, 1 << step)).collect();
        assert_eq!(level_of(&spec, &rows), 64, "{modes}");
        assert_eq!(times_of(&spec, &rows).len(), 64, "{modes}");
    }
    assert_eq!(level_of(&spec(2, LONG, modes("")), &[(0, u64::MAX)]), 2);
    // A bit beyond the steps is no step: an intruder.
    assert_eq!(level_of(&spec(2, LONG, modes("strict_order")), &[(0, 1), (1, 4), (2, 2)]), 1);
}

#[test]
fn funnel_12_clickhouse_ends_with_the_chain_that_completes_first() {
    let spec = with_compat(&spec(2, LONG, modes("")), Compat::ClickHouse);
    assert_eq!(times_of(&spec, &in_turn("ab", "aabab")), [SECOND, 2 * SECOND]);
    // Incomplete, the chain stored last.
    assert_eq!(times_of(&spec, &in_turn("ab", "aa")), [SECOND]);
    assert_eq!(times_of(&spec, &Events::new()), []);
}

#[test]
fn funnel_12_under_once_clickhouse_reports_the_native_chain() {
    let spec = with_compat(&spec(2, LONG, modes("strict_once")), Compat::ClickHouse);
    assert_eq!(times_of(&spec, &in_turn("ab", "aabab")), [0, 2 * SECOND]);
}

#[test]
fn every_width_of_mask_gives_the_same_answer() {
    let spec = spec(3, LONG, modes(""));
    let at_us = [0, 1, 2];
    let mut scratch = Scratch::default();
    assert_eq!(level(&spec, &at_us, &[1u8, 2, 4], &mut scratch), 3);
    assert_eq!(level(&spec, &at_us, &[1u16, 2, 4], &mut scratch), 3);
    assert_eq!(level(&spec, &at_us, &[1u32, 2, 4], &mut scratch), 3);
    assert_eq!(level(&spec, &at_us, &[1u64, 2, 4], &mut scratch), 3);
    // A step beyond the mask's bits is never satisfied.
    let nine = Spec::try_new(9, 10, modes(""), Compat::Tributary, Report::First).expect("valid spec");
    assert_eq!(level(&nine, &[0], &[u8::MAX], &mut scratch), 8);
}
