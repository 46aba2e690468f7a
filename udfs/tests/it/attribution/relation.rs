//! `attribution_touches` in FROM: columns, relations of every kind, and keys.

use datafusion::arrow::datatypes::DataType;
use datafusion::prelude::SessionContext;

use super::{Event, register};
use crate::support::{context, mistake, rows};

fn event(user: i64, second: i64, channel: Option<&'static str>, name: &'static str, cents: Option<i128>) -> Event {
    Event { user, second: Some(second), channel, name, cents }
}

async fn shop() -> SessionContext {
    let context = context();
    let events = [
        event(1, 10, Some("ad"), "visit", None),
        event(1, 20, Some("mail"), "visit", None),
        event(1, 30, None, "order", Some(1000)),
        event(1, 30, None, "order", Some(2000)),
        event(2, 5, None, "order", Some(300)),
        event(3, 7, Some("ad"), "visit", None),
    ];
    register(&context, &events, 2);
    context
}

const ARGUMENTS: &str = "channel, conversion => event = 'order', value => revenue, models => 'last, linear'";

#[tokio::test]
async fn every_touch_of_every_conversion_is_a_row() {
    let context = shop().await;
    let sql = format!(
        "SELECT user_id, conversion_id, conversion_value, model_no, model, touch_no, touch_count, channel, lag_seconds, \
         credit, value, is_unattributed FROM attribution_touches(events, {ARGUMENTS}) \
         WHERE model_no = 2 OR user_id = 2 ORDER BY user_id, conversion_id, model_no, touch_no"
    );
    let expected = [
        "1 | 1-30000000-1 | 10.0 | 2 | linear | 1 | 2 | ad | 20.0 | 0.5 | 5.0 | false",
        "1 | 1-30000000-1 | 10.0 | 2 | linear | 2 | 2 | mail | 10.0 | 0.5 | 5.0 | false",
        "1 | 1-30000000-2 | 20.0 | 2 | linear | 1 | 2 | ad | 20.0 | 0.5 | 10.0 | false",
        "1 | 1-30000000-2 | 20.0 | 2 | linear | 2 | 2 | mail | 10.0 | 0.5 | 10.0 | false",
        "2 | 2-5000000-1 | 3.0 | 1 | last | NULL | 0 | (unattributed) | NULL | 1.0 | 3.0 | true",
        "2 | 2-5000000-1 | 3.0 | 2 | linear | NULL | 0 | (unattributed) | NULL | 1.0 | 3.0 | true",
    ];
    assert_eq!(rows(&context, &sql).await, expected);
}

#[tokio::test]
async fn its_columns_are_those_of_the_report() {
    let context = shop().await;
    let sql = format!("SELECT * FROM attribution_touches(events, {ARGUMENTS}, carry => (event, revenue))");
    let frame = tributary_udfs::sql(&context, &sql).await.unwrap();
    let columns: Vec<(&str, &DataType)> =
        frame.schema().fields().iter().map(|field| (field.name().as_str(), field.data_type())).collect();
    let time = DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Microsecond, None);
    use DataType::*;
    let expected = [
        ("user_id", &Int64),
        ("conversion_id", &Utf8),
        ("conversion_time", &time),
        ("conversion_value", &Float64),
        ("model_no", &Int32),
        ("model", &Utf8View),
        ("touch_no", &Int32),
        ("touch_count", &Int32),
        ("channel", &Utf8View),
        ("touch_time", &time),
        ("lag_seconds", &Float64),
        ("credit", &Float64),
        ("value", &Float64),
        ("is_unattributed", &Boolean),
        ("event", &Utf8View),
        ("revenue", &Decimal128(12, 2)),
    ];
    assert_eq!(columns, expected);
}

#[tokio::test]
async fn touches_carry_columns_of_their_rows() {
    let context = context();
    let sql = "SELECT channel, campaign, cost FROM attribution_touches((SELECT * FROM (VALUES \
               (1, timestamp '2026-01-01 00:00:01', 'ad', 'visit', '春季', 1.5), (1, timestamp '2026-01-01 00:00:02', 'ad', 'visit', NULL, 2), \
               (1, timestamp '2026-01-01 00:00:03', NULL, 'order', 'no', 9), (2, timestamp '2026-01-01 00:00:03', NULL, 'order', 'no', 9)) \
               AS v(user_id, event_time, channel, event, campaign, cost)), channel, event = 'order', models => 'linear', \
               carry => (campaign, cost)) ORDER BY touch_no";
    assert_eq!(rows(&context, sql).await, ["ad | 春季 | 1.5", "ad | NULL | 2.0", "(unattributed) | NULL | NULL"]);
    let one =
        sql.replace("campaign, cost FROM", "campaign FROM").replace("carry => (campaign, cost)", "carry => campaign");
    assert_eq!(rows(&context, &one).await, ["ad | 春季", "ad | NULL", "(unattributed) | NULL"]);
}

#[tokio::test]
async fn the_relation_may_be_a_table_a_view_a_query_or_a_cte() {
    let context = shop().await;
    rows(&context, "CREATE VIEW sold AS SELECT * FROM events WHERE user_id < 3").await;
    rows(&context, "CREATE SCHEMA lake").await;
    rows(&context, "CREATE VIEW lake.sold AS SELECT * FROM events").await;
    for relation in [
        "events",
        "sold",
        "lake.sold",
        "datafusion.lake.sold",
        "\"events\"",
        "(SELECT * FROM events)",
        "(TABLE events)",
        "(TABLE lake.sold)",
        "(WITH e AS (SELECT * FROM events) SELECT * FROM e)",
        "(SELECT user_id, event_time, channel, event, revenue FROM events UNION ALL SELECT * FROM events WHERE false)",
    ] {
        let sql = format!("SELECT count(*), sum(credit) FROM attribution_touches({relation}, {ARGUMENTS})");
        assert_eq!(rows(&context, &sql).await, ["10 | 6.0"], "{relation}");
    }
    let cte = format!(
        "WITH mine AS (SELECT * FROM events WHERE user_id = 1) \
         SELECT count(*), sum(t.credit) FROM attribution_touches(mine, {ARGUMENTS}) AS t"
    );
    assert_eq!(rows(&context, &cte).await, ["8 | 4.0"]);
    let named = format!("SELECT count(attribution_touches.channel) FROM attribution_touches(events, {ARGUMENTS})");
    assert_eq!(rows(&context, &named).await, ["10"]);
    let view = format!("CREATE VIEW facts AS SELECT * FROM attribution_touches(sold, {ARGUMENTS})");
    rows(&context, &view).await;
    assert_eq!(rows(&context, "SELECT count(*) FROM facts").await, ["10"]);
    let joined = format!(
        "SELECT count(*) FROM (SELECT DISTINCT user_id FROM events) AS users JOIN attribution_touches(events, {ARGUMENTS}) \
         AS t ON t.user_id = users.user_id WHERE t.user_id IN (SELECT user_id FROM attribution_touches(events, {ARGUMENTS}) \
         AS x WHERE x.is_unattributed)"
    );
    assert_eq!(rows(&context, &joined).await, ["2"]);
}

#[tokio::test]
async fn users_and_times_are_found_by_option_and_by_name() {
    let context = shop().await;
    let renamed = "(SELECT user_id AS customer, event_time AS at, channel, event, revenue FROM events)";
    let sql = |keys: &str| {
        format!(
            "SELECT customer, conversion_id FROM attribution_touches({renamed}, {ARGUMENTS}{keys}) WHERE touch_no IS NULL LIMIT 1"
        )
    };
    assert_eq!(rows(&context, &sql(", user_key => customer, time_key => at")).await, ["2 | 2-5000000-1"]);
    let error = mistake(&context, &sql(", time_key => at")).await;
    assert_eq!(error.sqlstate, "42703");
    assert_eq!(error.message, "attribution_touches: no column for users: the relation has no column user_id");
    assert_eq!(
        error.hint.as_deref(),
        Some("Name it, such as user_key => customer. It could be customer, channel, event.")
    );
    let error = mistake(&context, &sql(", user_key => customer")).await;
    assert_eq!(error.hint.as_deref(), Some("Name it, such as time_key => at. It could be at."));
}

#[tokio::test]
async fn the_relation_agrees_with_the_aggregate() {
    let context = shop().await;
    let options = "lookback => '15 seconds', per_channel_once => true, milestones => (event = 'visit', event = 'order'), \
                   include_self => true, consume => 'none', lookback_touches => 2, touch => event = 'visit', tie => event";
    let models = "linear, milestones(0.2, 0.3, 0.4)";
    let relation = format!(
        "SELECT model, channel, round(sum(credit), 6), round(sum(value), 6) FROM attribution_touches(events, channel, \
         event = 'order', revenue, models => '{models}', {options}) GROUP BY 1, 2 ORDER BY 1, 2"
    );
    let aggregate = format!(
        "SELECT a.model, coalesce(a.channel, '(unattributed)') AS channel, round(sum(a.credit)::double precision, 6), \
         round(sum(a.value)::double precision, 6) FROM (SELECT unnest(ATTRIBUTE('{models}', event_time, channel, \
         event = 'order', revenue, {options})) AS a FROM events GROUP BY user_id) AS u GROUP BY 1, 2 ORDER BY 1, 2"
    );
    let answered = rows(&context, &relation).await;
    assert_eq!(answered.len(), 4);
    assert_eq!(answered, rows(&context, &aggregate).await);
}

#[tokio::test]
async fn a_user_is_not_taken_for_unique_above_the_relation() {
    let context = shop().await;
    let from = format!("FROM attribution_touches(events, {ARGUMENTS})");
    let by_channel = format!("SELECT user_id, channel, sum(credit) {from} GROUP BY user_id, channel ORDER BY 1, 2");
    let expected = ["1 | ad | 1.0", "1 | mail | 3.0", "2 | (unattributed) | 2.0"];
    assert_eq!(rows(&context, &by_channel).await, expected);
    let counted = format!("SELECT count(*) FROM (SELECT user_id, model, touch_no {from} GROUP BY 1, 2, 3) AS groups");
    assert_eq!(rows(&context, &counted).await, ["6"]);
    let distinct = format!("SELECT count(*) FROM (SELECT DISTINCT user_id, conversion_id {from}) AS conversions");
    assert_eq!(rows(&context, &distinct).await, ["3"]);
    let people = format!("SELECT count(DISTINCT user_id), count(*) {from}");
    assert_eq!(rows(&context, &people).await, ["2 | 10"]);
    let ordered =
        format!("SELECT user_id, touch_no {from} WHERE user_id = 1 AND model = 'last' ORDER BY user_id, touch_no DESC");
    assert_eq!(rows(&context, &ordered).await, ["1 | 2", "1 | 2", "1 | 1", "1 | 1"]);
}
