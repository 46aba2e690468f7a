//! The demo lake: 鹤山茶 Crane Hill Tea, a tea shop with a call desk, 1 March to 31 May 2026.
//!
//! A whole lake with known answers: every number that the demo shows was planted by an exact
//! quota, so that it is the same in every build. The seed decides only who and when. See
//! `README.md` in this room for the story and for the choices that it leaves open.

mod call_desk;
mod campaigns;
mod clock;
mod codes;
mod consents;
mod events;
mod identity;
mod journeys;
mod landing;
mod leads;
mod moments;
mod people;
mod places;
mod random;
mod shopping;
mod spend;
mod subscriptions;
mod tables;
mod tags;
mod visits;
mod vocabulary;
mod write;

#[cfg(test)]
mod tests;

pub use tables::DemoTable;
pub use write::{Progress, write};

/// The version of the lake. A changed row or answer is a new version.
pub const VERSION: &str = "2";

/// The seed of the lake that the demo serves.
pub const SEED: u64 = 20_260_301;

/// The lake: its tables, and the files that are no tables.
#[derive(Clone, Debug)]
pub struct DemoLake {
    pub tables: Vec<DemoTable>,
    /// Path inside the lake and text of the file that waits for the import.
    pub landing: (&'static str, String),
}

impl DemoLake {
    /// The table of this name.
    pub fn table(&self, name: &str) -> Option<&DemoTable> {
        self.tables.iter().find(|table| table.name == name)
    }
}

/// Makes the lake in memory: the same for the same seed, on every machine.
///
/// Takes a second or two in the dev profile, and about 300 MB while it works.
pub fn generate(seed: u64) -> DemoLake {
    let story = Story::new(seed);
    DemoLake { tables: tables::tables(&story), landing: (landing::FILE, landing::csv(seed)) }
}

/// Everything that happened, before it becomes columns.
struct Story {
    cast: people::Cast,
    /// In time order.
    events: Vec<events::Event>,
    orders: Vec<visits::Order>,
    calls: Vec<call_desk::Call>,
    leads: Vec<leads::Lead>,
    tags: Vec<tags::Tag>,
    consents: Vec<consents::Consent>,
    codes: Vec<codes::Code>,
    shown_numbers: Vec<identity::ShownNumber>,
    edges: Vec<identity::Edge>,
    spend: Vec<spend::Spend>,
    /// Who was asked in the survey.
    asked: Vec<people::PersonIndex>,
}

impl Story {
    fn new(seed: u64) -> Self {
        let cast = people::Cast::new(seed);
        let orders = visits::orders(&cast, seed);
        let calls = call_desk::calls(&cast, seed);
        let leads = leads::leads(&cast, &calls, seed);
        let mails = campaigns::mails(&cast, seed);
        let survey = campaigns::survey(&cast, seed);
        let tagged = tags::tags(&cast, seed);
        let consents = consents::consents(&cast, &tagged.wanted, &calls, &mails, seed);

        let mut events = visits::touches(&cast);
        introduce(&mut events, &campaigns::invitations(&cast, seed));
        events.extend(visits::shopping(&cast, seed));
        events.extend(visits::purchases(&cast, &orders));
        events.extend(call_desk::events(&calls));
        events.extend(leads::events(&cast, &leads));
        events.extend(subscriptions::events(&cast, seed));
        events.extend(campaigns::experiments(&cast, seed));
        events.extend(mails);
        events.extend(survey.answers);
        events.extend(codes::sightings(&cast, seed));
        // Stable: what a person does at one moment keeps its order.
        events.sort_by_key(|event| (event.at_us, event.person));

        Self {
            events,
            orders,
            leads,
            tags: tagged.tags,
            consents,
            codes: codes::codes(),
            shown_numbers: identity::shown_numbers(&cast),
            edges: identity::edges(&cast, &calls, seed),
            spend: spend::spend(),
            asked: survey.asked,
            calls,
            cast,
        }
    }

    /// The company of a person; only the customers of the industry site have one.
    fn account_id(&self, person: people::PersonIndex) -> Option<String> {
        (self.cast[person].journey.id == "J14").then(|| format!("acc{:05}", person + 1))
    }
}

/// Writes on the visit of each invited person who invited them.
fn introduce(
    events: &mut [events::Event],
    invitations: &std::collections::HashMap<people::PersonIndex, people::PersonIndex>,
) {
    for event in events.iter_mut().filter(|event| event.is_touch) {
        event.referrer = invitations.get(&event.person).copied();
    }
}
