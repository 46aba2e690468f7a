//! Touches, the visits to the web shop, and the orders.

use super::clock::{DAY_US, SECOND_US};
use super::events::{Event, Page};
use super::people::{Cast, Person, PersonIndex};
use super::random::Random;
use super::vocabulary::{PAYMENT_PROVIDERS, PRODUCTS};

/// One order.
#[derive(Clone, Debug)]
pub struct Order {
    pub person: PersonIndex,
    pub at_us: i64,
    /// 1 = the person's first.
    pub order_index: i32,
    pub revenue_cents: i64,
    pub product: usize,
}

/// The value of every order after the first, in whole yuan.
const REPEAT_YUAN: i64 = 120;

/// The landing page follows the touch so soon.
const LANDING_AFTER_US: i64 = 5 * SECOND_US;

/// Steps of a shopping visit before the order: event, page, time since the visit's first page.
const STEPS: [(&str, Page, i64); 4] = [
    ("page_view", Page::Home, 0),
    ("product_view", Page::Product, 60 * SECOND_US),
    ("add_to_cart", Page::Cart, 180 * SECOND_US),
    ("checkout", Page::Checkout, super::people::CHECKOUT_AFTER_US),
];

/// All touches but calls, which the desk's log has; each with its landing page.
pub fn touches(cast: &Cast) -> Vec<Event> {
    let mut events = Vec::new();
    for (index, person) in cast.people.iter().enumerate() {
        for (channel, before_us) in person.journey.touches() {
            let event = match channel {
                "call_in" | "call_out" => continue,
                "email" => "email_click",
                "sms" => "sms_click",
                "store_qr" => "qr_scan",
                _ => "visit",
            };
            let at_us = person.moment_us - before_us;
            let on_telephone = person.journey.has_two_devices() && channel == "douyin";
            let platform = if on_telephone { telephone_of(index) } else { person.platform };
            let mut touch = Event::new(index, at_us, event, platform);
            touch.channel = Some(channel);
            touch.on_telephone = on_telephone;
            touch.page = Some(Page::Landing);
            let mut landing = touch.clone();
            landing.at_us += LANDING_AFTER_US;
            landing.event = "page_view";
            touch.is_touch = true;
            events.extend([touch, landing]);
        }
    }
    events
}

/// The telephone of a person who shops on a computer.
fn telephone_of(person: PersonIndex) -> &'static str {
    if person % 5 < 3 { "android" } else { "ios" }
}

/// The shopping visit of every web person, as far as they go. The order comes with the orders.
pub fn shopping(cast: &Cast, seed: u64) -> Vec<Event> {
    let mut random = Random::new(seed, "products");
    let mut events = Vec::new();
    for (index, person) in cast.people.iter().enumerate() {
        let product = random.below(PRODUCTS.len() as u64) as usize;
        for (event, page, after_us) in STEPS.iter().take(usize::from(person.level)) {
            let mut step = Event::new(index, person.shopping_us() + after_us, event, person.platform);
            // The visit keeps the channel by which the person came last.
            step.channel = person.journey.channels.last().copied();
            step.page = Some(*page);
            step.product = (*page != Page::Home).then_some(product);
            events.push(step);
        }
    }
    events
}

/// All orders in time order: the first ones and those that follow.
pub fn orders(cast: &Cast, seed: u64) -> Vec<Order> {
    let mut random = Random::new(seed, "orders");
    let mut orders = Vec::new();
    for (index, person) in cast.people.iter().enumerate().filter(|(_, person)| person.buys) {
        for (order_index, after_us) in order_times(person) {
            let yuan = if order_index == 1 { person.journey.order_yuan } else { REPEAT_YUAN };
            orders.push(Order {
                person: index,
                at_us: person.moment_us + after_us,
                order_index,
                revenue_cents: yuan * 100,
                product: random.below(PRODUCTS.len() as u64) as usize,
            });
        }
    }
    orders.sort_by_key(|order| (order.at_us, order.person));
    orders
}

/// Number and time after the moment of each of a buyer's orders.
fn order_times(person: &Person) -> Vec<(i32, i64)> {
    let days: &[i64] = match (person.repeats, person.journey.id) {
        (false, _) => &[0],
        (true, "J13") => &[0, 14, 28, 42],
        (true, _) => &[0, 21],
    };
    (1..).zip(days.iter().map(|days| days * DAY_US)).collect()
}

/// The row of each order.
pub fn purchases(cast: &Cast, orders: &[Order]) -> Vec<Event> {
    let purchase = |(number, order): (usize, &Order)| {
        let person = &cast[order.person];
        let platform = person.order_platform();
        let mut event = Event::new(order.person, order.at_us, "purchase", platform);
        event.channel = match platform {
            // The desk types its orders into the web shop; the till reports nothing.
            "phone" => Some("direct"),
            "store" => None,
            _ => Some(PAYMENT_PROVIDERS[order.person % 3 % 2]),
        };
        event.page = (platform != "phone" && platform != "store").then_some(Page::Thanks);
        event.product = Some(order.product);
        event.order = Some(number);
        event.revenue_cents = Some(order.revenue_cents);
        event
    };
    orders.iter().enumerate().map(purchase).collect()
}
