//! Wrong calls and what they are told, in the words of `errors.txt`.

use std::fmt::Write;
use std::path::Path;

use datafusion::arrow::datatypes::{DataType, IntervalUnit};
use datafusion::common::ScalarValue;

use super::{Event, register};
use crate::support::{context, lines, mistake};

/// Calls by user that are wrong; `%` stands for the data of a right one.
const BY_USER: &[&str] = &[
    // Models.
    "attribute('', %)",
    "attribute('linaer', %)",
    "attribute('last, tiem_decay(7 days)', %)",
    "attribute('linear linear', %)",
    "attribute('first, linear, first', %)",
    "attribute('position(0.4)', %)",
    "attribute('position(0.7, 0.7)', %)",
    "attribute('position(0.4, 0.1, 0.4)', %)",
    "attribute('weights(0.5, 0.4)', %)",
    "attribute('weights(a)', %)",
    "attribute('time_decay(0 days)', %)",
    "attribute('time_decay(1 month)', %)",
    "attribute('geometric(2)', %)",
    "attribute('last_non()', %)",
    "attribute('位置(0.4, 0.4)', %)",
    "attribute('linear, last_non(direct', %)",
    "attribute('milestones(0.3, 0.3, 0.3)', %)",
    "attribute('milestones(0.3, 0.3)', %, milestones => (event = 'lead', event = 'won'))",
    "attribute(NULL, %)",
    "attribute(event, %)",
    "attribute(7, %)",
    "attribute_totals('lineal', %)",
    // Options.
    "attribute('last', %, lokback => '30 days')",
    "attribute('last', %, lookback => '30 days', lookback := '1 day')",
    "attribute('last', %, lookback => '0 days')",
    "attribute('last', %, lookback => '1 month')",
    "attribute('last', %, lookback => NULL)",
    "attribute('last', %, lookback => event)",
    "attribute('last', %, lookback => true)",
    "attribute('last', %, lookback_touches => 0)",
    "attribute('last', %, lookback_touches => 1.5)",
    "attribute('last', %, consume => 'since_lats')",
    "attribute('last', %, consume => 'all')",
    "attribute('last', %, include_self => 'yes')",
    "attribute('last', %, per_channel_once => NULL)",
    "attribute('last', %, touch => event)",
    "attribute('last', %, milestones => event)",
    "attribute('last', %, milestones => (event = 'lead', 7))",
    "attribute('last', %, conversion => event = 'order')",
    "attribute('last', %, carry => event)",
    // The other arguments.
    "attribute('last', event, channel, event = 'order')",
    "attribute('last', event_time, user_id, event = 'order')",
    "attribute('last', event_time, channel, event)",
    "attribute('last', event_time, channel, revenue, event = 'order')",
    "attribute('last', event_time, channel, event = 'order', revenue::numeric(38, 35))",
    "attribute('last', event_time, channel, event = 'order', revenue, '30 days')",
    "attribute('last', event_time, channel)",
    "attribute()",
    // Clauses.
    "attribute(DISTINCT 'last', %)",
    "attribute('last', % ORDER BY event_time)",
    "attribute('last', %) WITHIN GROUP (ORDER BY event_time)",
    "attribute('last', %) IGNORE NULLS",
    "attribute_totals('last', %) OVER (PARTITION BY user_id)",
    "attribution_touches(events, channel)",
    // Data.
    "attribute('last', event_time, channel, event = 'order', 1e30::numeric(38, 2))",
    "attribute_totals('last', event_time, channel, event = 'order', 1e70::numeric(76, 2))",
];

/// Calls by row that are wrong.
const BY_ROW: &[&str] = &[
    "attribute('last, first', %) OVER (PARTITION BY user_id)",
    "attribute('lst', %) OVER (PARTITION BY user_id)",
    "attribute('last', %) OVER (PARTITION BY user_id ORDER BY event_time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
    "attribute('last', %) FILTER (WHERE user_id > 1) OVER (PARTITION BY user_id)",
    "attribute('last', event_time, channel, event) OVER (PARTITION BY user_id)",
];

/// Relations that are wrong.
const IN_FROM: &[&str] = &[
    "attribution_touches()",
    "attribution_touches('events', channel, event = 'order', models => 'last')",
    "attribution_touches(relation => events, models => 'last')",
    "attribution_touches(events, channel, event = 'order')",
    "attribution_touches(events, models => 'last')",
    "attribution_touches(events, channel, models => 'last')",
    "attribution_touches(events, channel, event = 'order', models => 'lsat')",
    "attribution_touches(events, channel, event = 'order', revenue, 7, models => 'last')",
    "attribution_touches(events, channel, event = 'order', model => 'last')",
    "attribution_touches(events, channel, event = 'order', models => 'last', models => 'first')",
    "attribution_touches(events, channel, event, models => 'last')",
    "attribution_touches(events, channel, event = 'order', models => 'last', user_key => user_id + 1)",
    "attribution_touches(events, channel, event = 'order', models => 'last', time_key => event)",
    "attribution_touches(events, channel, event = 'order', models => 'last', carry => (event, channel))",
    "attribution_touches((SELECT channel, event FROM events), channel, event = 'order', models => 'last')",
    "attribution_touches((SELECT 1 AS user_id, 2 AS event_no, 'a' AS channel), channel, true, models => 'last')",
    "attribution_touches(events, channel, event = 'order', models => 'last') WITH ORDINALITY",
    "LATERAL attribution_touches(events, channel, event = 'order', models => 'last')",
];

#[tokio::test]
async fn wrong_calls_are_told_what_is_wrong() {
    let context = context();
    register(&context, &[Event { user: 1, second: Some(0), channel: Some("ad"), name: "order", cents: Some(1) }], 1);
    let by_user = BY_USER.iter().map(|call| (call, "SELECT CALL\nFROM events GROUP BY user_id"));
    let by_row = BY_ROW.iter().map(|call| (call, "SELECT CALL\nFROM events"));
    let in_from = IN_FROM.iter().map(|call| (call, "SELECT *\nFROM CALL"));
    let mut told = String::new();
    for (wrong, statement) in by_user.chain(by_row).chain(in_from) {
        let call = wrong.replace('%', "event_time, channel, event = 'order', revenue");
        let error = mistake(&context, &statement.replace("CALL", &call)).await;
        writeln!(told, "{wrong}").unwrap();
        let place = error.position.map(|place| format!(" at {}:{}", place.line, place.column)).unwrap_or_default();
        writeln!(told, "  {}{place}: {}", error.sqlstate, error.message).unwrap();
        if let Some(hint) = error.hint {
            writeln!(told, "  HINT: {hint}").unwrap();
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/attribution/errors.txt");
    if std::env::var_os("TRIBUTARY_BLESS").is_some() {
        std::fs::write(&path, &told).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == told, "errors differ from errors.txt; bless with TRIBUTARY_BLESS=1 and read the diff:\n{told}");
}

#[tokio::test]
async fn long_and_hostile_texts_are_refused_quickly() {
    let context = context();
    register(&context, &[Event { user: 1, second: Some(0), channel: Some("ad"), name: "order", cents: Some(1) }], 1);
    for models in ["first, ".repeat(150_000), "last_non(".repeat(100_000), "(".repeat(1_000_000), "，".repeat(300_000)]
    {
        let started = std::time::Instant::now();
        let error =
            mistake(&context, &format!("SELECT attribute('{models}', event_time, channel, true) FROM events")).await;
        assert_eq!(error.sqlstate, "22023");
        assert!(error.message.len() < 1_000, "{}", error.message);
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    }
}

const PARAMETERS: &str = "SELECT unnest(ATTRIBUTE_TOTALS($1, event_time, channel, event = $2, revenue, lookback => $3, \
                          include_self => $4, lookback_touches => $5, touch => $6)) AS t FROM events GROUP BY user_id";

#[tokio::test]
async fn parameters_have_the_types_of_their_places_and_are_judged_when_bound() {
    let context = context();
    register(&context, &[Event { user: 1, second: Some(0), channel: Some("ad"), name: "order", cents: Some(1) }], 1);
    let frame = tributary_udfs::sql(&context, PARAMETERS).await.unwrap();
    let types = frame.logical_plan().get_parameter_types().unwrap();
    for (place, expected) in [
        ("$1", DataType::Utf8),
        ("$2", DataType::Utf8View),
        ("$3", DataType::Interval(IntervalUnit::MonthDayNano)),
        ("$4", DataType::Boolean),
        ("$5", DataType::Int64),
        ("$6", DataType::Boolean),
    ] {
        assert_eq!(types[place], Some(expected), "{place}");
    }
    let answer = async |sql: &str, models: &str| {
        let frame = tributary_udfs::sql(&context, sql).await.unwrap();
        let values = vec![
            ScalarValue::from(models),
            ScalarValue::from("order"),
            ScalarValue::new_interval_mdn(0, 1, 0),
            ScalarValue::from(true),
            ScalarValue::from(3i64),
            ScalarValue::from(true),
        ];
        let frame = frame.with_param_values(values)?;
        Ok::<_, datafusion::error::DataFusionError>(frame.collect().await?.iter().flat_map(lines).collect::<Vec<_>>())
    };
    let earned = ["{model: last, channel: ad, credit: 1.000000000000, value: 0.01000000}"];
    assert_eq!(answer(PARAMETERS, "last").await.unwrap(), earned);
    let error = answer(PARAMETERS, "lats").await.unwrap_err();
    assert_eq!(tributary_udfs::UserError::find(&error).unwrap().sqlstate, "22023");
    let relation = "SELECT model, channel, credit FROM attribution_touches(events, channel, event = $2, models => $1, \
                    lookback => $3, include_self => $4, lookback_touches => $5, touch => $6)";
    assert_eq!(answer(relation, "last").await.unwrap(), ["last | ad | 1.0"]);
    let window = "SELECT attribute($1, event_time, channel, event = $2, lookback => $3, include_self => $4, \
                  lookback_touches => $5, touch => $6) OVER (PARTITION BY user_id) AS credit FROM events";
    assert_eq!(answer(window, "last").await.unwrap(), ["1.000000000000"]);
}
