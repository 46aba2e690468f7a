//! The fast code against the oracle, and laws that need no oracle.

use proptest::prelude::*;

use super::super::{change_events, true_events};
use super::*;

/// Days of five microseconds, so that a handful of rows crosses some.
fn short_day(at_us: i64) -> i64 {
    at_us.div_euclid(5)
}

fn any_time() -> impl Strategy<Value = i64> {
    prop_oneof![
        12 => -2..14i64,
        1 => prop::sample::select(vec![i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX]),
    ]
}

prop_compose! {
    fn any_event()(
        at_us in any_time(),
        tie in 0..3u32,
        new_when in prop::bool::weighted(0.2),
        end_when in prop::bool::weighted(0.2),
        change in prop::option::weighted(0.7, 1..4u32),
    ) -> Event {
        Event { at_us, tie, new_when, end_when, change }
    }
}

/// Rows of one user, with a tie column or without.
fn any_events() -> impl Strategy<Value = Vec<Event>> {
    (prop::collection::vec(any_event(), 0..24), any::<bool>()).prop_map(|(mut events, has_tie)| {
        events.iter_mut().filter(|_| !has_tie).for_each(|event| event.tie = 0);
        events
    })
}

fn any_splits() -> impl Strategy<Value = Splits> {
    any::<[bool; 4]>().prop_map(|[new_when, end_when, change, day]| Splits { new_when, end_when, change, day })
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let gap_us = prop_oneof![8 => 1..5i64, 1 => Just(i64::MAX)];
    let max_duration_us = prop::option::of(prop_oneof![8 => 1..9i64, 1 => Just(i64::MAX)]);
    let max_events = prop::option::of(1..5u64);
    let splits = prop_oneof![1 => Just(Splits::default()), 2 => any_splits()];
    (gap_us, max_duration_us, max_events, splits).prop_map(|(gap_us, max_duration_us, max_events, splits)| {
        Spec::try_new(gap_us, max_duration_us, max_events, splits).expect("valid spec")
    })
}

fn shuffled() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    any_events().prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle()))
}

/// Every event once more, in any order.
fn doubled() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    any_events().prop_flat_map(|events| {
        let doubled: Vec<Event> = events.iter().chain(&events).copied().collect();
        (Just(events), Just(doubled).prop_shuffle())
    })
}

/// An event as far as the spec can see it: other columns may go to either of two rows.
fn seen(spec: &Spec, event: Event) -> Event {
    let splits = spec.splits();
    Event {
        new_when: event.new_when && splits.new_when,
        end_when: event.end_when && splits.end_when,
        change: event.change.filter(|_| splits.change),
        ..event
    }
}

/// Events with their rows, in an order that does not depend on the input's.
fn answers(spec: &Spec, events: &[Event]) -> Vec<(Event, Row)> {
    let rows = rows_of(spec, events, short_day);
    let mut answers: Vec<_> = in_time_order(events).into_iter().map(|event| seen(spec, event)).zip(rows).collect();
    answers.sort_by_key(|&(event, row)| (event, row.session_no, row.event_no));
    answers
}

proptest! {
    #[test]
    fn rows_are_the_oracles(spec in any_spec(), events in any_events()) {
        let mut expected = oracle::rows(&spec, &events, short_day);
        expected.iter_mut().for_each(|(event, _)| *event = seen(&spec, *event));
        expected.sort_by_key(|&(event, row)| (event, row.session_no, row.event_no));
        prop_assert_eq!(answers(&spec, &events), expected);
    }

    #[test]
    fn equal_rows_are_numbered_in_the_order_of_the_input(spec in any_spec(), events in any_events()) {
        let events = in_time_order(&events);
        let rows = rows_of(&spec, &events, short_day);
        for (later, event) in events.iter().enumerate() {
            for earlier in (0..later).filter(|&earlier| seen(&spec, events[earlier]) == seen(&spec, *event)) {
                prop_assert_eq!(rows[earlier].session_no, rows[later].session_no);
                prop_assert!(rows[earlier].event_no < rows[later].event_no);
            }
        }
    }

    #[test]
    fn sessions_are_what_the_rows_add_up_to(spec in any_spec(), events in any_events()) {
        let expected = oracle::sessions(&oracle::rows(&spec, &events, short_day));
        prop_assert_eq!(sessions_of(&spec, &events, short_day), expected.clone());
        prop_assert_eq!(oracle::sessions(&answers(&spec, &events)), expected);
    }

    #[test]
    fn every_row_is_in_one_session(spec in any_spec(), events in any_events()) {
        let sessions = sessions_of(&spec, &events, short_day);
        let event_count: i64 = sessions.iter().map(|session| session.event_count).sum();
        prop_assert_eq!(event_count as usize, events.len());
        prop_assert!(sessions.iter().zip(1..).all(|(session, session_no)| session.session_no == session_no));
        prop_assert!(sessions.iter().is_sorted_by(|one, next| one.ended_at_us <= next.started_at_us));
        prop_assert!(sessions.iter().is_sorted_by_key(|session| (session.started_at_us, session.start_index)));
    }

    #[test]
    fn order_inside_equal_times_changes_nothing(spec in any_spec(), (events, shuffled) in shuffled()) {
        prop_assert_eq!(answers(&spec, &events), answers(&spec, &shuffled));
        prop_assert_eq!(sessions_of(&spec, &events, short_day), sessions_of(&spec, &shuffled, short_day));
    }

    #[test]
    fn doubling_every_row_doubles_the_counts_and_nothing_else(spec in any_spec(), (events, doubled) in doubled()) {
        let twice = spec.max_events().map(|limit| 2 * limit);
        let twice = Spec::try_new(spec.gap_us(), spec.max_duration_us(), twice, spec.splits()).expect("valid spec");
        let mut expected = sessions_of(&spec, &events, short_day);
        expected.iter_mut().for_each(|session| session.event_count *= 2);
        prop_assert_eq!(sessions_of(&twice, &doubled, short_day), expected);
        let of_each = |answers: Vec<(Event, Row)>| -> Vec<_> {
            answers.into_iter().map(|(event, row)| (event, row.session_no, row.started_at_us)).collect()
        };
        let expected: Vec<_> = of_each(answers(&spec, &events)).into_iter().flat_map(|answer| [answer, answer]).collect();
        prop_assert_eq!(of_each(answers(&twice, &doubled)), expected);
    }

    #[test]
    fn the_fast_pass_over_a_gap_is_the_general_walk(gap_us in 1..5i64, events in any_events()) {
        let fast = Spec::try_new(gap_us, None, None, Splits::default()).expect("valid spec");
        let general = Spec::try_new(gap_us, None, Some(u64::MAX), Splits::default()).expect("valid spec");
        prop_assert!(fast.is_gap_only() && !general.is_gap_only());
        prop_assert_eq!(rows_of(&fast, &events, short_day), rows_of(&general, &events, short_day));
        prop_assert_eq!(sessions_of(&fast, &events, short_day), sessions_of(&general, &events, short_day));
    }

    #[test]
    fn the_fast_pass_is_the_oracles_for_users_of_several_hundred_rows(
        steps_us in prop::collection::vec(prop_oneof![3 => 0..3i64, 1 => 3..5i64], 0..300),
    ) {
        let mut at_us = 0;
        let mut after = |step_us: i64| { at_us += step_us; Event { at_us, ..Event::default() } };
        let events: Vec<Event> = steps_us.into_iter().map(&mut after).collect();
        let spec = Spec::try_new(3, None, None, Splits::default()).expect("valid spec");
        let expected = oracle::rows(&spec, &events, short_day);
        prop_assert_eq!(sessions_of(&spec, &events, short_day), oracle::sessions(&expected));
        let expected: Vec<Row> = expected.into_iter().map(|(_, row)| row).collect();
        prop_assert_eq!(rows_of(&spec, &events, short_day), expected);
    }

    #[test]
    fn a_moments_day_is_asked_for_once_and_an_infinitys_never(spec in any_spec(), events in any_events()) {
        let mut asked = Vec::new();
        rows_of(&spec, &events, |at_us| {
            asked.push(at_us);
            short_day(at_us)
        });
        prop_assert!(spec.splits().day || asked.is_empty());
        prop_assert!(asked.is_sorted_by(|one, next| one < next), "{:?}", asked);
        prop_assert!(asked.iter().all(|&at_us| at_us != i64::MIN && at_us != i64::MAX));
    }

    #[test]
    fn nothing_carries_over_in_scratch(spec in any_spec(), one in any_events(), other in any_events()) {
        let mut scratch = Scratch::default();
        for events in [&one, &other, &one] {
            let mut answers = Vec::new();
            rows(&spec, &Table::of(events).columns(), short_day, &mut scratch, |row| answers.push(row));
            prop_assert_eq!(answers, rows_of(&spec, events, short_day));
        }
    }

    #[test]
    fn running_counts_are_the_oracles(events in any_events()) {
        let events = in_time_order(&events);
        let table = Table::of(&events);
        let mut scratch = Scratch::default();

        let is_true: Vec<bool> = events.iter().map(|event| event.new_when).collect();
        let rows: Vec<_> = events.iter().map(|event| (event.at_us, event.tie, event.new_when)).collect();
        let mut counts = Vec::new();
        true_events(&table.at_us, &is_true, &table.tie, &mut scratch, |count| counts.push(count));
        prop_assert_eq!(counts, oracle::true_events(&rows));

        let rows: Vec<_> = events.iter().map(|event| (event.at_us, event.tie, event.change)).collect();
        let mut counts = Vec::new();
        change_events(&table.at_us, &table.change, &table.tie, &mut scratch, |count| counts.push(count));
        prop_assert_eq!(counts, oracle::change_events(&rows));
    }

    #[test]
    fn changes_are_counted_as_they_split(events in any_events()) {
        // With no other cause, a session starts where the count of changes rises.
        let spec = Spec::try_new(i64::MAX, None, None, splits("c")).expect("valid spec");
        let finite: Vec<Event> = events.into_iter().filter(|event| event.at_us.unsigned_abs() < 99).collect();
        let table = Table::of(&finite);
        let mut counts = Vec::new();
        change_events(&table.at_us, &table.change, &table.tie, &mut Scratch::default(), |count| counts.push(count + 1));
        let session_nos: Vec<i64> = rows_of(&spec, &finite, short_day).iter().map(|row| row.session_no).collect();
        prop_assert_eq!(session_nos, counts);
    }
}
