//! Calls of J18 people that nobody took, and who called them back.

use super::{Call, outbound};
use crate::demo::lake::clock::{HOUR_US, MINUTE_US, SECOND_US, day_of, starts_us};
use crate::demo::lake::people::Cast;
use crate::demo::lake::random::Random;

/// Missed calls: those called back who buy, called back who do not, and never called back.
const CALLED_BACK_AND_BUY: usize = 54;
const CALLED_BACK_ONLY: usize = 126;
const FORGOTTEN: usize = 120;

/// The missed calls and the calls back, all within 15 minutes.
///
/// A missed call comes one to seven days before the moment, so those who buy do so within 14 days.
pub fn calls(cast: &Cast, seed: u64) -> Vec<Call> {
    let mut random = Random::new(seed, "missed");
    let buyers = cast.who_shuffled(&mut random, |person| person.journey.id == "J18" && person.buys);
    let others = cast.who_shuffled(&mut random, |person| person.journey.id == "J18" && !person.buys);
    let callers =
        buyers.into_iter().take(CALLED_BACK_AND_BUY).chain(others.into_iter().take(CALLED_BACK_ONLY + FORGOTTEN));

    let mut calls = Vec::new();
    for (rank, index) in callers.enumerate() {
        let day = day_of(cast[index].moment_us) - random.between(1, 7);
        let missed_us = starts_us(day) + random.between(9, 20) * HOUR_US + random.between(0, 3_599) * SECOND_US;
        let missed = Call::new(index, missed_us, "inbound", &mut random);
        let back_us = missed.ended_us() + random.between(MINUTE_US, 14 * MINUTE_US);
        calls.push(missed);
        if rank < CALLED_BACK_AND_BUY + CALLED_BACK_ONLY {
            let agent = random.between(*outbound::AGENTS.start(), *outbound::AGENTS.end()) as u8;
            let talk_seconds = random.between(30, 300);
            let mut back =
                Call::new(index, back_us, "outbound", &mut random).answered(agent, talk_seconds, &mut random);
            // The order, if one comes, is placed on the web later.
            back.outcome = Some("follow_up");
            calls.push(back);
        }
    }
    calls
}
