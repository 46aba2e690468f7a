//! Journeys whose answers were worked out by hand, in every form.

use crate::support::{context, rows};

/// Touches search 01-01, email 01-05, direct 01-09, social 01-12, direct 01-14; a conversion 01-15 worth 100.
const JOURNEY: &str = "(VALUES \
    (1, timestamp '2026-01-15 00:00:00', NULL, 'order', 100.00), \
    (1, timestamp '2026-01-01 00:00:00', 'search', 'visit', NULL), \
    (1, timestamp '2026-01-12 00:00:00', 'social', 'visit', NULL), \
    (1, timestamp '2026-01-05 00:00:00', 'email', 'visit', NULL), \
    (1, timestamp '2026-01-14 00:00:00', 'direct', 'visit', NULL), \
    (1, timestamp '2026-01-09 00:00:00', 'direct', 'visit', 7.00)) \
    AS events(user_id, event_time, channel, event, revenue)";

/// Model, options, and what direct, email, search and social earn.
const TABLE: &[(&str, &str, [&str; 4])] = &[
    ("first", "", ["0.0000", "0.0000", "100.0000", "0.0000"]),
    ("last", "", ["100.0000", "0.0000", "0.0000", "0.0000"]),
    ("last_non(direct)", "", ["0.0000", "0.0000", "0.0000", "100.0000"]),
    ("linear", "", ["40.0000", "20.0000", "20.0000", "20.0000"]),
    ("linear", ", per_channel_once => true", ["25.0000", "25.0000", "25.0000", "25.0000"]),
    ("position(0.4, 0.2, 0.4)", "", ["46.6667", "6.6667", "40.0000", "6.6667"]),
    ("position(0.2, 0.6)", "", ["66.6667", "6.6667", "20.0000", "6.6667"]),
    ("position(0.6, 0.2, 0.2)", "", ["26.6667", "6.6667", "60.0000", "6.6667"]),
    ("time_decay(7 days)", "", ["51.6524", "13.1631", "8.8581", "26.3263"]),
    ("linear_position", "", ["53.3333", "13.3333", "6.6667", "26.6667"]),
    ("geometric(0.5)", "", ["64.5161", "6.4516", "3.2258", "25.8065"]),
    ("participation", "", ["100.0000", "100.0000", "100.0000", "100.0000"]),
];

fn call(function: &str, model: &str, options: &str) -> String {
    format!("{function}('{model}', event_time, channel, event = 'order', revenue::numeric(12, 2){options})")
}

/// The three forms of a question, each by channel.
fn forms(model: &str, options: &str) -> [String; 3] {
    let by_user = |function: &str| {
        format!(
            "SELECT a.channel, round(sum(a.value), 4) FROM (SELECT unnest({}) AS a FROM {JOURNEY} GROUP BY user_id) AS u \
             GROUP BY 1 ORDER BY 1",
            call(function, model, options)
        )
    };
    let window = format!(
        "SELECT channel, round(sum(earned), 4) FROM (SELECT channel, {} OVER (PARTITION BY user_id ORDER BY event_time) \
         AS earned FROM {JOURNEY}) AS w WHERE channel IS NOT NULL GROUP BY 1 ORDER BY 1",
        call("attribute", model, options)
    );
    [by_user("attribute"), by_user("attribute_totals"), window]
}

#[tokio::test]
async fn the_golden_journey_earns_what_it_should_in_every_form() {
    let context = context();
    for (model, options, earned) in TABLE {
        let channels = ["direct", "email", "search", "social"];
        let expected: Vec<String> =
            channels.iter().zip(earned).map(|(channel, earned)| format!("{channel} | {earned}")).collect();
        for sql in forms(model, options) {
            assert_eq!(rows(&context, &sql).await, expected, "{sql}");
        }
    }
}

#[tokio::test]
async fn a_lookback_is_inclusive() {
    let context = context();
    // The email is exactly ten days old.
    for sql in &forms("linear", ", lookback => INTERVAL '10 days'")[..2] {
        assert_eq!(rows(&context, sql).await, ["direct | 50.0000", "email | 25.0000", "social | 25.0000"], "{sql}");
    }
    for sql in &forms("time_decay(7 days)", ", lookback => 604800")[..2] {
        assert_eq!(rows(&context, sql).await, ["direct | 66.2392", "social | 33.7608"], "{sql}");
    }
    for sql in &forms("linear", ", lookback_touches => 2")[..2] {
        assert_eq!(rows(&context, sql).await, ["direct | 50.0000", "social | 50.0000"], "{sql}");
    }
}

/// Touches A@1, B@2; conversion X@3 (100); touch C@4; conversions Y@5 (50) and Z@6, with no touch between.
const TWO: &str = "(VALUES (timestamp '2026-01-01 00:00:01', 'A', 'visit', NULL), \
    (timestamp '2026-01-01 00:00:02', 'B', 'visit', NULL), (timestamp '2026-01-01 00:00:03', NULL, 'order', 100), \
    (timestamp '2026-01-01 00:00:04', 'C', 'visit', NULL), (timestamp '2026-01-01 00:00:05', NULL, 'order', 50), \
    (timestamp '2026-01-01 00:00:06', NULL, 'order', 7)) AS events(event_time, channel, event, revenue)";

#[tokio::test]
async fn several_conversions_look_back_on_their_own_or_since_the_last() {
    let context = context();
    let sql = |options: &str| {
        format!(
            "SELECT t.channel, round(sum(t.credit), 3), round(sum(t.value), 3) FROM (SELECT unnest(ATTRIBUTE_TOTALS(\
             'linear', event_time, channel, event = 'order', revenue{options})) AS t FROM {TWO} WHERE revenue IS NULL OR \
             revenue <> 7) AS u GROUP BY 1 ORDER BY 1"
        )
    };
    let shared = ["A | 0.833 | 66.667", "B | 0.833 | 66.667", "C | 0.333 | 16.667"];
    assert_eq!(rows(&context, &sql("")).await, shared);
    let consumed = ["A | 0.500 | 50.000", "B | 0.500 | 50.000", "C | 1.000 | 50.000"];
    assert_eq!(rows(&context, &sql(", consume => 'since_last'")).await, consumed);
}

#[tokio::test]
async fn the_list_tells_all_of_each_touch_and_unattributed_conversions_too() {
    let sql = format!(
        "SELECT a.model, a.channel, a.touch_time, a.conversion_time, a.touch_index, a.touch_count, a.credit, a.value \
         FROM (SELECT unnest(ATTRIBUTE('first, linear', event_time, channel, conversion => event = 'order', value => revenue, \
         consume => 'since_last')) AS a FROM {TWO}) AS u"
    );
    let at = |second: i64| format!("2026-01-01T00:00:0{second}");
    let element = |model: &str, channel: &str, touch: i64, conversion: i64, place: &str, credit: &str, value: &str| {
        format!("{model} | {channel} | {} | {} | {place} | {credit} | {value}", at(touch), at(conversion))
    };
    let none = |model: &str| format!("{model} | NULL | NULL | {} | NULL | 0 | 1.000000000000 | 7.000000", at(6));
    let expected = [
        element("first", "A", 1, 3, "0 | 2", "1.000000000000", "100.000000"),
        element("first", "B", 2, 3, "1 | 2", "0.000000000000", "0.000000"),
        element("first", "C", 4, 5, "0 | 1", "1.000000000000", "50.000000"),
        none("first"),
        element("linear", "A", 1, 3, "0 | 2", "0.500000000000", "50.000000"),
        element("linear", "B", 2, 3, "1 | 2", "0.500000000000", "50.000000"),
        element("linear", "C", 4, 5, "0 | 1", "1.000000000000", "50.000000"),
        none("linear"),
    ];
    assert_eq!(rows(&context(), &sql).await, expected);
}

#[tokio::test]
async fn types_follow_the_value() {
    let context = context();
    let types = async |value: &str| {
        let sql = format!(
            "SELECT arrow_typeof(a.credit), arrow_typeof(a.value), a.value FROM (SELECT unnest(ATTRIBUTE('last', event_time, \
             channel, event = 'order'{value})) AS a FROM {TWO}) AS u LIMIT 1"
        );
        rows(&context, &sql).await.remove(0)
    };
    assert_eq!(types("").await, "Decimal128(20, 12) | Float64 | NULL");
    assert_eq!(types(", NULL").await, "Decimal128(20, 12) | Float64 | NULL");
    assert_eq!(types(", revenue").await, "Decimal128(20, 12) | Decimal128(38, 6) | 0.000000");
    assert_eq!(types(", revenue::numeric(12,2)").await, "Decimal128(20, 12) | Decimal128(38, 8) | 0.00000000");
    assert_eq!(types(", revenue::double precision").await, "Decimal128(20, 12) | Float64 | 0.0");
    assert_eq!(
        types(", revenue::smallint, lookback => '9 days'").await,
        "Decimal128(20, 12) | Decimal128(38, 6) | 0.000000"
    );
}

#[tokio::test]
async fn thirds_of_a_cent_sum_exactly_also_of_refunds() {
    let sql = "SELECT sum(a.credit), sum(a.value), min(a.value) FROM (SELECT unnest(ATTRIBUTE('linear', event_time, channel, \
               event = 'order', revenue::numeric(6, 2))) AS a FROM (VALUES (timestamp '2026-01-01 00:00:01', 'A', 'visit', NULL), \
               (timestamp '2026-01-01 00:00:02', 'B', 'visit', NULL), (timestamp '2026-01-01 00:00:03', 'C', 'visit', NULL), \
               (timestamp '2026-01-01 00:00:04', NULL, 'order', -0.01), (timestamp '2026-01-01 00:00:05', NULL, 'order', NULL)) \
               AS events(event_time, channel, event, revenue)) AS u";
    assert_eq!(rows(&context(), sql).await, ["2.000000000000 | -0.01000000 | -0.00333334"]);
}

#[tokio::test]
async fn milestones_take_their_weights() {
    let sql = "SELECT t.channel, round(t.credit, 3) FROM (SELECT unnest(ATTRIBUTE_TOTALS('milestones(0.3, 0.3, 0.3)', event_time, \
               channel, event = 'won', milestones => (event = 'lead', event = 'opportunity'))) AS t FROM (VALUES \
               (timestamp '2026-01-01 00:00:01', 'A', 'visit'), (timestamp '2026-01-01 00:00:02', 'B', 'lead'), \
               (timestamp '2026-01-01 00:00:03', 'C', 'visit'), (timestamp '2026-01-01 00:00:04', 'D', 'opportunity'), \
               (timestamp '2026-01-01 00:00:05', NULL, 'won')) AS events(event_time, channel, event)) AS u ORDER BY 1";
    assert_eq!(rows(&context(), sql).await, ["A | 0.300", "B | 0.300", "C | 0.100", "D | 0.300"]);
    let one =
        sql.replace("0.3, 0.3, 0.3", "0.5, 0.5").replace("(event = 'lead', event = 'opportunity')", "event = 'lead'");
    assert_eq!(rows(&context(), &one).await, ["A | 0.500", "B | 0.500", "C | 0.000", "D | 0.000"]);
}

#[tokio::test]
async fn a_tie_column_orders_rows_of_one_time() {
    let sql = |tie: &str| {
        format!(
            "SELECT t.channel FROM (SELECT unnest(ATTRIBUTE_TOTALS('last', event_time, channel, event = 'order'{tie})) AS t \
             FROM (VALUES (timestamp '2026-01-01 00:00:01', 'A', 'visit', 9.5), (timestamp '2026-01-01 00:00:01', 'B', 'visit', -1.5), \
             (timestamp '2026-01-01 00:00:01', 'C', 'visit', 2), (timestamp '2026-01-01 00:00:02', NULL, 'order', NULL)) \
             AS events(event_time, channel, event, place)) AS u WHERE t.credit > 0"
        )
    };
    assert_eq!(rows(&context(), &sql("")).await, ["C"]);
    assert_eq!(rows(&context(), &sql(", tie => place")).await, ["A"]);
    assert_eq!(rows(&context(), &sql(", tie => -place")).await, ["B"]);
}

#[tokio::test]
async fn touches_may_be_chosen_and_the_own_row_may_count() {
    let sql = |options: &str| {
        format!(
            "SELECT t.channel, t.credit::double precision FROM (SELECT unnest(ATTRIBUTE_TOTALS('last', event_time, channel, \
             event = 'order'{options})) AS t FROM (VALUES (timestamp '2026-01-01 00:00:01', 'ad', 'click'), \
             (timestamp '2026-01-01 00:00:02', 'mail', 'open'), (timestamp '2026-01-01 00:00:03', 'shop', 'order')) \
             AS events(event_time, channel, event)) AS u ORDER BY 1"
        )
    };
    let context = context();
    assert_eq!(rows(&context, &sql("")).await, ["ad | 0.0", "mail | 1.0"]);
    assert_eq!(rows(&context, &sql(", touch => event = 'click'")).await, ["ad | 1.0"]);
    assert_eq!(rows(&context, &sql(", touch := event = 'click', include_self := true")).await, ["ad | 1.0"]);
    assert_eq!(rows(&context, &sql(", include_self => true")).await, ["ad | 0.0", "mail | 0.0", "shop | 1.0"]);
    assert_eq!(rows(&context, &sql(", touch => event = 'never'")).await, ["NULL | 1.0"]);
}

#[tokio::test]
async fn channels_of_every_encoding_and_language_sort_by_their_letters() {
    let context = context();
    for encoding in ["Utf8", "LargeUtf8", "Utf8View", "Dictionary(Int8, Utf8)", "Dictionary(UInt32, LargeUtf8)"] {
        // Twins in time are ordered by channel, and the last one wins: 社交媒体广告投放 follows 搜索.
        let sql = format!(
            "SELECT t.model, t.channel, t.credit::double precision FROM (SELECT unnest(ATTRIBUTE_TOTALS('last, last_non(社交媒体广告投放)', \
             event_time, arrow_cast(channel, '{encoding}'), event = 'order')) AS t FROM (VALUES \
             (timestamp '2026-01-01 00:00:01', '社交媒体广告投放', 'visit'), (timestamp '2026-01-01 00:00:01', '搜索', 'visit'), \
             (timestamp '2026-01-01 00:00:01', '', 'visit'), (timestamp '2026-01-01 00:00:02', NULL, 'order')) \
             AS events(event_time, channel, event)) AS u WHERE t.credit > 0 ORDER BY 1"
        );
        assert_eq!(
            rows(&context, &sql).await,
            ["last | 社交媒体广告投放 | 1.0", "last_non(社交媒体广告投放) | 搜索 | 1.0"],
            "{encoding}"
        );
    }
}

#[tokio::test]
async fn empty_groups_and_null_times() {
    let context = context();
    let empty = "SELECT cardinality(ATTRIBUTE('last', event_time, channel, event = 'order')), \
                 cardinality(ATTRIBUTE_TOTALS('last', event_time, channel, event = 'order')) \
                 FROM (SELECT now() AS event_time, 'a' AS channel, 'b' AS event) AS e WHERE false";
    assert_eq!(rows(&context, empty).await, ["0 | 0"]);
    let window = "SELECT ATTRIBUTE('last', event_time, channel, event = 'order') OVER (ORDER BY event_time) AS credit \
                  FROM (VALUES (timestamp '2026-01-01 00:00:01', 'A', 'visit'), (NULL, 'B', 'visit'), \
                  (timestamp '2026-01-01 00:00:02', NULL, 'order')) AS events(event_time, channel, event) ORDER BY event_time";
    assert_eq!(rows(&context, window).await, ["1.000000000000", "0.000000000000", "NULL"]);
}
