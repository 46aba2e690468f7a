//! The cold campaign: up to three dials to each person of J21. The first is their touch.

use std::collections::HashSet;

use super::Call;
use crate::demo::lake::clock::{DAY_US, HOUR_US, SECOND_US, day_of, hour_of, starts_us};
use crate::demo::lake::people::{Cast, PersonIndex};
use crate::demo::lake::random::Random;

const CAMPAIGN: &str = "cold_2026q2";

/// First dials that are answered, from 18:00 to 19:59 and at other hours.
const ANSWERED_EVENING: usize = 600;
const ANSWERED_ELSE: usize = 600;

/// Second and third dials that are answered.
const ANSWERED_LATER: [usize; 2] = [450, 135];

/// Answered people who ask not to be called again, by attempt.
const OPT_OUTS: [usize; 3] = [30, 54, 108];

/// Agents of the outbound team.
pub const AGENTS: std::ops::RangeInclusive<i64> = 11..=18;

/// All dials of the campaign.
pub fn calls(cast: &Cast, seed: u64) -> Vec<Call> {
    let mut random = Random::new(seed, "outbound");
    let first_us = |index: PersonIndex| cast[index].moment_us - DAY_US;
    let people = cast.who_shuffled(&mut random, |person| person.journey.is_called_cold());

    let (evening, others): (Vec<_>, Vec<_>) =
        people.iter().partition(|index| (18..20).contains(&hour_of(first_us(**index))));
    let mut answered = first_answered(cast, evening, ANSWERED_EVENING);
    answered.extend(first_answered(cast, others, ANSWERED_ELSE));

    let mut calls = Vec::new();
    let mut due = people;
    for (attempt, opt_outs) in (1..).zip(OPT_OUTS) {
        if attempt > 1 {
            answered = due.iter().copied().take(ANSWERED_LATER[attempt - 2]).collect();
        }
        let mut opt_outs_left = opt_outs;
        for index in &due {
            let started_us = match attempt {
                1 => first_us(*index),
                _ => {
                    let day = day_of(first_us(*index)) + attempt as i64 - 1;
                    starts_us(day) + random.between(9, 20) * HOUR_US + random.between(0, 3_599) * SECOND_US
                }
            };
            let buys = cast[*index].buys;
            let is_answered = answered.contains(index);
            let opts_out = is_answered && !buys && opt_outs_left > 0;
            opt_outs_left -= usize::from(opts_out);
            let mut call = dial(*index, started_us, is_answered, buys, opts_out, &mut random);
            call.attempt = Some(attempt as i32);
            call.touch = (attempt == 1).then_some("call_out");
            calls.push(call);
        }
        due.retain(|index| !answered.contains(index));
        random.shuffle(&mut due);
    }
    calls
}

/// Who answers the first dial: those who buy, and others up to the quota.
fn first_answered(cast: &Cast, mut dialled: Vec<PersonIndex>, quota: usize) -> HashSet<PersonIndex> {
    // The sort is stable: apart from the buyers, the random order stays.
    dialled.sort_by_key(|index| !cast[*index].buys);
    dialled.into_iter().take(quota).collect()
}

fn dial(
    index: PersonIndex,
    started_us: i64,
    is_answered: bool,
    buys: bool,
    opts_out: bool,
    random: &mut Random,
) -> Call {
    let agent = random.between(*AGENTS.start(), *AGENTS.end()) as u8;
    let mut call = Call::new(index, started_us, "outbound", random);
    call.agent = Some(agent);
    call.campaign = Some(CAMPAIGN);
    if is_answered {
        let talk_seconds = random.between(15, 90) + if buys { 150 } else { 0 };
        call = call.answered(agent, talk_seconds, random);
    } else {
        call.status = ["voicemail", "busy", "failed"][random.weighted(&[60, 30, 10])];
    }
    call.outcome = Some(if opts_out {
        "opt_out"
    } else if is_answered && buys {
        "sold"
    } else if is_answered {
        ["follow_up", "not_interested", "wrong_number"][random.weighted(&[25, 70, 5])]
    } else {
        // Not reached: to be dialled again. Every dial has an outcome, so that a rate over
        // outcomes is a rate over dials.
        "follow_up"
    });
    call
}
