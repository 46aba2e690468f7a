//! How a query is run never changes what it answers.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tributary_core::funnel::{Compat, Modes, Report, Scratch, Spec, level, times};

use crate::support::{Event, Shape, register, rows, rows_and_spills};

const NAMES: [&str; 5] = ["a", "b", "c", "x", "an_event_with_a_long_name"];
const CALL: &str = "event_time, 4, event = 'a', event IN ('b', 'an_event_with_a_long_name'), event = 'c'";
const MODES: [&str; 4] = ["default", "strict_order", "strict_deduplication", "strict_once"];

fn shapes() -> Vec<Shape> {
    let mut shapes = vec![];
    for partitions in [1, 2, 8] {
        for batch_rows in [3, 8192] {
            for (journeys, one_stage, skip_partial) in
                [(true, true, false), (false, true, false), (false, false, false), (false, false, true)]
            {
                shapes.push(Shape { partitions, batch_rows, one_stage, journeys, skip_partial, memory_bytes: None });
            }
        }
    }
    shapes
}

fn query(mode: &str) -> String {
    format!(
        "SELECT user_id, funnel({CALL}, mode => '{mode}'), funnel_times({CALL}, mode => '{mode}')::text, count(*) \
         FROM events GROUP BY user_id ORDER BY user_id"
    )
}

/// The answer by the rule itself, one user at a time.
fn expected(events: &[Event], mode: &str) -> Vec<String> {
    let modes = Modes::from_names((mode != "default").then_some(mode)).unwrap();
    let spec = Spec::try_new(3, 4_000_000, modes, Compat::Tributary, Report::First).unwrap();
    let mut users: BTreeMap<i64, (usize, Vec<(i64, u8)>)> = BTreeMap::new();
    for (user, at_us, name) in events {
        let (count, rows) = users.entry(*user).or_default();
        *count += 1;
        let mask = match name {
            Some("a") => 1,
            Some("b" | "an_event_with_a_long_name") => 2,
            Some("c") => 4,
            _ => 0,
        };
        rows.extend(at_us.map(|at_us| (at_us, mask)));
    }
    let mut scratch = Scratch::default();
    users
        .into_iter()
        .map(|(user, (count, mut rows))| {
            rows.sort_unstable();
            let (at_us, masks): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            let mut chain = vec![];
            times(&spec, &at_us, &masks, &mut scratch, &mut chain);
            let level = level(&spec, &at_us, &masks, &mut scratch);
            let seconds: Vec<String> =
                chain.iter().map(|at_us| format!("1970-01-01T00:00:{:02}", at_us / 1_000_000)).collect();
            format!("{user} | {level} | [{}] | {count}", seconds.join(", "))
        })
        .collect()
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (
        0..4i64,
        proptest::option::weighted(0.9, (0..12i64).prop_map(|second| second * 1_000_000)),
        proptest::option::weighted(0.9, proptest::sample::select(&NAMES[..])),
    );
    proptest::collection::vec(event, 1..60).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn order_partitions_batches_and_stages_change_nothing(events in events(), mode in 0..MODES.len()) {
        let mode = MODES[mode];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let expected = expected(&events, mode);
        for shape in shapes() {
            let context = shape.context();
            register(&context, &events, shape.partitions);
            let answered = runtime.block_on(rows(&context, &query(mode)));
            prop_assert_eq!(&answered, &expected, "{:?}", shape);
        }
    }
}

/// Events of many users, of a few at a time, without a library of random numbers.
fn many(event_count: usize, user_count: i64) -> Vec<Event> {
    let mut state = 7u64;
    let mut draw = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    (0..event_count)
        .map(|_| {
            let name = NAMES[draw(5) as usize];
            (draw(user_count as u64) as i64, Some(draw(60) as i64 * 1_000_000), Some(name))
        })
        .collect()
}

#[tokio::test]
async fn spilling_changes_nothing() {
    let events = many(60_000, 3_000);
    let sql = "SELECT sum(user_id * level), sum(list) FROM (SELECT user_id, funnel(EVENTS) AS level, \
               cardinality(funnel_times(EVENTS)) AS list FROM events GROUP BY user_id) AS users"
        .replace("EVENTS", &CALL.replace("event_time, 4", "event_time, 20"));
    let roomy = Shape::default().context();
    register(&roomy, &events, 2);
    let expected = rows(&roomy, &sql).await;
    for (one_stage, memory_bytes) in [(true, 1_200_000), (false, 2_000_000)] {
        let tight = Shape { memory_bytes: Some(memory_bytes), one_stage, batch_rows: 512, ..Shape::default() };
        let context = tight.context();
        register(&context, &events, 2);
        let (answered, spills) = rows_and_spills(&context, &sql).await;
        assert_eq!(answered, expected, "{tight:?}");
        assert!(spills > 0, "memory for everything: {tight:?}");
    }
}

#[tokio::test]
async fn more_groups_than_a_block_holds_are_all_answered() {
    let events = many(90_000, 40_000);
    let expected: i64 =
        expected(&events, "default").iter().map(|row| row.split(" | ").nth(1).unwrap().parse::<i64>().unwrap()).sum();
    for shape in [Shape { partitions: 1, ..Shape::default() }, Shape::default()] {
        let context = shape.context();
        register(&context, &events, 1);
        let sql =
            format!("SELECT sum(level) FROM (SELECT funnel({CALL}) AS level FROM events GROUP BY user_id) AS users");
        assert_eq!(rows(&context, &sql).await, [expected.to_string()], "{shape:?}");
    }
}

#[tokio::test]
async fn sorted_input_gives_groups_away_as_it_goes() {
    let mut events = many(20_000, 2_000);
    events.sort();
    let context = Shape { partitions: 1, batch_rows: 100, ..Shape::default() }.context();
    register(&context, &events, 1);
    let sql = format!(
        "SELECT user_id, funnel({CALL}) AS level FROM (SELECT * FROM events ORDER BY user_id, event_time LIMIT 100000) AS events \
         GROUP BY user_id ORDER BY user_id"
    );
    let plan = crate::support::plan(&context, &sql).await;
    assert!(plan.contains("ordering_mode=Sorted"), "{plan}");
    let answered = rows(&context, &sql).await;
    let levels: Vec<String> = expected(&events, "default")
        .iter()
        .map(|row| row.split(" | ").take(2).collect::<Vec<_>>().join(" | "))
        .collect();
    assert_eq!(answered, levels);
}

#[tokio::test]
async fn plain_sql_gives_the_same_levels() {
    let plain = include_str!("../../../sql/plain/funnel.sql");
    const STEPS: [&str; 5] = ["page_view", "product_view", "add_to_cart", "purchase", "call_in"];
    let day_us = 86_400_000_000;
    let events: Vec<Event> = many(8_000, 400)
        .into_iter()
        .map(|(user, at_us, name)| {
            let step = NAMES.iter().position(|known| Some(*known) == name).unwrap();
            // Half a day a unit: windows end within journeys, and times are often equal.
            (user, at_us.map(|at_us| at_us / 1_000_000 * day_us / 2), Some(STEPS[step]))
        })
        .collect();
    let context = Shape::default().context();
    register(&context, &events, 2);
    let ours = rows(
        &context,
        "SELECT user_id, FUNNEL(event_time, '7 days', event = 'page_view', event = 'product_view', \
         event = 'add_to_cart', event = 'purchase') AS level FROM events GROUP BY user_id ORDER BY user_id",
    )
    .await;
    let twin = rows(&context, &format!("{} ORDER BY user_id", plain.trim().trim_end_matches(';'))).await;
    assert_eq!(twin, ours);
    for level in 0..=4 {
        assert!(ours.iter().any(|row| row.ends_with(&format!("| {level}"))), "no user reached level {level}");
    }
}
