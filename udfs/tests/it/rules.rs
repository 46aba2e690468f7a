//! What the functions answer: one story a test.

use crate::support::{context, rows};

async fn level(call: &str, events: &str) -> String {
    let sql = format!("SELECT {call} FROM (VALUES {events}) AS events(t, event)");
    rows(&context(), &sql).await.join("\n")
}

const ABC: &str = "event = 'a', event = 'b', event = 'c'";

#[tokio::test]
async fn a_step_at_the_window_edge_counts_and_one_microsecond_later_does_not() {
    let edge = "(timestamp '2026-03-01 00:00:00', 'a'), (timestamp '2026-03-08 00:00:00', 'b')";
    let past = "(timestamp '2026-03-01 00:00:00', 'a'), (timestamp '2026-03-08 00:00:00.000001', 'b')";
    assert_eq!(level(&format!("funnel(t, '7 days', {ABC})"), edge).await, "2");
    assert_eq!(level(&format!("funnel(t, '7 days', {ABC})"), past).await, "1");
}

#[tokio::test]
async fn every_way_to_write_a_window_means_the_same() {
    let events = "(timestamp '2026-03-01 00:00:00', 'a'), (timestamp '2026-03-02 00:00:00', 'b')";
    for window in [
        "'1 day'",
        "INTERVAL '1 day'",
        "86400",
        "'86400'",
        "86400.0",
        "'24 hours'",
        "INTERVAL '12 hours' + INTERVAL '12 hours'",
    ] {
        assert_eq!(level(&format!("funnel(t, {window}, {ABC})"), events).await, "2", "{window}");
    }
    for window in ["'23 hours'", "86399", "86399.5", "INTERVAL '86399 seconds'", "'1 hour'"] {
        assert_eq!(level(&format!("funnel(t, {window}, {ABC})"), events).await, "1", "{window}");
    }
}

#[tokio::test]
async fn options_may_stand_anywhere_and_in_any_order() {
    // Only strict_order stops at the intruder.
    let events = "(timestamp '2026-03-01 00:00:00', 'a'), (timestamp '2026-03-01 00:01:00', 'x'), \
                  (timestamp '2026-03-01 00:02:00', 'b')";
    for call in [
        "funnel(t, '1 day', event = 'a', event = 'b', mode => 'strict_order', report => 'last')",
        "funnel(t, event = 'a', event = 'b', report => 'last', within => '1 day', mode => 'strict_order')",
        "funnel(mode => 'strict_order', within => '1 day', t, event = 'a', event = 'b')",
        "FUNNEL(t, event = 'a', MODE := 'Strict_Order', event = 'b', Within := '1 day')",
        "funnel(t, '1 day', named_struct('mode', 'strict_order'), event = 'a', event = 'b')",
    ] {
        assert_eq!(level(call, events).await, "1", "{call}");
    }
    assert_eq!(level("funnel(t, '1 day', event = 'a', event = 'b', compat => 'clickhouse')", events).await, "2");
}

#[tokio::test]
async fn each_mode_has_a_row_that_only_it_answers_so() {
    // FUNNEL-4, -5, -7, -8: letters a second apart; an apostrophe-free string of events.
    async fn chain(letters: &str, steps: &str, mode: &str) -> String {
        let events = letters.chars().enumerate().map(|(second, letter)| {
            format!("(timestamp '2026-03-01 00:00:00' + INTERVAL '{second} seconds', '{letter}')")
        });
        let steps = steps.chars().map(|step| format!("event = '{step}'")).collect::<Vec<_>>().join(", ");
        let call = format!("funnel(t, 3600, {steps}, mode => '{mode}')");
        level(&call, &events.collect::<Vec<_>>().join(", ")).await
    }
    assert_eq!(chain("aabbcc", "abc", "strict_deduplication").await, "2");
    assert_eq!(chain("adbc", "abc", "strict_order").await, "1");
    assert_eq!(chain("acb", "abc", "strict_order+allow_reentry").await, "2");
    assert_eq!(chain("a", "aaa", "strict_once").await, "1");
    assert_eq!(chain("aa", "aaa", "strict_increase").await, "2");
    assert_eq!(chain("a", "aaa", "default").await, "3");
}

#[tokio::test]
async fn a_null_time_drops_the_row_and_a_null_condition_is_false() {
    let events = "(timestamp '2026-03-01 00:00:00', 'a'), (NULL, 'b'), (timestamp '2026-03-01 00:00:02', NULL)";
    assert_eq!(level("funnel(t, '1 day', event = 'a', event = 'b', event = 'c')", events).await, "1");
    // With strict_order a row whose conditions are all NULL is an intruder, to ClickHouse it is no row.
    let events = "(timestamp '2026-03-01 00:00:00', 'a'), (timestamp '2026-03-01 00:00:01', NULL), \
                  (timestamp '2026-03-01 00:00:02', 'b')";
    let strict = "funnel(t, '1 day', event = 'a', event = 'b', mode => 'strict_order'";
    assert_eq!(level(&format!("{strict})"), events).await, "1");
    assert_eq!(level(&format!("{strict}, compat => 'clickhouse')"), events).await, "2");
    // One true and one NULL condition: the true one counts for us.
    let half = "(timestamp '2026-03-01 00:00:00', 'a')";
    assert_eq!(level("funnel(t, '1 day', event = 'a', NULL)", half).await, "1");
    assert_eq!(level("funnel(t, '1 day', event = 'a', NULL, compat => 'clickhouse')", half).await, "0");
}

#[tokio::test]
async fn nothing_is_level_zero_and_an_empty_list() {
    let none = "SELECT funnel(t, '1 day', event = 'a'), funnel_times(t, '1 day', event = 'a'), \
                funnel_durations(t, '1 day', event = 'a', event = 'b') \
                FROM (VALUES (timestamp '2026-03-01 00:00:00', 'a')) AS events(t, event) WHERE event = 'z'";
    assert_eq!(rows(&context(), none).await, ["0 | [] | []"]);
}

#[tokio::test]
async fn times_and_durations_tell_about_the_reported_chain() {
    let events = "(timestamp '2026-03-01 00:00:00', 'a'), (timestamp '2026-03-01 12:00:00', 'a'), \
                  (timestamp '2026-03-02 18:00:00', 'b')";
    assert_eq!(
        level("funnel_times(t, '7 days', event = 'a', event = 'b')", events).await,
        "[2026-03-01T00:00:00, 2026-03-02T18:00:00]"
    );
    assert_eq!(
        level("funnel_times(t, '7 days', event = 'a', event = 'b', report => 'last')", events).await,
        "[2026-03-01T12:00:00, 2026-03-02T18:00:00]"
    );
    assert_eq!(level("funnel_durations(t, '7 days', event = 'a', event = 'b')", events).await, "[1 days 18 hours]");
    assert_eq!(
        level("extract(epoch FROM (funnel_durations(t, '7 days', event = 'a', event = 'b'))[1])", events).await,
        "151200.0"
    );
}

#[tokio::test]
async fn every_unit_of_time_is_read_and_nanoseconds_are_floored() {
    let call = "funnel_times(t, '1 day', event = 'a', event = 'b')";
    for (cast, answer) in [
        ("TIMESTAMP(0)", "[2026-03-01T00:00:00, 2026-03-01T00:00:01]"),
        ("TIMESTAMP(3)", "[2026-03-01T00:00:00, 2026-03-01T00:00:01]"),
        ("TIMESTAMP(9)", "[2026-03-01T00:00:00, 2026-03-01T00:00:01]"),
        ("DATE", "[2026-03-01T00:00:00, 2026-03-01T00:00:00]"),
    ] {
        let sql = format!(
            "SELECT {call} FROM (SELECT t::{cast} AS t, event FROM (VALUES \
             (timestamp '2026-03-01 00:00:00', 'a'), (timestamp '2026-03-01 00:00:01', 'b')) AS e(t, event)) AS events"
        );
        assert_eq!(rows(&context(), &sql).await, [answer], "{cast}");
    }
    // 999 ns before the microsecond belong to the microsecond before: the two are one time, and so one group.
    let last = "SELECT funnel(arrow_cast(t, 'Timestamp(Nanosecond, None)'), '1 day', event = 'a', event = 'b', \
                mode => 'strict_increase') FROM (VALUES (1000, 'a'), (1999, 'b')) AS events(t, event)";
    assert_eq!(rows(&context(), last).await, ["1"]);
    let next = last.replace("1999", "2000");
    assert_eq!(rows(&context(), &next).await, ["2"]);
}

#[tokio::test]
async fn a_zone_is_kept_and_means_the_instant() {
    let sql = "SELECT funnel_times(arrow_cast(t, 'Timestamp(Nanosecond, Some(\"Asia/Shanghai\"))'), '1 day', event = 'a') \
               FROM (VALUES (0, 'a')) AS events(t, event)";
    assert_eq!(rows(&context(), sql).await, ["[1970-01-01T08:00:00+08:00]"]);
}

#[tokio::test]
async fn a_filter_selects_rows() {
    let events = "(timestamp '2026-03-01 00:00:00', 'a'), (timestamp '2026-03-01 00:01:00', 'b')";
    let call =
        "funnel(t, '1 day', event = 'a', event = 'b') FILTER (WHERE t > timestamp '2026-03-01 00:00:30' OR NULL)";
    assert_eq!(level(call, events).await, "0");
}

#[tokio::test]
async fn conditions_on_text_of_any_encoding_and_length_are_looked_up() {
    let long = "a_rather_long_name_of_an_event";
    for encoding in ["Utf8", "LargeUtf8", "Utf8View", "Dictionary(Int32, Utf8)", "Dictionary(UInt8, Utf8View)"] {
        let sql = format!(
            "SELECT funnel(t, '1 day', event = '{long}', event IN ('b', '{long}2', ''), event = 'c' OR event = 'd', \
             event = 'd' AND t IS NOT NULL) \
             FROM (SELECT t, arrow_cast(event, '{encoding}') AS event FROM (VALUES \
             (timestamp '2026-03-01 00:00:00', '{long}'), (timestamp '2026-03-01 00:00:01', ''), \
             (timestamp '2026-03-01 00:00:02', '{long}3'), (timestamp '2026-03-01 00:00:03', NULL), \
             (timestamp '2026-03-01 00:00:04', 'd')) AS e(t, event)) AS events"
        );
        assert_eq!(rows(&context(), &sql).await, ["4"], "{encoding}");
    }
}

#[tokio::test]
async fn sixty_four_steps_are_taken() {
    let steps = (1..=64).map(|step| format!("n = {step}")).collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT funnel(n::TIMESTAMP, '1 day', {steps}) FROM generate_series(1, 64) AS events(n)");
    let sql = sql.replace("n::TIMESTAMP", "arrow_cast(n, 'Timestamp(Second, None)')");
    assert_eq!(rows(&context(), &sql).await, ["64"]);
}

#[tokio::test]
async fn other_aggregates_may_stand_beside_it() {
    let sql = "SELECT u, funnel(t, '1 day', e = 'a', e = 'b') AS level, count(*) AS events, min(t) AS since, \
               array_agg(e ORDER BY t DESC) AS names, count(DISTINCT e) AS kinds \
               FROM (VALUES (1, timestamp '2026-03-01 00:00:00', 'a'), (1, timestamp '2026-03-01 00:01:00', 'b'), \
               (2, timestamp '2026-03-01 00:00:00', 'b')) AS events(u, t, e) GROUP BY u ORDER BY u";
    assert_eq!(
        rows(&context(), sql).await,
        ["1 | 2 | 2 | 2026-03-01T00:00:00 | [b, a] | 2", "2 | 0 | 1 | 2026-03-01T00:00:00 | [b] | 1"]
    );
}

#[tokio::test]
async fn a_condition_may_use_any_expression() {
    let sql = "SELECT funnel(t, '1 day', lower(e) LIKE 'a%', v > 10 AND e = 'B', e = 'B') \
               FROM (VALUES (timestamp '2026-03-01 00:00:00', 'A1', 1), (timestamp '2026-03-01 00:01:00', 'B', 5), \
               (timestamp '2026-03-01 00:02:00', 'B', 15)) AS events(t, e, v)";
    assert_eq!(rows(&context(), sql).await, ["3"]);
}
