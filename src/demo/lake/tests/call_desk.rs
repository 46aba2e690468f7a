//! The call desk: scripts, agents, dials, missed calls, codes.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::read::{EventRow, instants, ints, numbers, only, texts};
use super::sample;
use crate::demo::lake::clock::{DAY_US, MINUTE_US, hour_of};

fn dials() -> impl Iterator<Item = &'static EventRow> {
    sample().events.iter().filter(|event| event.event == "call")
}

#[test]
fn scripts_lose_people_where_planted() {
    let mut calls: HashMap<&str, (Option<&str>, HashSet<&str>)> = HashMap::new();
    for event in &sample().events {
        let Some(call) = event.call.as_deref() else { continue };
        let (script, reached) = calls.entry(call).or_default();
        *script = script.or(event.script.as_deref());
        reached.extend(event.stage.as_deref());
        if event.event == "call_outcome" && event.outcome.as_deref() == Some("sold") {
            reached.insert("sold");
        }
    }
    let count = |script: &str, stage: &str| {
        calls.values().filter(|call| call.0 == Some(script) && call.1.contains(stage)).count()
    };
    let stages = ["greeting", "need", "price", "close", "sold"];
    assert_eq!(stages.map(|stage| count("A", stage)), [1_050, 1_000, 900, 450, 210]);
    assert_eq!(stages.map(|stage| count("B", stage)), [1_050, 1_000, 900, 720, 380]);
}

#[test]
fn stages_come_in_order_inside_the_call() {
    let mut last: HashMap<&str, i64> = HashMap::new();
    let calls = only(&sample().lake, "calls");
    let ends: HashMap<String, i64> =
        texts(calls, "call_id").into_iter().flatten().zip(instants(calls, "ended_at").into_iter().flatten()).collect();
    for event in sample().events.iter().filter(|event| event.call.is_some()) {
        let call = event.call.as_deref().expect("filtered");
        let before = last.insert(call, event.at_us);
        assert!(before.is_none_or(|before| before < event.at_us), "{call}");
        assert!(event.at_us <= ends[call], "{call}");
    }
}

#[test]
fn inbound_calls_are_answered_for_a_minute_or_more() {
    let answered: Vec<_> = dials()
        .filter(|call| call.direction.as_deref() == Some("inbound"))
        .filter(|call| call.status.as_deref() == Some("answered"))
        .collect();
    assert_eq!(answered.len(), 2_100);
    assert!(answered.iter().all(|call| call.call_seconds >= Some(60)));
}

#[test]
fn sentiment_has_the_planted_means() {
    let calls = only(&sample().lake, "calls");
    let mut sums: BTreeMap<bool, (f64, f64)> = BTreeMap::new();
    for (outcome, sentiment) in texts(calls, "call_outcome").iter().zip(numbers(calls, "sentiment")) {
        let Some(sentiment) = sentiment else { continue };
        assert!((-1.0..=1.0).contains(&sentiment));
        let sum = sums.entry(outcome.as_deref() == Some("sold")).or_default();
        *sum = (sum.0 + 1.0, sum.1 + sentiment);
    }
    assert_eq!((sums[&true].0, sums[&false].0), (590.0, 1_510.0));
    assert!((sums[&true].1 / 590.0 - 0.4).abs() < 1e-9);
    assert!((sums[&false].1 / 1_510.0 + 0.1).abs() < 1e-9);
}

#[test]
fn agents_sell_as_planted() {
    let calls = only(&sample().lake, "calls");
    let mut agents: BTreeMap<String, BTreeMap<String, (usize, usize)>> = BTreeMap::new();
    let rows = texts(calls, "agent_id").into_iter().zip(texts(calls, "lead_channel")).zip(texts(calls, "call_outcome"));
    for ((agent, channel), outcome) in rows {
        let (Some(agent), Some(channel)) = (agent, channel) else { continue };
        let count = agents.entry(agent).or_default().entry(channel).or_default();
        *count = (count.0 + 1, count.1 + usize::from(outcome.as_deref() == Some("sold")));
    }
    assert_eq!(agents.len(), 10);
    assert_eq!(agents["agent_03"], BTreeMap::from([("baidu".to_owned(), (150, 48))]));
    assert_eq!(agents["agent_07"], BTreeMap::from([("industry_site".to_owned(), (100, 28))]));
    for (agent, channels) in &agents {
        let calls: usize = channels.values().map(|count| count.0).sum();
        let sold: usize = channels.values().map(|count| count.1).sum();
        if !matches!(agent.as_str(), "agent_03" | "agent_07") {
            assert!((231..=232).contains(&calls), "{agent}: {calls}");
            assert!((sold as f64) < 0.32 * calls as f64, "agent_03 has the best raw rate");
        }
    }
}

#[test]
fn cold_dials_connect_as_planted() {
    for (attempt, planted) in [(1, [3_000, 1_200, 30]), (2, [1_800, 450, 54]), (3, [1_350, 135, 108])] {
        let of_attempt: Vec<_> = dials().filter(|call| call.attempt == Some(attempt)).collect();
        let with = |wanted: fn(&EventRow) -> bool| of_attempt.iter().filter(|call| wanted(call)).count();
        let counts = [
            of_attempt.len(),
            with(|call| call.status.as_deref() == Some("answered")),
            with(|call| call.outcome.as_deref() == Some("opt_out")),
        ];
        assert_eq!(counts, planted);
        let sold = with(|call| call.outcome.as_deref() == Some("sold"));
        assert_eq!(sold, if attempt == 1 { 60 } else { 0 });
        assert!(of_attempt.iter().all(|call| call.outcome.is_some()), "every dial has an outcome");
    }
}

#[test]
fn people_pick_up_in_the_evening() {
    let mut counts = [[0; 2]; 2];
    for call in dials().filter(|call| call.attempt == Some(1)) {
        let evening = usize::from((18..20).contains(&hour_of(call.at_us)));
        counts[evening][0] += 1;
        counts[evening][1] += usize::from(call.status.as_deref() == Some("answered"));
    }
    assert_eq!(counts, [[2_000, 600], [1_000, 600]]);
}

#[test]
fn a_person_is_dialled_again_only_after_nobody_answered() {
    let mut last: HashMap<&str, (i32, i64, bool)> = HashMap::new();
    for call in dials().filter(|call| call.attempt.is_some()) {
        let attempt = call.attempt.expect("filtered");
        let answered = call.status.as_deref() == Some("answered");
        let before = last.insert(&call.user, (attempt, call.at_us, answered));
        match before {
            None => assert_eq!(attempt, 1),
            Some((earlier, at_us, was_answered)) => {
                assert_eq!(attempt, earlier + 1);
                assert!(at_us < call.at_us && !was_answered);
            }
        }
    }
}

#[test]
fn missed_calls_end_as_planted() {
    let mut events: HashMap<&str, Vec<&EventRow>> = HashMap::new();
    for event in sample().events.iter().filter(|event| matches!(&*event.event, "call" | "purchase")) {
        events.entry(&event.user).or_default().push(event);
    }
    let mut counts = [0; 4];
    for missed in
        dials().filter(|call| call.direction.as_deref() == Some("inbound") && call.status.as_deref() == Some("missed"))
    {
        let after = || events[&*missed.user].iter().filter(|event| event.at_us > missed.at_us);
        let back = after().find(|event| {
            event.event == "call"
                && event.direction.as_deref() == Some("outbound")
                && event.at_us - missed.at_us <= 15 * MINUTE_US
        });
        let order = after().find(|event| event.event == "purchase");
        counts[0] += 1;
        match (back, order) {
            (Some(back), order) => {
                counts[1] += 1;
                assert_eq!(back.attempt, None);
                let in_time =
                    order.is_some_and(|order| order.at_us > back.at_us && order.at_us - missed.at_us <= 14 * DAY_US);
                assert_eq!(in_time, order.is_some());
                counts[2] += usize::from(in_time);
            }
            (None, order) => counts[3] += usize::from(order.is_some()),
        }
    }
    assert_eq!(counts, [300, 180, 54, 0]);
}

#[test]
fn the_telephone_rings_for_three_channels() {
    let calls = only(&sample().lake, "calls");
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for pair in texts(calls, "lead_channel").into_iter().zip(texts(calls, "tracking_code")) {
        if let (Some(channel), Some(code)) = pair {
            *counts.entry((channel, code)).or_default() += 1;
        }
    }
    let counts: Vec<(&str, &str, usize)> =
        counts.iter().map(|((channel, code), count)| (channel.as_str(), code.as_str(), *count)).collect();
    let planted =
        [("baidu", "TEL-4008-0001", 1_000), ("industry_site", "TEL-4008-0003", 500), ("seo", "TEL-4008-0002", 600)];
    assert_eq!(counts, planted);
}

#[test]
fn the_date_decides_whose_the_printed_code_was() {
    let codes = only(&sample().lake, "tracking_codes");
    let spans: Vec<(String, String, i64, Option<i64>)> = texts(codes, "code")
        .into_iter()
        .flatten()
        .zip(texts(codes, "channel").into_iter().flatten())
        .zip(instants(codes, "valid_from").into_iter().flatten())
        .zip(instants(codes, "valid_until"))
        .map(|(((code, channel), from_us), until_us)| (code, channel, from_us, until_us))
        .collect();
    assert_eq!(spans.len(), 5);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for seen in sample().events.iter().filter(|event| event.event == "code_seen") {
        assert!(!seen.is_touch && seen.platform == "server");
        for (code, channel, from_us, until_us) in &spans {
            let valid = *from_us <= seen.at_us && until_us.is_none_or(|until_us| seen.at_us < until_us);
            if seen.tracking_code.as_deref() == Some(code) && valid {
                *counts.entry(channel).or_default() += 1;
            }
        }
    }
    assert_eq!(counts, BTreeMap::from([("baidu", 60), ("xiaohongshu", 40)]));
}

#[test]
fn the_log_of_calls_agrees_with_the_events() {
    let calls = only(&sample().lake, "calls");
    assert_eq!(calls.num_rows(), dials().count());
    let talked: i64 = ints(calls, "call_seconds").into_iter().flatten().map(i64::from).sum();
    assert_eq!(talked, dials().filter_map(|call| call.call_seconds).map(i64::from).sum::<i64>());
}
