//! Leads: everybody who called, and how far those of the industry site came in sales.

use super::call_desk::Call;
use super::clock::{DAY_US, HOUR_US, MINUTE_US};
use super::events::Event;
use super::people::{Cast, PersonIndex};
use super::random::Random;

/// One lead.
#[derive(Clone, Debug)]
pub struct Lead {
    pub person: PersonIndex,
    pub created_us: i64,
    pub channel: &'static str,
    pub owner: Option<u8>,
    /// A stage of [`STAGES`], or `called` where sales keeps no pipeline.
    pub stage: &'static str,
    pub sold: bool,
    pub order_cents: Option<i64>,
    pub closed_us: Option<i64>,
}

/// The pipeline: its events, and how long after the lead each comes. `won` comes with the order.
const STAGES: [(&str, i64); 4] =
    [("lead_created", 0), ("mql", 2 * HOUR_US), ("sql", 5 * HOUR_US), ("opportunity_created", 9 * HOUR_US)];

/// How many leads without an order end after one, two, three and four stages.
const OPEN_AFTER: [usize; 4] = [200, 100, 50, 40];

/// Sales enters a lead so long after the call began.
const CREATED_AFTER_US: i64 = 10 * MINUTE_US;

/// Only the company customers of the industry site go through the pipeline.
fn has_pipeline(cast: &Cast, person: PersonIndex) -> bool {
    cast[person].journey.id == "J14"
}

/// One lead for each call that advertising brought, in time order.
pub fn leads(cast: &Cast, calls: &[Call], seed: u64) -> Vec<Lead> {
    let mut random = Random::new(seed, "leads");
    let mut stages_of_open: Vec<usize> =
        (1..).zip(OPEN_AFTER).flat_map(|(stages, count)| vec![stages; count]).collect();
    random.shuffle(&mut stages_of_open);

    let mut leads = Vec::new();
    for call in calls {
        let Some(channel) = call.lead_channel else { continue };
        let person = &cast[call.person];
        let stage = match (person.buys, has_pipeline(cast, call.person)) {
            (true, _) => "won",
            (false, true) => STAGES[stages_of_open.pop().map_or(0, |stages| stages - 1)].0,
            (false, false) => "called",
        };
        leads.push(Lead {
            person: call.person,
            created_us: call.started_us + CREATED_AFTER_US,
            channel,
            owner: call.agent,
            stage,
            sold: person.buys,
            order_cents: person.buys.then_some(person.journey.order_yuan * 100),
            closed_us: person.buys.then_some(person.moment_us),
        });
    }
    leads
}

/// The stages that the leads of the industry site reached, and the orders won.
pub fn events(cast: &Cast, leads: &[Lead]) -> Vec<Event> {
    let mut events = Vec::new();
    for (number, lead) in leads.iter().enumerate() {
        if !has_pipeline(cast, lead.person) {
            continue;
        }
        let row = |event, at_us| {
            let mut row = Event::server(lead.person, at_us, event);
            row.lead = Some(number);
            row
        };
        for (stage, after_us) in STAGES {
            events.push(row(stage, lead.created_us + after_us));
            if stage == lead.stage {
                break;
            }
        }
        if let Some(closed_us) = lead.closed_us {
            let mut won = row("won", closed_us);
            won.revenue_cents = lead.order_cents;
            events.push(won);
        }
    }
    events
}

const _: () = assert!(CREATED_AFTER_US + STAGES[3].1 < DAY_US, "stages come before the order");
