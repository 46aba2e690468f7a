//! The call desk: calls that come in, calls that go out, calls that nobody took.

mod inbound;
mod missed;
mod outbound;

pub use inbound::NUMBERS;

use super::clock::SECOND_US;
use super::events::{Event, SERVER};
use super::people::{Cast, PersonIndex};
use super::random::Random;

/// One call, as the telephone system logs it.
#[derive(Clone, Debug)]
pub struct Call {
    pub person: PersonIndex,
    pub started_us: i64,
    /// The marketing contact that the call is, if it is one: `call_in` or `call_out`.
    pub touch: Option<&'static str>,
    /// `inbound` or `outbound`.
    pub direction: &'static str,
    /// `answered`, `missed`, `busy`, `voicemail` or `failed`.
    pub status: &'static str,
    /// Of the cold campaign to this person.
    pub attempt: Option<i32>,
    pub ring_seconds: i32,
    /// Talk time; 0 where nobody answered.
    pub talk_seconds: i32,
    pub hold_seconds: i32,
    pub tracking_code: Option<&'static str>,
    /// The channel that made the telephone ring.
    pub lead_channel: Option<&'static str>,
    pub campaign: Option<&'static str>,
    /// `agent_NN`; none where nobody took the call.
    pub agent: Option<u8>,
    pub team: &'static str,
    pub script: Option<&'static str>,
    /// How many of [`STAGES`] the talk reached.
    pub stages: usize,
    pub outcome: Option<&'static str>,
    /// -1 to 1, of the customer.
    pub sentiment: Option<f64>,
    pub agent_tags: &'static [&'static str],
}

/// What the script goes through, in order, and after how much of the talk.
pub const STAGES: [(&str, f64); 4] = [("greeting", 0.02), ("need", 0.20), ("price", 0.45), ("close", 0.75)];

/// All calls in time order.
pub fn calls(cast: &Cast, seed: u64) -> Vec<Call> {
    let mut calls = inbound::calls(cast, seed);
    calls.extend(outbound::calls(cast, seed));
    calls.extend(missed::calls(cast, seed));
    calls.sort_by_key(|call| (call.started_us, call.person));
    calls
}

/// The rows that the calls leave in the event table: the call, its stages, its outcome.
pub fn events(calls: &[Call]) -> Vec<Event> {
    calls.iter().enumerate().flat_map(|(number, call)| rows(number, call)).collect()
}

fn rows(number: usize, call: &Call) -> Vec<Event> {
    let row = |event, at_us, platform| {
        let mut row = Event::new(call.person, at_us, event, platform);
        row.call = Some(number);
        row.campaign = call.campaign;
        row.tracking_code = call.tracking_code;
        row
    };
    let platform = if call.touch.is_some() { "phone" } else { SERVER };
    let mut first = row("call", call.started_us, platform);
    first.channel = call.touch;
    first.is_touch = call.touch.is_some();
    let mut rows = vec![first];
    for (stage, share) in STAGES.iter().take(call.stages) {
        let mut reached = row("call_stage", call.talk_us(*share), SERVER);
        reached.call_stage = Some(stage);
        rows.push(reached);
    }
    if call.stages > 0 {
        rows.push(row("call_outcome", call.talk_us(1.0), SERVER));
    }
    rows
}

impl Call {
    /// When somebody answered; none where nobody did.
    pub fn answered_us(&self) -> Option<i64> {
        (self.status == "answered").then(|| self.talk_us(0.0))
    }

    /// The agent as the tables name them.
    pub fn agent_id(&self) -> Option<String> {
        self.agent.map(|agent| format!("agent_{agent:02}"))
    }

    /// The end of the call.
    pub fn ended_us(&self) -> i64 {
        self.talk_us(1.0)
    }

    /// The moment at which a share of the talk is over.
    fn talk_us(&self, share: f64) -> i64 {
        let talked_seconds = (f64::from(self.talk_seconds) * share) as i64;
        self.started_us + (i64::from(self.ring_seconds) + talked_seconds) * SECOND_US
    }

    /// A call that somebody took or did not take, before the desk's part is filled in.
    fn new(person: PersonIndex, started_us: i64, direction: &'static str, random: &mut Random) -> Self {
        Self {
            person,
            started_us,
            touch: None,
            direction,
            status: "missed",
            attempt: None,
            ring_seconds: random.between(4, 25) as i32,
            talk_seconds: 0,
            hold_seconds: 0,
            tracking_code: None,
            lead_channel: None,
            campaign: None,
            agent: None,
            team: direction,
            script: None,
            stages: 0,
            outcome: None,
            sentiment: None,
            agent_tags: &[],
        }
    }

    /// Somebody talked.
    fn answered(mut self, agent: u8, talk_seconds: i64, random: &mut Random) -> Self {
        self.status = "answered";
        self.agent = Some(agent);
        self.talk_seconds = talk_seconds as i32;
        self.hold_seconds = random.between(0, talk_seconds / 6) as i32;
        self
    }
}
