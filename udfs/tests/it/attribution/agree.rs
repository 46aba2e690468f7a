//! The list, its totals and the window form agree with each other and with the rule, however a query is run.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tributary_core::attribution::{CONVERSION, Models, Options, Scratch, Spec, TOUCH, User, list};

use super::{Event, register};
use crate::support::{Shape, rows, try_rows_and_spills};

const CHANNELS: [&str; 5] = ["ad", "direct", "mail", "社交媒体广告投放平台", "搜索"];
const MODELS: &str = "first, last, last_non(direct), linear, position(0.4, 0.4), time_decay(5 seconds), linear_position, \
                      geometric(0.3), weights(0.5, 0.3, 0.2)";
const ARGUMENTS: &str = "event_time, channel, event = 'order', revenue, touch => event <> 'noise', lookback => 20, \
                         include_self => true, tie => event";

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (
        0..4i64,
        proptest::option::weighted(0.95, 0..40i64),
        proptest::option::weighted(0.8, proptest::sample::select(&CHANNELS[..])),
        proptest::sample::select(&["visit", "visit", "order", "noise"][..]),
        proptest::option::weighted(0.8, -500..5_000i128),
    );
    let event = event.prop_map(|(user, second, channel, name, cents)| Event { user, second, channel, name, cents });
    // Every row doubled at its time, in any order.
    proptest::collection::vec(event, 1..30).prop_map(|events| [events.clone(), events].concat()).prop_shuffle()
}

fn shapes() -> Vec<Shape> {
    let mut shapes = vec![];
    for (partitions, batch_rows) in [(1, 8192), (2, 3), (4, 64)] {
        for (journeys, one_stage, skip_partial) in
            [(true, true, false), (false, true, false), (false, false, false), (false, false, true)]
        {
            shapes.push(Shape { partitions, batch_rows, one_stage, journeys, skip_partial, memory_bytes: None });
        }
    }
    shapes
}

/// Credit (of 10^12) and value (of 10^8) by model and channel, by the rule itself.
fn expected(events: &[Event]) -> Vec<String> {
    let options = Options { lookback_us: Some(20_000_000), include_self: true, ..Options::default() };
    let spec = Spec::try_new(Models::parse(MODELS).unwrap(), options).unwrap();
    let mut labels = CHANNELS.to_vec();
    labels.sort_unstable();
    let code = |label: &str| labels.iter().position(|known| *known == label).map(|place| place as u32 + 1);
    let plan = spec.resolve(code);
    let mut sums: BTreeMap<(&str, &str), (i128, i128)> = BTreeMap::new();
    for user in 0..4 {
        let mut rows: Vec<&Event> = events.iter().filter(|e| e.user == user && e.second.is_some()).collect();
        rows.sort_by_key(|event| event.second);
        let at_us: Vec<i64> = rows.iter().map(|event| event.second.unwrap() * 1_000_000).collect();
        let kind = |event: &Event| {
            let is_touch = event.name != "noise" && event.channel.is_some();
            u64::from(is_touch) * TOUCH + u64::from(event.name == "order") * CONVERSION
        };
        let kinds: Vec<u64> = rows.iter().map(|event| kind(event)).collect();
        let channels: Vec<u32> = rows.iter().map(|event| event.channel.and_then(code).unwrap_or(0)).collect();
        let ties: Vec<u32> =
            rows.iter().map(|e| ["noise", "order", "visit"].binary_search(&e.name).unwrap() as u32).collect();
        let values: Vec<i128> = rows.iter().map(|event| event.cents.unwrap_or(0)).collect();
        let user = User { at_us: &at_us, kinds: &kinds, channels: &channels, ties: Some(&ties), values: &values };
        list(&plan, &user, &mut Scratch::default(), |element| {
            let channel = (element.channel as usize).checked_sub(1).map_or("~none", |place| labels[place]);
            let sum = sums.entry((spec.models()[element.model].text(), channel)).or_default();
            *sum = (sum.0 + i128::from(element.credit), sum.1 + element.value);
        })
        .unwrap();
    }
    sums.into_iter()
        .map(|((model, channel), (credit, value))| format!("{model} | {channel} | {credit} | {value}"))
        .collect()
}

fn by_channel(function: &str) -> String {
    format!(
        "SELECT a.model, coalesce(a.channel, '~none') AS channel, (sum(a.credit) * 1000000000000)::numeric(38,0) AS credit, \
         (sum(a.value) * 100000000)::numeric(38,0) AS value \
         FROM (SELECT unnest({function}('{MODELS}', {ARGUMENTS})) AS a FROM events GROUP BY user_id) AS u \
         GROUP BY 1, 2 ORDER BY 1, 2"
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn lists_and_totals_are_the_rule_whatever_the_partitions_batches_and_stages(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let expected = expected(&events);
        for shape in shapes() {
            let context = shape.context();
            register(&context, &events, shape.partitions);
            for function in ["attribute", "attribute_totals"] {
                let answered = runtime.block_on(rows(&context, &by_channel(function)));
                prop_assert_eq!(&answered, &expected, "{} {:?}", function, shape);
            }
        }
    }

    #[test]
    fn rows_earn_what_the_list_gives_their_channels(events in events(), model in 0..9usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let model = &Models::parse(MODELS).unwrap()[model].to_string();
        for value in ["revenue", "NULL"] {
            let arguments = ARGUMENTS.replace("revenue", value);
            let unit = if value == "NULL" { "credit" } else { "value" };
            let lists = format!(
                "SELECT a.channel, sum(a.{unit}) FROM (SELECT unnest(ATTRIBUTE('{model}', {arguments})) AS a \
                 FROM events GROUP BY user_id) AS u WHERE a.channel IS NOT NULL AND a.{unit} <> 0 GROUP BY 1 ORDER BY 1"
            );
            let windows = format!(
                "SELECT channel, sum(earned) FROM (SELECT channel, ATTRIBUTE('{model}', {arguments}) OVER (PARTITION BY \
                 user_id ORDER BY event_time DESC) AS earned FROM events) AS w WHERE earned <> 0 GROUP BY 1 ORDER BY 1"
            );
            for shape in [Shape::default(), Shape { partitions: 1, batch_rows: 5, ..Shape::default() }] {
                let context = shape.context();
                register(&context, &events, shape.partitions);
                let (lists, windows) = (runtime.block_on(rows(&context, &lists)), runtime.block_on(rows(&context, &windows)));
                prop_assert_eq!(lists, windows, "{} {:?}", model, shape);
            }
        }
    }
}

/// Events of many users, of a few at a time, without a library of random numbers.
fn many(event_count: usize, user_count: u64) -> Vec<Event> {
    let mut state = 11u64;
    let mut draw = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    (0..event_count)
        .map(|_| Event {
            user: draw(user_count) as i64,
            second: Some(draw(60) as i64),
            channel: Some(CHANNELS[draw(5) as usize]).filter(|channel| *channel != "direct"),
            name: if draw(8) == 0 { "order" } else { "visit" },
            cents: Some(i128::from(draw(10_000))),
        })
        .collect()
}

#[tokio::test]
async fn spilling_changes_nothing() {
    let events = many(120_000, 12_000);
    let sql = by_channel("attribute_totals");
    let roomy = Shape::default().context();
    register(&roomy, &events, 2);
    let expected = rows(&roomy, &sql).await;
    assert!(!expected.is_empty());
    // What DataFusion can spill depends on which of its operators is full first, so not every limit has an answer every
    // time: an answer is the right one, and some limits make it by spilling.
    let mut spills = 0;
    for memory_bytes in (4..18).step_by(2).map(|megabytes| megabytes * 1_000_000) {
        let tight = Shape { memory_bytes: Some(memory_bytes), one_stage: false, batch_rows: 64, ..Shape::default() };
        let context = tight.context();
        register(&context, &events, 2);
        match try_rows_and_spills(&context, &sql).await {
            Ok((answered, more)) => {
                assert_eq!(answered, expected);
                spills += more;
            }
            Err(error) => assert!(error.to_string().contains("Resources exhausted"), "{error}"),
        }
    }
    assert!(spills > 0, "nothing was spilled");
}

#[tokio::test]
async fn users_given_back_in_order_while_others_arrive_are_whole() {
    let mut events = many(60_000, 3_000);
    events.sort_by_key(|event| event.user);
    let context = Shape { partitions: 1, batch_rows: 256, ..Shape::default() }.context();
    register(&context, &events, 1);
    let expected = rows(&context, &by_channel("attribute_totals")).await;
    let ordered =
        by_channel("attribute_totals").replace("FROM events", "FROM (SELECT * FROM events ORDER BY user_id) AS events");
    assert_eq!(rows(&context, &ordered).await, expected);
}

#[tokio::test]
async fn a_heavy_user_costs_what_its_rows_cost() {
    let context = Shape::default().context();
    let started = std::time::Instant::now();
    let answered = rows(
        &context,
        "SELECT count(*), sum(t.credit), sum(t.value) FROM (SELECT unnest(ATTRIBUTE_TOTALS('first, linear, \
         position(0.4, 0.4), time_decay(7 days), last', to_timestamp(n), CASE WHEN n % 1000 > 0 THEN 'c' || n % 7 END, \
         n % 1000 = 0, 1.25::numeric(4,2))) AS t FROM generate_series(1, 1000000) AS events(n)) AS u",
    )
    .await;
    assert_eq!(answered, ["35 | 5000.000000000000 | 6250.00000000"]);
    // Pairs of touch and conversion are 500 million for each model.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[tokio::test]
async fn plain_sql_gives_the_same_credits() {
    let plain = include_str!("../../../../sql/plain/attribute.sql");
    const DAY_SECONDS: i64 = 86_400;
    let events: Vec<Event> = many(6_000, 300)
        .into_iter()
        .map(|event| Event {
            // A day a unit: lookbacks end within journeys, and times are often equal.
            second: event.second.map(|second| second * DAY_SECONDS),
            name: if event.name == "order" { "purchase" } else { "visit" },
            ..event
        })
        .collect();
    let context = Shape::default().context();
    register(&context, &events, 2);
    let rounded = |prefix: &str, names: [&str; 6]| {
        let columns = names.map(|name| format!("round({prefix}{name}::double precision, 4)"));
        columns.join(", ")
    };
    let names = [
        "last_conversions",
        "linear_conversions",
        "decay_conversions",
        "last_revenue",
        "linear_revenue",
        "decay_revenue",
    ];
    let ours = ["credit", "value"].map(|sum| {
        ["last", "linear", "time_decay(7 days)"]
            .map(|model| format!("sum({sum}) FILTER (WHERE model = '{model}')::double precision"))
            .map(|sum| format!("round({sum}, 4)"))
            .join(", ")
    });
    let ours = rows(
        &context,
        &format!(
            "SELECT channel, {} FROM (SELECT t.channel AS channel, t.model AS model, t.credit AS credit, t.value AS value \
             FROM (SELECT unnest(ATTRIBUTE_TOTALS('last, linear, time_decay(7 days)', event_time, channel, \
             event = 'purchase', revenue, lookback => '30 days')) AS t FROM events GROUP BY user_id) AS u) AS credits \
             GROUP BY channel ORDER BY channel",
            ours.join(", ")
        ),
    )
    .await;
    let twin = format!("SELECT channel, {} FROM ({plain}) AS twin ORDER BY channel", rounded("", names));
    assert_eq!(rows(&context, &twin).await, ours);
    assert_eq!(ours.len(), CHANNELS.len(), "four channels and the unattributed: {ours:?}");
}

#[tokio::test]
async fn positional_calls_work_where_only_the_functions_are_registered() {
    let context = datafusion::prelude::SessionContext::new();
    for function in tributary_udfs::aggregates() {
        context.register_udaf(function.as_ref().clone());
    }
    let sql = "SELECT u, attribute_totals('first', t, c, e = 'b', named_struct('lookback', '1 day')) \
               FROM (VALUES (1, timestamp '2026-03-01 00:00:00', 'x', 'a'), \
               (1, timestamp '2026-03-01 00:02:00', NULL, 'b')) AS events(u, t, c, e) GROUP BY u";
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let answered: Vec<String> = batches.iter().flat_map(crate::support::lines).collect();
    assert_eq!(answered, ["1 | [{model: first, channel: x, credit: 1.000000000000, value: NULL}]"]);
}

#[tokio::test]
async fn a_list_that_nothing_could_hold_is_refused_before_it_is_made() {
    let context = Shape::default().context();
    let started = std::time::Instant::now();
    let error = crate::support::mistake(
        &context,
        "SELECT cardinality(ATTRIBUTE('first, linear, last, linear_position, geometric(0.5)', to_timestamp(n), 'c' || n % 7, \
         n % 1000 = 0)) FROM generate_series(1, 1000000) AS events(n)",
    )
    .await;
    assert_eq!(error.sqlstate, "54000");
    assert_eq!(error.message, "attribute: 2502495000 elements in one piece of the answer, a piece holds 2147483647");
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
