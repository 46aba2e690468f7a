//! What happens: the rows of the event table, before they become columns.

use super::people::PersonIndex;

/// One event. What it says about a call, an order or a person is looked up when it is written.
#[derive(Clone, Debug)]
pub struct Event {
    pub at_us: i64,
    pub person: PersonIndex,
    pub event: &'static str,
    pub platform: &'static str,
    pub channel: Option<&'static str>,
    pub is_touch: bool,
    /// On the telephone of a person who otherwise uses a computer.
    pub on_telephone: bool,
    pub page: Option<Page>,
    /// Index into [`super::vocabulary::PRODUCTS`].
    pub product: Option<usize>,
    /// Index into the orders.
    pub order: Option<usize>,
    /// Index into the calls.
    pub call: Option<usize>,
    pub call_stage: Option<&'static str>,
    /// Index into the leads.
    pub lead: Option<usize>,
    pub revenue_cents: Option<i64>,
    pub referrer: Option<PersonIndex>,
    pub tracking_code: Option<&'static str>,
    pub campaign: Option<&'static str>,
    pub plan: Option<&'static str>,
    pub score: Option<f64>,
    /// Experiment and variant.
    pub exposure: Option<(&'static str, &'static str)>,
}

/// A page of the web shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    Landing,
    Home,
    Product,
    Cart,
    Checkout,
    Thanks,
}

/// The platform of rows that a system writes and no person: they start no sessions.
pub const SERVER: &str = "server";

impl Event {
    /// An event that says no more than who, when and what.
    pub fn new(person: PersonIndex, at_us: i64, event: &'static str, platform: &'static str) -> Self {
        Self {
            at_us,
            person,
            event,
            platform,
            channel: None,
            is_touch: false,
            on_telephone: false,
            page: None,
            product: None,
            order: None,
            call: None,
            call_stage: None,
            lead: None,
            revenue_cents: None,
            referrer: None,
            tracking_code: None,
            campaign: None,
            plan: None,
            score: None,
            exposure: None,
        }
    }

    /// A row that a system wrote.
    pub fn server(person: PersonIndex, at_us: i64, event: &'static str) -> Self {
        Self::new(person, at_us, event, SERVER)
    }
}
