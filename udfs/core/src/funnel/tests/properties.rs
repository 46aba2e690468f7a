//! The fast code equals the definitions, and what must not matter does not.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::journey::{Until, walk};
use super::super::{Compat, MAX_STEPS, Report};
use super::*;

/// Up to eight rows at few times, so that ties and repeats are common; about a third satisfy
/// several steps.
fn any_events() -> impl Strategy<Value = Events> {
    let mask = prop_oneof![
        1 => Just(0u64),
        6 => (0..4u32).prop_map(|step| 1 << step),
        3 => 0..16u64,
    ];
    let at_us = prop_oneof![30 => 0..10i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    prop::collection::vec((at_us, mask), 0..=8)
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let window_us = prop_oneof![6 => 1..12i64, 1 => Just(i64::MAX)];
    let report = select(vec![Report::First, Report::Last, Report::Fastest]);
    (1..=4usize, window_us, select(Modes::SUPPORTED.to_vec()), report).prop_map(|(steps, window_us, modes, report)| {
        Spec::try_new(steps, window_us, modes, Compat::Tributary, report).expect("valid spec")
    })
}

fn level_in(mode: &str, spec: &Spec, events: &Events) -> u32 {
    level_of(&super::spec(spec.steps(), spec.window_us(), modes(mode)), events)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_level_is_that_of_the_definitions(spec in any_spec(), events in any_events()) {
        prop_assert_eq!(level_of(&spec, &events), oracle::level(&spec, &events));
        let clickhouse = with_compat(&spec, Compat::ClickHouse);
        prop_assert_eq!(level_of(&clickhouse, &events), oracle::level(&clickhouse, &events));
    }

    #[test]
    fn the_times_are_those_of_the_chain_to_report(spec in any_spec(), events in any_events()) {
        let reported = times_of(&spec, &events);
        prop_assert_eq!(reported.len(), level_of(&spec, &events) as usize);
        prop_assert!(oracle::has_chain(&spec, &events, &reported));
        prop_assert_eq!(reported, oracle::times(&spec, &events));
    }

    #[test]
    fn rows_of_one_time_are_shared_out_as_by_trying_every_way(
        events in prop::collection::vec((0..4i64, 1..16u64), 0..=6),
        steps in 3..=4usize,
        window_us in 1..4i64,
        report in select(vec![Report::First, Report::Last, Report::Fastest]),
    ) {
        let spec = with_report(&super::spec(steps, window_us, modes("strict_once")), report);
        prop_assert_eq!(level_of(&spec, &events), oracle::level(&spec, &events));
        prop_assert_eq!(times_of(&spec, &events), oracle::times(&spec, &events));
    }

    #[test]
    fn clickhouse_times_are_a_chain_of_its_level(spec in any_spec(), events in any_events()) {
        let spec = with_compat(&spec, Compat::ClickHouse);
        let reported = times_of(&spec, &events);
        prop_assert_eq!(reported.len(), level_of(&spec, &events) as usize);
        prop_assert!(oracle::has_chain(&spec, &events, &reported));
    }

    #[test]
    fn order_inside_equal_times_changes_nothing(
        spec in any_spec(),
        (events, shuffled) in any_events().prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
    ) {
        for compat in [Compat::Tributary, Compat::ClickHouse] {
            let spec = if compat == Compat::ClickHouse { with_compat(&spec, compat) } else { spec };
            prop_assert_eq!(level_of(&spec, &events), level_of(&spec, &shuffled));
            prop_assert_eq!(times_of(&spec, &events), times_of(&spec, &shuffled));
        }
    }

    #[test]
    fn a_wider_window_never_lowers_the_level(spec in any_spec(), events in any_events(), more_us in 0..9i64) {
        for mode in ["", "strict_increase", "strict_once"] {
            let wider = super::spec(spec.steps(), spec.window_us().saturating_add(more_us), modes(mode));
            prop_assert!(level_in(mode, &spec, &events) <= level_of(&wider, &events), "{}", mode);
        }
    }

    #[test]
    fn a_row_without_a_step_changes_nothing_unless_all_rows_are_seen(
        spec in any_spec(),
        events in any_events(),
        at_us in 0..10i64,
    ) {
        let mut with_row = events.clone();
        with_row.push((at_us, 0));
        if spec.sees_all_rows() {
            prop_assert!(level_of(&spec, &with_row) <= level_of(&spec, &events));
        } else {
            prop_assert_eq!(level_of(&spec, &with_row), level_of(&spec, &events));
            prop_assert_eq!(times_of(&spec, &with_row), times_of(&spec, &events));
        }
    }

    #[test]
    fn a_strict_mode_never_raises_the_level(spec in any_spec(), events in any_events()) {
        let default = level_in("", &spec, &events);
        prop_assert!(level_of(&spec, &events) <= default);
        prop_assert!(default as usize <= spec.steps());
        prop_assert!(level_in("strict_increase", &spec, &events) <= level_in("strict_once", &spec, &events));
    }

    #[test]
    fn another_row_never_lowers_the_level_of_the_chain_modes(
        spec in any_spec(),
        events in any_events(),
        row in (0..10i64, 0..16u64),
    ) {
        let mut more = events.clone();
        more.push(row);
        for mode in ["", "strict_increase", "strict_once"] {
            prop_assert!(level_in(mode, &spec, &events) <= level_in(mode, &spec, &more), "{}", mode);
        }
    }

    #[test]
    fn moving_all_times_moves_the_reported_times(spec in any_spec(), events in any_events(), by_us in -50..50i64) {
        let finite: Events = events.into_iter().filter(|&(at_us, _)| at_us != i64::MIN && at_us != i64::MAX).collect();
        let moved: Events = finite.iter().map(|&(at_us, mask)| (at_us + by_us, mask)).collect();
        let expected: Vec<i64> = times_of(&spec, &finite).into_iter().map(|at_us| at_us + by_us).collect();
        prop_assert_eq!(times_of(&spec, &moved), expected);
    }

    #[test]
    fn scratch_carries_nothing_from_user_to_user(
        questions in prop::collection::vec((any_spec(), any_events()), 1..6),
    ) {
        let mut scratch = Scratch::default();
        for (spec, events) in questions {
            let (at_us, masks) = columns(&events);
            let mut reported = Vec::new();
            times(&spec, &at_us, &masks, &mut scratch, &mut reported);
            prop_assert_eq!(reported, times_of(&spec, &events));
            prop_assert_eq!(level(&spec, &at_us, &masks, &mut scratch), level_of(&spec, &events));
        }
    }
}

/// Long journeys of many steps, which the oracle's enumeration cannot reach: most rows satisfy one
/// step, in an order that makes progress likely.
fn long_events() -> impl Strategy<Value = (usize, Events)> {
    (1..=MAX_STEPS).prop_flat_map(|steps| {
        let row = (0..steps, 0..4i64, any::<u64>(), 0..12u32);
        prop::collection::vec(row, 0..200).prop_map(move |rows| {
            let mut at_us = 0;
            let events = rows.into_iter().enumerate().map(|(index, (step, gap_us, extra, kind))| {
                at_us += gap_us;
                let mask = match kind {
                    0 => 0,
                    1 => 1 << step,
                    2 => 1 << step | 1 << (extra % steps as u64),
                    _ => 1 << (index % steps),
                };
                (at_us, mask)
            });
            (steps, events.collect())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases() / 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn long_journeys_agree_with_the_entry_by_entry_scan(
        (steps, events) in long_events(),
        window_us in 1..400i64,
        modes in select(Modes::SUPPORTED.to_vec()),
    ) {
        let native = super::spec(steps, window_us, modes);
        let clickhouse = with_compat(&native, Compat::ClickHouse);
        let reported = times_of(&native, &events);
        prop_assert_eq!(reported.len(), level_of(&native, &events) as usize);
        prop_assert!(is_chain(&native, &events, &reported));
        if modes.strict_once {
            let at_most = level_in("", &native, &events);
            prop_assert!(level_of(&native, &events) <= at_most);
            prop_assert!(level_of(&native, &events) >= level_in("strict_increase", &native, &events));
        } else {
            prop_assert_eq!(level_of(&clickhouse, &events), oracle::level(&clickhouse, &events));
        }
    }

    #[test]
    fn the_fast_loop_agrees_with_the_walk_of_the_journey_modes(
        (steps, events) in long_events(),
        window_us in 1..400i64,
    ) {
        let (at_us, masks) = columns(&events);
        for mode in ["", "strict_increase"] {
            let spec = super::spec(steps, window_us, modes(mode));
            let mut deadlines = [0; MAX_STEPS + 1];
            let walked = walk(&spec, &at_us, &masks, &mut deadlines, Until::JourneyEnds);
            prop_assert_eq!(level_of(&spec, &events), walked.level, "{}", mode);
        }
    }

    #[test]
    fn rows_at_distinct_times_are_used_once_as_they_increase((steps, events) in long_events(), window_us in 1..400i64) {
        let apart: Events = events.iter().zip(0..).map(|(&(at_us, mask), row)| (at_us + row, mask)).collect();
        let once = super::spec(steps, window_us, modes("strict_once"));
        prop_assert_eq!(level_of(&once, &apart), level_in("strict_increase", &once, &apart));
        let increase = super::spec(steps, window_us, modes("strict_increase"));
        prop_assert_eq!(times_of(&once, &apart), times_of(&increase, &apart));
    }
}

/// `PROPTEST_CASES` where set; else enough to meet every mode with every kind of tie, in a few
/// seconds.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000)
}
