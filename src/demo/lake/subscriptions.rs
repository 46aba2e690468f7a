//! The monthly box: who starts, renews, fails to pay, cancels.

use super::clock::{DAY_US, END_US, MINUTE_US, day, day_of};
use super::events::Event;
use super::people::{Cast, PersonIndex};
use super::random::Random;

const PLAN: &str = "monthly_box";

/// The box is paid every 30 days, to the second.
const TERM_US: i64 = 30 * DAY_US;

/// People who start in a span of days, how many renew once, how many of these twice.
struct Cohort {
    days: std::ops::Range<i64>,
    starts: usize,
    renew_once: usize,
    renew_twice: usize,
}

/// Nobody starts on 1 April, so that for all of the second cohort 60 days are not over.
const COHORTS: [Cohort; 2] = [
    Cohort { days: day(3, 1)..day(4, 1), starts: 600, renew_once: 480, renew_twice: 384 },
    Cohort { days: day(4, 2)..day(5, 1), starts: 400, renew_once: 320, renew_twice: 0 },
];

/// Of those who do not renew: fail to pay twice and cancel, fail once and cancel.
const FAIL_TWICE: usize = 90;
const FAIL_ONCE: usize = 30;

/// Somebody whose box ends.
struct Leaver {
    person: PersonIndex,
    due_us: i64,
}

/// All rows of subscriptions.
pub fn events(cast: &Cast, seed: u64) -> Vec<Event> {
    let mut random = Random::new(seed, "subscriptions");
    let mut events = Vec::new();
    let mut leavers = Vec::new();
    for cohort in &COHORTS {
        let subscribers = cast.who_shuffled(&mut random, |person| {
            person.level >= 2 && cohort.days.contains(&day_of(start_us(person.moment_us)))
        });
        for (rank, person) in subscribers.into_iter().take(cohort.starts).enumerate() {
            let started_us = start_us(cast[person].moment_us);
            let renewals = usize::from(rank < cohort.renew_once) + usize::from(rank < cohort.renew_twice);
            events.push(row(person, started_us, "subscribe"));
            for renewal in 1..=renewals as i64 {
                events.push(row(person, started_us + renewal * TERM_US, "renew"));
            }
            let due_us = started_us + (renewals as i64 + 1) * TERM_US;
            if due_us < END_US {
                leavers.push(Leaver { person, due_us });
            }
        }
    }
    random.shuffle(&mut leavers);
    events.extend(goodbyes(leavers));
    events
}

/// People subscribe soon after they looked round the shop.
fn start_us(moment_us: i64) -> i64 {
    moment_us + 20 * MINUTE_US
}

fn row(person: PersonIndex, at_us: i64, event: &'static str) -> Event {
    let mut row = Event::server(person, at_us, event);
    row.plan = Some(PLAN);
    row
}

/// How those leave who do not renew: after two failed payments, after one, or of their own will
/// the day before the box is due. The first to leave take the failures, as they are in random
/// order; a failure needs five days before the demo ends.
fn goodbyes(leavers: Vec<Leaver>) -> Vec<Event> {
    let mut events = Vec::new();
    let (in_time, too_late): (Vec<Leaver>, Vec<Leaver>) =
        leavers.into_iter().partition(|leaver| leaver.due_us + 5 * DAY_US < END_US);
    for (rank, Leaver { person, due_us }) in in_time.into_iter().enumerate() {
        if rank < FAIL_TWICE {
            events.push(row(person, due_us, "payment_failed"));
            events.push(row(person, due_us + 3 * DAY_US, "payment_failed"));
            events.push(row(person, due_us + 5 * DAY_US, "cancel"));
        } else if rank < FAIL_TWICE + FAIL_ONCE {
            events.push(row(person, due_us, "payment_failed"));
            events.push(row(person, due_us + 2 * DAY_US, "cancel"));
        } else {
            events.push(row(person, due_us - DAY_US, "cancel"));
        }
    }
    events.extend(too_late.into_iter().map(|leaver| row(leaver.person, leaver.due_us - DAY_US, "cancel")));
    events
}
