//! Calls that come in from advertising: all answered, one script or the other, ten agents.

use std::collections::HashMap;

use super::Call;
use crate::demo::lake::clock::DAY_US;
use crate::demo::lake::people::{Cast, PersonIndex};
use crate::demo::lake::random::Random;

/// A sales script: how many calls end after each stage without an order, and how many sell.
struct Script {
    name: &'static str,
    /// Calls whose last stage is greeting, need, price, close.
    lost_after: [usize; 4],
    sold: usize,
}

/// Script A says the price first, script B the value.
const SCRIPTS: [Script; 2] = [
    Script { name: "A", lost_after: [50, 100, 450, 240], sold: 210 },
    Script { name: "B", lost_after: [50, 100, 180, 340], sold: 380 },
];

/// Agents whose calls are fixed: number, lead channel, calls, of which sold.
const FIXED_AGENTS: [(u8, &str, usize, usize); 2] = [(3, "baidu", 150, 48), (7, "industry_site", 100, 28)];

/// The other agents share the rest.
const OTHER_AGENTS: [u8; 8] = [1, 2, 4, 5, 6, 8, 9, 10];

/// Telephone numbers by the channel that shows them.
pub const NUMBERS: [(&str, &str); 3] =
    [("baidu", "TEL-4008-0001"), ("seo", "TEL-4008-0002"), ("industry_site", "TEL-4008-0003")];

/// Mean sentiment of calls that sell and of those that do not, in hundredths.
const SENTIMENT_SOLD: i64 = 40;
const SENTIMENT_OTHER: i64 = -10;

/// One call of every J14 to J16 person, exactly one day before their moment.
pub fn calls(cast: &Cast, seed: u64) -> Vec<Call> {
    let mut random = Random::new(seed, "inbound");
    let callers = cast.who_shuffled(&mut random, |person| person.journey.calls_in());
    let (sold, lost): (Vec<_>, Vec<_>) = callers.iter().partition(|index| cast[**index].buys);
    let scripts = scripts(&sold, &lost);
    let agents = agents(cast, &sold, &lost);
    let mut sentiments = sentiments(SENTIMENT_SOLD, &sold, &mut random);
    sentiments.extend(self::sentiments(SENTIMENT_OTHER, &lost, &mut random));

    let call = |index: PersonIndex| {
        let person = &cast[index];
        let channel = person.journey.channels[0];
        let (script, stages) = scripts[&index];
        let talk_seconds = 60 + 45 * stages as i64 + random.between(0, 240);
        let mut call = Call::new(index, person.moment_us - DAY_US, "inbound", &mut random).answered(
            agents[&index],
            talk_seconds,
            &mut random,
        );
        call.touch = Some("call_in");
        call.tracking_code = NUMBERS.iter().find(|(shown_by, _)| *shown_by == channel).map(|(_, number)| *number);
        call.lead_channel = Some(channel);
        call.script = Some(script);
        call.stages = stages;
        call.outcome = Some(match (person.buys, stages) {
            (true, _) => "sold",
            (false, 1) => *random.pick(&["not_interested", "wrong_number"]),
            (false, _) => *random.pick(&["follow_up", "not_interested"]),
        });
        call.sentiment = Some(sentiments[&index]);
        call.agent_tags = agent_tags(person.buys, stages);
        call
    };
    callers.into_iter().map(call).collect()
}

/// The script of each call and how many stages it reaches. The callers are in random order, so
/// the first ones may take the first parts.
fn scripts(sold: &[PersonIndex], lost: &[PersonIndex]) -> HashMap<PersonIndex, (&'static str, usize)> {
    let mut parts = HashMap::new();
    let (mut sold, mut lost) = (sold.iter(), lost.iter());
    for script in &SCRIPTS {
        for index in sold.by_ref().take(script.sold) {
            parts.insert(*index, (script.name, 4));
        }
        for (stages, count) in (1..).zip(script.lost_after) {
            for index in lost.by_ref().take(count) {
                parts.insert(*index, (script.name, stages));
            }
        }
    }
    parts
}

/// The agent of each call. What is not fixed is dealt out channel by channel like cards, so that
/// the others have nearly the same calls: 231 or 232 each, for 1,850 is no multiple of eight.
fn agents(cast: &Cast, sold: &[PersonIndex], lost: &[PersonIndex]) -> HashMap<PersonIndex, u8> {
    let mut agents = HashMap::new();
    let mut dealt = 0;
    for (channel, _) in NUMBERS {
        for (callers, sells) in [(sold, true), (lost, false)] {
            let mut of_channel = callers
                .iter()
                .copied()
                .filter(|index| cast[*index].journey.channels[0] == channel)
                // By id, not by draw: who got a long call must not decide who takes it.
                .collect::<Vec<_>>();
            of_channel.sort_unstable();
            let mut of_channel = of_channel.into_iter();
            for (agent, fixed_channel, calls, sales) in FIXED_AGENTS {
                if fixed_channel == channel {
                    let count = if sells { sales } else { calls - sales };
                    agents.extend(of_channel.by_ref().take(count).map(|index| (index, agent)));
                }
            }
            for index in of_channel {
                agents.insert(index, OTHER_AGENTS[dealt % OTHER_AGENTS.len()]);
                dealt += 1;
            }
        }
    }
    agents
}

/// Sentiments around a mean: for each caller above it another as far below, so it is exact.
fn sentiments(mean_hundredths: i64, callers: &[PersonIndex], random: &mut Random) -> HashMap<PersonIndex, f64> {
    let mut sentiments = HashMap::new();
    for pair in callers.chunks(2) {
        let off = if pair.len() == 2 { random.between(0, 50) } else { 0 };
        for (index, side) in pair.iter().zip([off, -off]) {
            sentiments.insert(*index, (mean_hundredths + side) as f64 / 100.0);
        }
    }
    sentiments
}

fn agent_tags(sold: bool, stages: usize) -> &'static [&'static str] {
    match (sold, stages) {
        (true, _) => &["intent:high", "budget:clear"],
        (false, 4) => &["intent:high", "budget:low"],
        (false, 3) => &["budget:low"],
        (false, _) => &[],
    }
}
