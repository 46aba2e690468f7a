//! Journeys to the first order: who gets the credit under which model, and what it cost.

use std::collections::{BTreeMap, HashMap};

use super::read::{EventRow, cents, dates, only, texts};
use super::{is_west, sample};
use crate::demo::lake::clock::{DAY_US, FIRST_DAY_EPOCH, day};

/// The touches before one first order, in time order: channel and time before the order.
struct Path<'a> {
    touches: Vec<(&'a str, i64)>,
    revenue_cents: i64,
}

/// The path of every first order, within a lookback, for one notion of who a person is.
fn paths<'a>(events: &'a [EventRow], lookback_us: i64, who: impl Fn(&'a EventRow) -> &'a str) -> Vec<Path<'a>> {
    let mut touches: HashMap<&str, Vec<&EventRow>> = HashMap::new();
    for event in events.iter().filter(|event| event.is_touch) {
        touches.entry(who(event)).or_default().push(event);
    }
    events
        .iter()
        .filter(|event| event.event == "purchase" && event.order_index == Some(1))
        .map(|order| {
            let before = touches
                .get(who(order))
                .into_iter()
                .flatten()
                .filter(|touch| touch.at_us < order.at_us && order.at_us - touch.at_us <= lookback_us);
            Path {
                touches: before
                    .map(|touch| {
                        let channel = touch.channel.as_deref().expect("a touch has a channel");
                        (channel, order.at_us - touch.at_us)
                    })
                    .collect(),
                revenue_cents: order.revenue_cents.expect("an order has a value"),
            }
        })
        .collect()
}

type Model = fn(&[(&str, i64)]) -> Vec<f64>;

fn first(touches: &[(&str, i64)]) -> Vec<f64> {
    (0..touches.len()).map(|index| f64::from(index == 0)).collect()
}

fn last(touches: &[(&str, i64)]) -> Vec<f64> {
    (1..=touches.len()).map(|rank| f64::from(rank == touches.len())).collect()
}

fn last_but_direct(touches: &[(&str, i64)]) -> Vec<f64> {
    let chosen =
        touches.iter().rposition(|(channel, _)| *channel != "direct").unwrap_or(touches.len().saturating_sub(1));
    (0..touches.len()).map(|index| f64::from(index == chosen)).collect()
}

fn linear(touches: &[(&str, i64)]) -> Vec<f64> {
    vec![1.0 / touches.len() as f64; touches.len()]
}

fn position(touches: &[(&str, i64)]) -> Vec<f64> {
    match touches.len() {
        0 => vec![],
        1 => vec![1.0],
        2 => vec![0.5, 0.5],
        3 => vec![0.4, 0.2, 0.4],
        other => panic!("no first order follows {other} touches"),
    }
}

fn decay(touches: &[(&str, i64)]) -> Vec<f64> {
    let weight = |before_us: i64| 0.5_f64.powf(before_us as f64 / (7 * DAY_US) as f64);
    let sum: f64 = touches.iter().map(|(_, before_us)| weight(*before_us)).sum();
    touches.iter().map(|(_, before_us)| weight(*before_us) / sum).collect()
}

/// Credit and value per channel; what has no touch stands under `(unattributed)`.
fn credit<'a>(paths: &[Path<'a>], model: Model) -> BTreeMap<&'a str, (f64, f64)> {
    let mut totals: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for path in paths {
        let yuan = path.revenue_cents as f64 / 100.0;
        if path.touches.is_empty() {
            let total = totals.entry("(unattributed)").or_default();
            *total = (total.0 + 1.0, total.1 + yuan);
        }
        for ((channel, _), share) in path.touches.iter().zip(model(&path.touches)) {
            let total = totals.entry(channel).or_default();
            *total = (total.0 + share, total.1 + share * yuan);
        }
    }
    totals
}

fn assert_credits(credits: &BTreeMap<&str, (f64, f64)>, planted: &[(&str, f64)]) {
    for (channel, wanted) in planted {
        let got = credits.get(channel).map_or(0.0, |credit| credit.0);
        assert!((got - wanted).abs() < 0.000_6, "{channel}: {got} instead of {wanted}");
    }
    let sum: f64 = planted.iter().map(|(_, credit)| credit).sum();
    assert!((sum - 3_330.0).abs() < 0.01, "the planted column sums to {sum}");
}

/// First and last touch within 30 days, for any seed.
pub fn check_first_and_last(events: &[EventRow]) {
    let paths = paths(events, 30 * DAY_US, |event| &event.user);
    assert_eq!(paths.len(), 3_330);
    let firsts = [
        ("baidu", 710.0),
        ("call_in", 0.0),
        ("call_out", 60.0),
        ("direct", 120.0),
        ("douyin", 860.0),
        ("email", 35.0),
        ("industry_site", 110.0),
        ("referral", 160.0),
        ("seo", 610.0),
        ("sms", 5.0),
        ("store_qr", 300.0),
        ("wechat", 60.0),
        ("xiaohongshu", 200.0),
        ("(unattributed)", 100.0),
    ];
    assert_credits(&credit(&paths, first), &firsts);
    let lasts = [
        ("baidu", 250.0),
        ("call_in", 590.0),
        ("call_out", 60.0),
        ("direct", 800.0),
        ("douyin", 80.0),
        ("email", 255.0),
        ("industry_site", 0.0),
        ("referral", 160.0),
        ("seo", 550.0),
        ("sms", 65.0),
        ("store_qr", 300.0),
        ("wechat", 120.0),
        ("xiaohongshu", 0.0),
        ("(unattributed)", 100.0),
    ];
    assert_credits(&credit(&paths, last), &lasts);
}

fn planted_paths() -> Vec<Path<'static>> {
    paths(&sample().events, 30 * DAY_US, |event| &event.user)
}

#[test]
fn first_and_last_touch_are_planted() {
    check_first_and_last(&sample().events);
}

#[test]
fn the_other_models_are_planted() {
    let paths = planted_paths();
    let table: [(&str, [f64; 4]); 14] = [
        ("baidu", [610.0, 546.667, 520.0, 523.103]),
        ("call_in", [590.0, 295.0, 295.0, 324.116]),
        ("call_out", [60.0, 60.0, 60.0, 60.0]),
        ("direct", [120.0, 413.333, 432.0, 452.041]),
        ("douyin", [400.0, 446.667, 456.0, 403.605]),
        ("email", [255.0, 128.333, 135.0, 141.030]),
        ("industry_site", [0.0, 55.0, 55.0, 49.572]),
        ("referral", [160.0, 160.0, 160.0, 160.0]),
        ("seo", [550.0, 580.0, 580.0, 577.039]),
        ("sms", [65.0, 35.0, 35.0, 37.961]),
        ("store_qr", [300.0, 300.0, 300.0, 300.0]),
        ("wechat", [120.0, 123.333, 110.0, 125.863]),
        ("xiaohongshu", [0.0, 86.667, 92.0, 75.670]),
        ("(unattributed)", [100.0, 100.0, 100.0, 100.0]),
    ];
    let models: [Model; 4] = [last_but_direct, linear, position, decay];
    for (index, model) in models.into_iter().enumerate() {
        let column: Vec<(&str, f64)> = table.iter().map(|(channel, row)| (*channel, row[index])).collect();
        assert_credits(&credit(&paths, model), &column);
    }
}

#[test]
fn revenue_is_planted() {
    let paths = planted_paths();
    let yuan =
        |model: Model, channel: &str| credit(&paths, model).get(channel).map_or(0, |credit| credit.1.round() as i64);
    for (channel, wanted) in [
        ("douyin", [103_200, 9_600, 52_800]),
        ("baidu", [131_000, 25_000, 86_000]),
        ("seo", [101_300, 62_900, 82_100]),
        ("call_in", [0, 232_000, 116_000]),
        ("industry_site", [88_000, 0, 44_000]),
        ("direct", [12_000, 88_000, 44_800]),
        ("store_qr", [18_000, 18_000, 18_000]),
    ] {
        assert_eq!([yuan(first, channel), yuan(last, channel), yuan(linear, channel)], wanted);
    }
    assert_eq!(paths.iter().map(|path| path.revenue_cents).sum::<i64>(), 53_650_000);
}

#[test]
fn paths_have_the_planted_lengths() {
    let mut lengths = [0; 4];
    planted_paths().iter().for_each(|path| lengths[path.touches.len()] += 1);
    assert_eq!(lengths, [100, 1_320, 1_530, 380]);
}

#[test]
fn a_longer_lookback_finds_the_early_notes() {
    let paths = paths(&sample().events, 90 * DAY_US, |event| &event.user);
    let firsts = credit(&paths, first);
    assert_eq!((firsts["xiaohongshu"].0, firsts["seo"].0), (230.0, 580.0));
}

#[test]
fn by_device_instead_of_person_douyin_loses_its_first_touches() {
    let paths = paths(&sample().events, 30 * DAY_US, |event| &event.device);
    let firsts = credit(&paths, first);
    assert_eq!((firsts["douyin"].0, firsts["direct"].0), (620.0, 360.0));
}

#[test]
fn every_channel_spends_its_sum_evenly() {
    let spend = only(&sample().lake, "ad_spend");
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    let mut range: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (channel, cents) in texts(spend, "channel").into_iter().zip(cents(spend, "cost")) {
        let (channel, cents) = (channel.expect("a channel"), cents.expect("a cost"));
        let (low, high) = range.entry(channel.clone()).or_insert((cents, cents));
        (*low, *high) = (cents.min(*low), cents.max(*high));
        *sums.entry(channel).or_default() += cents;
    }
    let sums: Vec<(&str, i64)> = sums.iter().map(|(name, sum)| (name.as_str(), *sum)).collect();
    let planted = [
        ("baidu", 4_500_000),
        ("call_in", 2_100_000),
        ("call_out", 3_000_000),
        ("direct", 0),
        ("douyin", 6_000_000),
        ("email", 150_000),
        ("industry_site", 1_200_000),
        ("referral", 400_000),
        ("seo", 800_000),
        ("sms", 60_000),
        ("store_qr", 200_000),
        ("wechat", 300_000),
        ("xiaohongshu", 900_000),
    ];
    assert_eq!(sums, planted);
    assert!(range.iter().all(|(name, (low, high))| name == "douyin" || high - low <= 1));
}

#[test]
fn the_pause_saved_a_round_sum_in_the_west() {
    let spend = only(&sample().lake, "ad_spend");
    let (channels, regions) = (texts(spend, "channel"), texts(spend, "region"));
    let (days, costs) = (dates(spend, "spend_date"), cents(spend, "cost"));
    let west_between = |from: i64, until: i64| -> i64 {
        (0..spend.num_rows())
            .filter(|row| {
                channels[*row].as_deref() == Some("douyin")
                    && regions[*row].as_deref().is_some_and(is_west)
                    && (from..until).contains(&(i64::from(days[*row].expect("a day")) - FIRST_DAY_EPOCH))
            })
            .map(|row| costs[row].expect("a cost"))
            .sum()
    };
    assert_eq!(west_between(day(4, 20), day(5, 4)), 270_000);
    assert_eq!(west_between(day(5, 4), day(5, 18)), 0);
}
