//! Which device, number and person were seen together, and which visitor saw which number.

use super::call_desk::{Call, NUMBERS};
use super::clock::{DAY_US, END_US, HOUR_US, MINUTE_US, day, starts_us};
use super::people::{Cast, PersonIndex};
use super::random::{Random, mix};

/// Two ids seen together. The first is an `anonymous_id` or a `phone_hash`, the second a person.
#[derive(Clone, Debug)]
pub struct Edge {
    pub id_type: &'static str,
    pub id: String,
    pub person: PersonIndex,
    pub seen_us: i64,
    pub source: &'static str,
}

/// The tablet on the counter of the shop, on which many people log in.
pub const TABLET: &str = "shop-tablet-01";

/// How many people the tablet must not glue together.
const TABLET_PEOPLE: usize = 250;

/// A device's id: everybody has one, a person with two devices a second for the telephone.
pub fn anonymous_id(person: PersonIndex, on_telephone: bool) -> String {
    format!("{:016x}", mix(0xa11c_e000_0000 + 2 * person as u64 + u64::from(on_telephone)))
}

/// A telephone number of a block that no mobile carrier hands out: `+86 100 ...`.
pub fn phone(person: PersonIndex) -> String {
    format!("+86100{:08}", 10_000_000 + person as u64 * 1_493 % 89_999_999)
}

/// Stands for a telephone number where only its equality matters.
pub fn phone_hash(person: PersonIndex) -> String {
    format!("{:016x}", mix(0x7e1e_0000_0000 + person as u64))
}

/// All edges by time.
pub fn edges(cast: &Cast, calls: &[Call], seed: u64) -> Vec<Edge> {
    let mut random = Random::new(seed, "identity");
    let mut edges = Vec::new();
    for (person, cast_as) in cast.people.iter().enumerate() {
        let source = if cast_as.buys { "order" } else { "login" };
        let edge = |on_telephone, seen_us| Edge {
            id_type: "anonymous_id",
            id: anonymous_id(person, on_telephone),
            person,
            seen_us,
            source,
        };
        edges.push(edge(false, cast_as.moment_us));
        if cast_as.journey.has_two_devices() {
            edges.push(edge(true, cast_as.first_contact_us() + MINUTE_US));
        }
    }
    let mut visitors = cast.who(|person| matches!(person.journey.id, "J13" | "J23"));
    for person in random.take(&mut visitors, TABLET_PEOPLE) {
        let seen_us = starts_us(random.between(day(3, 1), day(5, 31)))
            + random.between(10, 20) * HOUR_US
            + random.between(0, 59) * MINUTE_US;
        let id = TABLET.to_owned();
        edges.push(Edge { id_type: "anonymous_id", id, person, seen_us, source: "login" });
    }
    let mut called = std::collections::HashSet::new();
    for call in calls.iter().filter(|call| call.status == "answered") {
        if called.insert(call.person) {
            edges.push(Edge {
                id_type: "phone_hash",
                id: phone_hash(call.person),
                person: call.person,
                seen_us: call.ended_us(),
                source: "call",
            });
        }
    }
    edges.sort_by(|a, b| (a.seen_us, a.person, &a.id).cmp(&(b.seen_us, b.person, &b.id)));
    edges
}

/// A visitor and the number that the page showed them for a while.
#[derive(Clone, Debug)]
pub struct ShownNumber {
    pub code: &'static str,
    pub person: PersonIndex,
    pub from_us: i64,
    pub until_us: i64,
}

/// How long a visitor keeps seeing the same number.
const SHOWN_FOR_US: i64 = 7 * DAY_US;

/// Everybody who called had seen the number of the channel that brought them.
pub fn shown_numbers(cast: &Cast) -> Vec<ShownNumber> {
    let mut shown = Vec::new();
    for person in cast.who(|person| person.journey.calls_in()) {
        let Some((channel, before_us)) = cast[person].journey.touches().next() else { continue };
        let from_us = cast[person].moment_us - before_us;
        let until_us = (from_us + SHOWN_FOR_US).min(END_US);
        let numbers = NUMBERS.iter().filter(|(shown_by, _)| *shown_by == channel);
        shown.extend(numbers.map(|(_, code)| ShownNumber { code, person, from_us, until_us }));
    }
    shown.sort_by_key(|number| (number.from_us, number.person));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_devices_are_one_persons_own() {
        let mut phones: Vec<String> = (0..46_400).map(phone).collect();
        assert!(phones.iter().all(|phone| phone.len() == 14 && phone.starts_with("+86100")));
        phones.sort_unstable();
        phones.dedup();
        assert_eq!(phones.len(), 46_400);

        let mut devices: Vec<String> =
            (0..46_400).flat_map(|person| [anonymous_id(person, false), anonymous_id(person, true)]).collect();
        devices.sort_unstable();
        devices.dedup();
        assert_eq!(devices.len(), 92_800);
    }
}
