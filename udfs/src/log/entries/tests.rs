//! The log beside a list for each group.

use proptest::prelude::*;

use super::*;

/// The groups of a log as they come out, entries as (time, payload).
fn drained<P: Payload>(log: &mut Log<P>, group_count: usize) -> Vec<Vec<(i64, u64)>> {
    let mut groups = vec![];
    let _ = log.drain(group_count, |sorted| {
        sorted.for_each_group(|at_us, payloads| {
            groups.push(at_us.iter().copied().zip(payloads.iter().map(|payload| payload.unpack())).collect());
        });
    });
    groups
}

#[test]
fn groups_come_out_sorted_by_time_and_empty_ones_too() {
    let mut log = Log::<u8>::new(3);
    for (group, at_us, payload) in [(2, 30, 4), (0, -5, 1), (2, 10, 1), (2, 20, 2)] {
        log.push(group, at_us, payload);
    }
    let groups = drained(&mut log, 4);
    assert_eq!(groups, [vec![(-5, 1)], vec![], vec![(10, 1), (20, 2), (30, 4)], vec![]]);
}

proptest! {
    /// In line, out of line, and both after the other, with groups taken in between.
    #[test]
    fn a_log_gives_what_a_list_for_each_group_does(
        rounds in proptest::collection::vec((
            proptest::collection::vec((0..40usize, -3..3i64, 0..4u8), 0..60), any::<bool>(), 0..50usize), 1..6),
    ) {
        let mut log = Log::<u8>::new(2);
        let mut expected = vec![vec![]; 40];
        for (mut entries, is_by_group, taken) in rounds {
            if is_by_group {
                entries.sort_by_key(|(group, ..)| *group);
            }
            for (group, at_us, payload) in entries {
                log.push(group, at_us, payload);
                expected[group].push((at_us, u64::from(payload)));
            }
            expected.iter_mut().for_each(|entries: &mut Vec<(i64, u64)>| entries.sort_unstable());
            let taken = taken.min(40);
            let given = drained(&mut log, taken);
            prop_assert_eq!(&given[..], &expected[..taken]);
            expected.drain(..taken);
            expected.resize(40, vec![]);
        }
    }
}

proptest! {
    /// Groups of several blocks too, in batches of any length.
    #[test]
    fn rows_are_pushed_together_as_they_are_one_by_one(
        batches in proptest::collection::vec((0..3_000usize, 1..40_000usize, any::<bool>()), 1..4), taken in 0..200usize,
    ) {
        let (mut together, mut apart) = (Log::<u8>::new(8), Log::<u8>::new(8));
        let mut group_count = 0;
        for (row_count, groups, is_taken) in batches {
            let row = |row: usize| (row * 7_919 % groups, row as i64 % 1_009, row as u8);
            together.push_rows(row_count, row);
            for (group, at_us, payload) in (0..row_count).map(row) {
                apart.push(group, at_us, payload);
            }
            group_count = groups.max(group_count);
            prop_assert_eq!(together.used_bytes(), apart.used_bytes());
            if is_taken {
                prop_assert_eq!(drained(&mut together, taken), drained(&mut apart, taken));
            }
        }
        prop_assert_eq!(drained(&mut together, group_count), drained(&mut apart, group_count));
    }
}

#[test]
fn a_line_that_grows_long_becomes_blocks() {
    let mut log = Log::<()>::new(0);
    let entry_count = 200_000;
    (0..entry_count).for_each(|entry| log.push(entry / 50_000, entry as i64, ()));
    let groups = drained(&mut log, 4);
    assert!(groups.iter().all(|group| group.len() == 50_000 && group.is_sorted()));
    assert!(log.is_line());
}

#[test]
fn infinite_times_and_all_bits_are_kept() {
    let mut log = Log::<u64>::new(64);
    log.push(0, i64::MAX, u64::MAX);
    log.push(0, i64::MIN, 1 << 63);
    log.push(0, 0, 0);
    assert_eq!(drained(&mut log, 1), [vec![(i64::MIN, 1 << 63), (0, 0), (i64::MAX, u64::MAX)]]);
    let mut log = Log::<u8>::new(8);
    log.push(0, i64::MAX, 255);
    log.push(0, i64::MIN, 1);
    assert_eq!(drained(&mut log, 1), [vec![(i64::MIN, 1), (i64::MAX, 255)]]);
}

#[test]
fn the_first_groups_can_be_taken_while_others_grow() {
    let mut log = Log::<u16>::new(9);
    let mut expected: Vec<Vec<(i64, u64)>> = vec![];
    let mut taken = vec![];
    // Each round adds to the groups that are open, opens many more, and takes all but the last.
    for round in 0..9i64 {
        let open = expected.len() - taken.len();
        expected.resize(expected.len() + 5_000, vec![]);
        for group in 0..open + 5_000 {
            let entry = (round * 10 - group as i64, 1 << (group % 9));
            let index = taken.len() + group;
            expected[index].push(entry);
            expected[index].sort();
            log.push(group, entry.0, entry.1 as u16);
        }
        taken.extend(drained(&mut log, open + 4_999));
    }
    taken.extend(drained(&mut log, 1));
    assert!(taken == expected);
}

#[test]
fn bytes_follow_what_is_held() {
    let mut log = Log::<u8>::new(4);
    for entry in 0..1_000_000 {
        log.push(entry % 1_000, entry as i64, 1);
    }
    let full = log.bytes();
    assert!((11_000_000..12_500_000).contains(&full), "{full}");
    drained(&mut log, 999);
    assert!(log.bytes() < (MAX_SPARE + 2) * 11_300, "{}", log.bytes());
    // What is kept is used again.
    let kept = log.bytes();
    assert!(log.used_bytes() < 30_000, "{}", log.used_bytes());
    (0..100_000).for_each(|entry| log.push(entry % 1_000, entry as i64, 1));
    assert_eq!(log.bytes(), kept);
    log.clear();
    log.free_spare();
    assert_eq!(log.bytes(), 0);
}
