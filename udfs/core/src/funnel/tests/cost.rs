//! Heavy users cost what their rows cost. Bounds are loose: they catch a wrong order of growth, not
//! a slow machine.

use std::time::{Duration, Instant};

use super::super::Compat;
use super::*;

fn quickly<T>(work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let answer = work();
    assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
    answer
}

#[test]
fn a_hundred_rows_of_each_step_are_no_burden_under_once() {
    // Enumerating chains would hold a million of them.
    let letters = ["a".repeat(100), "b".repeat(100), "c".repeat(100)].concat();
    let spec = spec(4, 1_000 * SECOND, modes("strict_once"));
    quickly(|| {
        assert_eq!(level_of(&spec, &in_turn("abcd", &letters)), 3);
        assert_eq!(times_of(&spec, &in_turn("abcd", &letters)), [0, 100 * SECOND, 200 * SECOND]);
    });
}

#[test]
fn a_large_tie_of_rows_with_many_steps_is_matched_quickly() {
    let spec = spec(64, SECOND, modes("strict_once"));
    // Row r satisfies all steps but one, at one time; 63 of the 64 rows a full chain needs, then
    // 120,000.
    let rows = |count: u64| -> Events { (0..count).map(|row| (0, !(1 << (row % 64)))).collect() };
    quickly(|| {
        assert_eq!(level_of(&spec, &rows(63)), 63);
        assert_eq!(level_of(&spec, &rows(120_000)), 64);
        assert_eq!(times_of(&spec, &rows(120_000)).len(), 64);
    });
}

#[test]
fn a_user_of_120_000_events_is_one_pass_in_every_mode() {
    let rows: Events = (0..120_000).map(|row: i64| (row * SECOND / 3, 1 << (row * row % 7 % 3))).collect();
    let narrow = 100 * SECOND;
    for modes in Modes::SUPPORTED {
        for compat in [Compat::Tributary, Compat::ClickHouse] {
            let spec = with_compat(&spec(4, narrow, modes), compat);
            quickly(|| {
                let level = level_of(&spec, &rows);
                assert!((1..=3).contains(&level), "{modes}: {level}");
                assert_eq!(times_of(&spec, &rows).len(), level as usize, "{modes}");
            });
        }
    }
}
