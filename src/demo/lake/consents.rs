//! What people agreed to, and took back.

use std::collections::HashSet;

use super::call_desk::Call;
use super::clock::{DAY_US, END_US, MINUTE_US, day, starts_us};
use super::events::Event;
use super::people::{Cast, PersonIndex};
use super::random::Random;

/// One row of the history of consents.
#[derive(Clone, Debug)]
pub struct Consent {
    pub person: PersonIndex,
    pub purpose: &'static str,
    /// `granted`, `denied` or `withdrawn`.
    pub status: &'static str,
    pub changed_us: i64,
    pub source: &'static str,
}

/// Of the people whom the shop would like to text: withdrew in May, said no, were never asked.
const WITHDREW_IN_MAY: usize = 150;
const DENIED: usize = 120;
const NEVER_ASKED: usize = 130;

/// All consents, by person and time.
pub fn consents(cast: &Cast, wanted: &[PersonIndex], calls: &[Call], mails: &[Event], seed: u64) -> Vec<Consent> {
    let mut consents = analytics(cast);
    consents.extend(texts(cast, wanted, seed));
    consents.extend(mail(cast, mails));
    consents.extend(cold_calls(cast, calls));
    consents.sort_by_key(|consent| (consent.person, consent.changed_us, consent.purpose));
    consents
}

/// The banner of the first visit: everybody on the list agreed to be counted.
fn analytics(cast: &Cast) -> Vec<Consent> {
    (0..cast.people.len()).map(|person| granted(cast, person, "analytics", "cookie_banner")).collect()
}

fn granted(cast: &Cast, person: PersonIndex, purpose: &'static str, source: &'static str) -> Consent {
    let changed_us = cast[person].first_contact_us();
    Consent { person, purpose, status: "granted", changed_us, source }
}

/// Text messages: of the wanted 3,400 agree now. Whoever came by a text had agreed to it.
fn texts(cast: &Cast, wanted: &[PersonIndex], seed: u64) -> Vec<Consent> {
    const PURPOSE: &str = "marketing_sms";
    let mut random = Random::new(seed, "texts");
    let by_text = |person: PersonIndex| cast[person].journey.channels.contains(&"sms");
    let (mut early, mut late): (Vec<PersonIndex>, Vec<PersonIndex>) = wanted
        .iter()
        .copied()
        .filter(|person| !by_text(*person))
        .partition(|person| cast[*person].moment_us < starts_us(day(5, 25)));
    let withdrew = random.take(&mut early, WITHDREW_IN_MAY);
    late.extend(early);
    let denied = random.take(&mut late, DENIED);
    let never_asked = random.take(&mut late, NEVER_ASKED);

    let is_wanted: HashSet<PersonIndex> = wanted.iter().copied().collect();
    let refusing: HashSet<PersonIndex> = denied.iter().chain(&never_asked).copied().collect();
    let mut consents = Vec::new();
    for person in 0..cast.people.len() {
        let agrees = if is_wanted.contains(&person) || by_text(person) {
            !refusing.contains(&person)
        } else {
            random.below(10) < 4
        };
        if agrees {
            consents.push(granted(cast, person, PURPOSE, "sign_up"));
        }
    }
    for person in denied {
        consents.push(Consent { status: "denied", ..granted(cast, person, PURPOSE, "sign_up") });
    }
    for person in withdrew {
        let from_us = starts_us(day(5, 1)).max(cast[person].moment_us + DAY_US);
        let changed_us = from_us + random.between(0, (END_US - from_us) / MINUTE_US - 1) * MINUTE_US;
        let status = "withdrawn";
        consents.push(Consent { person, purpose: PURPOSE, status, changed_us, source: "reply_td" });
    }
    consents
}

/// Mail goes to people who agreed; to unsubscribe is to withdraw.
fn mail(cast: &Cast, mails: &[Event]) -> Vec<Consent> {
    const PURPOSE: &str = "marketing_email";
    let readers: HashSet<PersonIndex> = mails.iter().map(|event| event.person).collect();
    let mut consents: Vec<Consent> = readers
        .into_iter()
        .map(|person| Consent {
            // The first mail may come before the first visit that we know of.
            changed_us: starts_us(0),
            ..granted(cast, person, PURPOSE, "sign_up")
        })
        .collect();
    consents.extend(mails.iter().filter(|event| event.event == "email_unsubscribe").map(|event| Consent {
        person: event.person,
        purpose: PURPOSE,
        status: "withdrawn",
        changed_us: event.at_us,
        source: "unsubscribe_link",
    }));
    consents
}

/// The cold campaign dials a list of people who agreed; an opt-out ends that.
fn cold_calls(cast: &Cast, calls: &[Call]) -> Vec<Consent> {
    const PURPOSE: &str = "marketing_call";
    let mut consents: Vec<Consent> = cast
        .who(|person| person.journey.is_called_cold())
        .into_iter()
        .map(|person| Consent { changed_us: starts_us(0), ..granted(cast, person, PURPOSE, "trade_fair_form") })
        .collect();
    consents.extend(calls.iter().filter(|call| call.outcome == Some("opt_out")).map(|call| Consent {
        person: call.person,
        purpose: PURPOSE,
        status: "withdrawn",
        changed_us: call.ended_us(),
        source: "call",
    }));
    consents
}
