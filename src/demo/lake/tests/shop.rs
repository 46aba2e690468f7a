//! The web shop: funnel, leak, sessions, the pause in the west, repeat orders.

use std::collections::{BTreeMap, HashMap};

use super::read::EventRow;
use super::{is_west, local, sample};
use crate::demo::lake::clock::{DAY_US, MINUTE_US};

const STEPS: [&str; 5] = ["page_view", "product_view", "add_to_cart", "checkout", "purchase"];

/// The events of each person, in time order.
fn by_person(events: &[EventRow]) -> HashMap<&str, Vec<&EventRow>> {
    let mut people: HashMap<&str, Vec<&EventRow>> = HashMap::new();
    for event in events {
        people.entry(&event.user).or_default().push(event);
    }
    people
}

/// How many people reach each step within a window after a first one: from every possible entry,
/// the earliest next step each time.
fn funnel(people: &HashMap<&str, Vec<&EventRow>>, window_us: i64) -> [usize; 5] {
    let mut reached = [0; 5];
    for events in people.values() {
        let level = (0..events.len()).map(|entry| level(&events[entry..], window_us)).max();
        (0..level.unwrap_or(0)).for_each(|step| reached[step] += 1);
    }
    reached
}

fn level(events: &[&EventRow], window_us: i64) -> usize {
    if events[0].event != STEPS[0] {
        return 0;
    }
    let (mut level, mut at_us) = (1, events[0].at_us);
    for event in events {
        let in_time = event.at_us > at_us && event.at_us - events[0].at_us <= window_us;
        if level < STEPS.len() && event.event == STEPS[level] && in_time {
            (level, at_us) = (level + 1, event.at_us);
        }
    }
    level
}

/// Funnel, leak, sessions and orders, for any seed.
pub fn check_shop(events: &[EventRow]) {
    let people = by_person(events);
    assert_eq!(funnel(&people, 7 * DAY_US), [43_300, 24_000, 8_000, 3_450, 2_580]);
    assert_eq!(funnel(&people, DAY_US), [43_300, 24_000, 8_000, 3_450, 2_322]);
    assert_eq!(leak(&people), [(3_000, 2_400), (450, 180)]);
    assert_eq!(sessions(&people), 112_772);
    let orders: Vec<&EventRow> = events.iter().filter(|row| row.event == "purchase").collect();
    assert_eq!(orders.len(), 4_194);
    let cents: i64 = orders.iter().filter_map(|order| order.revenue_cents).sum();
    assert_eq!(cents, 64_018_000);
}

/// The checkout of each person, and their first order if they paid.
fn checkouts<'a>(people: &HashMap<&str, Vec<&'a EventRow>>) -> Vec<(&'a EventRow, Option<&'a EventRow>)> {
    let find = |events: &[&'a EventRow], name: &str| events.iter().copied().find(|event| event.event == name);
    people.values().filter_map(|events| Some((find(events, "checkout")?, find(events, "purchase")))).collect()
}

/// Checkouts and orders outside the leak and inside it.
fn leak(people: &HashMap<&str, Vec<&EventRow>>) -> [(usize, usize); 2] {
    let leak_us = local("2026-05-11T00:00:00");
    let mut counts = [(0, 0); 2];
    for (checkout, order) in checkouts(people) {
        let leaks = checkout.platform == "android" && checkout.at_us >= leak_us;
        let count = &mut counts[usize::from(leaks)];
        *count = (count.0 + 1, count.1 + usize::from(order.is_some()));
        if let Some(order) = order {
            assert_eq!(checkout.at_us < leak_us, order.at_us < leak_us, "{}", order.user);
            assert_eq!(checkout.platform, order.platform);
        }
    }
    counts
}

/// Runs of rows with less than 30 minutes of silence; systems' rows do not count.
fn sessions(people: &HashMap<&str, Vec<&EventRow>>) -> usize {
    let of_person = |events: &Vec<&EventRow>| {
        let times: Vec<i64> =
            events.iter().filter(|event| event.platform != "server").map(|event| event.at_us).collect();
        usize::from(!times.is_empty()) + times.windows(2).filter(|pair| pair[1] - pair[0] > 30 * MINUTE_US).count()
    };
    people.values().map(of_person).sum()
}

#[test]
fn funnel_leak_sessions_and_orders_are_planted() {
    check_shop(&sample().events);
}

#[test]
fn every_week_and_platform_shows_the_planted_rate() {
    let people = by_person(&sample().events);
    let monday_us = local("2026-03-02T00:00:00");
    let leak_us = local("2026-05-11T00:00:00");
    let mut cells: BTreeMap<(i64, &str), (f64, f64)> = BTreeMap::new();
    for (checkout, order) in checkouts(&people) {
        let week = (checkout.at_us - monday_us) / (7 * DAY_US);
        let cell = cells.entry((week, &checkout.platform)).or_default();
        *cell = (cell.0 + 1.0, cell.1 + f64::from(order.is_some()));
    }
    for ((week, platform), (checkouts, orders)) in cells {
        let leaks = platform == "android" && monday_us + week * 7 * DAY_US >= leak_us;
        let planted = if leaks { 0.4 } else { 0.8 };
        // No cell is off by more than one person's worth of rounding.
        assert!((orders - planted * checkouts).abs() <= 1.0, "{week} {platform}");
    }
}

#[test]
fn first_orders_fall_in_the_west_while_douyin_is_off() {
    let count = |from: &str, until: &str, west: bool| {
        let days = local(from)..local(until);
        sample()
            .events
            .iter()
            .filter(|event| event.event == "purchase" && event.order_index == Some(1))
            .filter(|event| days.contains(&event.at_us) && is_west(&event.province) == west)
            .count()
    };
    let before = ("2026-04-20T00:00:00", "2026-05-04T00:00:00");
    let pause = ("2026-05-04T00:00:00", "2026-05-18T00:00:00");
    assert_eq!([count(before.0, before.1, true), count(pause.0, pause.1, true)], [180, 135]);
    assert_eq!([count(before.0, before.1, false), count(pause.0, pause.1, false)], [360, 360]);

    let days = local(pause.0)..local(pause.1);
    let mut touches = sample()
        .events
        .iter()
        .filter(|event| event.is_touch && event.channel.as_deref() == Some("douyin") && days.contains(&event.at_us));
    assert!(touches.all(|touch| !is_west(&touch.province)));
}

#[test]
fn buyers_come_again_as_planted() {
    let people = by_person(&sample().events);
    let mut repeaters: BTreeMap<String, usize> = BTreeMap::new();
    let mut yuan: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for events in people.values() {
        let orders: Vec<&&EventRow> = events.iter().filter(|event| event.event == "purchase").collect();
        let Some(first_order) = orders.first() else { continue };
        let first_touch = events.iter().find(|event| event.is_touch && first_order.at_us - event.at_us <= 30 * DAY_US);
        let Some(channel) = first_touch.and_then(|touch| touch.channel.clone()) else { continue };
        let spent = yuan.entry(channel.clone()).or_default();
        let cents: i64 = orders.iter().filter_map(|order| order.revenue_cents).sum();
        *spent = (spent.0 + 1, spent.1 + cents / 100);
        if orders.len() > 1 {
            let days: Vec<i64> = orders.iter().map(|order| (order.at_us - first_order.at_us) / DAY_US).collect();
            let planted: &[i64] = if channel == "store_qr" { &[0, 14, 28, 42] } else { &[0, 21] };
            assert_eq!(days, planted);
            assert!(orders[1..].iter().all(|order| order.revenue_cents == Some(12_000)));
            *repeaters.entry(channel).or_default() += 1;
        }
        let ranks: Vec<Option<i32>> = orders.iter().map(|order| order.order_index).collect();
        assert_eq!(ranks, (1..=orders.len() as i32).map(Some).collect::<Vec<_>>());
    }
    let planted = [
        ("baidu", 71),
        ("call_out", 6),
        ("direct", 24),
        ("douyin", 86),
        ("email", 7),
        ("industry_site", 44),
        ("referral", 56),
        ("seo", 122),
        ("sms", 1),
        ("store_qr", 135),
        ("wechat", 12),
        ("xiaohongshu", 30),
    ];
    assert_eq!(repeaters, planted.map(|(name, count)| (name.to_owned(), count)).into());
    let value = |channel: &str| yuan[channel].1 as f64 / yuan[channel].0 as f64;
    for (channel, planted) in [
        ("store_qr", 222.0),
        ("baidu", 196.51),
        ("referral", 192.0),
        ("seo", 190.07),
        ("douyin", 132.0),
        ("industry_site", 848.0),
    ] {
        assert!((value(channel) - planted).abs() < 0.005, "{channel}: {}", value(channel));
    }
}

#[test]
fn orders_of_the_desk_are_taken_by_telephone() {
    let first = |event: &&EventRow| event.event == "purchase" && event.order_index == Some(1);
    let on = |platform: &str| sample().events.iter().filter(first).filter(|event| event.platform == platform).count();
    assert_eq!((on("phone"), on("store"), on("server")), (650, 100, 0));
}
