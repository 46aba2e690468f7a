//! What the session functions answer: one story a test.

mod errors;
mod invariance;

use datafusion::arrow::datatypes::{DataType, IntervalUnit};
use datafusion::common::ScalarValue;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use tributary_udfs::UserError;

use crate::support::{Shape, context, lines, plan, register, rows};

/// The events of one person, each `clock` or `clock value`; `-` is NULL, and after 24:00 comes the next day.
fn events(story: &str) -> String {
    let row = |event: &str| {
        let (clock, value) = event.split_once(' ').unwrap_or((event, "-"));
        let mut clock = clock.split(':');
        let mut part = || clock.next().unwrap_or("0");
        let value = if value == "-" { "NULL".to_string() } else { format!("'{value}'") };
        format!(
            "(timestamp '2026-03-01 00:00:00' + INTERVAL '{} hours {} minutes {} seconds', {value})",
            part(),
            part(),
            part()
        )
    };
    format!("(VALUES {}) AS events(t, v)", story.split(", ").map(row).collect::<Vec<_>>().join(", "))
}

/// `number:cause` for every event in order of time and value, the cause only where a session starts.
async fn story(call: &str, events: &str) -> String {
    let sql = format!(
        "SELECT info['session_no']::text || coalesce(':' || info['cause'], '') \
         FROM (SELECT t, v, sessionize_info({call}) OVER (ORDER BY t) AS info FROM {events}) AS e ORDER BY t, v"
    );
    rows(&context(), &sql).await.join(" ")
}

#[tokio::test]
async fn six_visits_to_a_page_are_three_sessions() {
    let events = events("10:00, 10:15, 10:25, 11:30, 11:45, 13:00");
    let sql = format!("SELECT SESSIONIZE(t, '30 minutes') OVER (ORDER BY t) FROM {events} ORDER BY t");
    assert_eq!(rows(&context(), &sql).await, ["1", "1", "1", "2", "2", "3"]);
    let sql = format!(
        "SELECT s.session_no, s.started_at::time, s.ended_at::time, s.event_count, s.cause \
         FROM (SELECT unnest(sessions(t, '30 minutes')) AS s FROM {events}) AS s"
    );
    assert_eq!(
        rows(&context(), &sql).await,
        [
            "1 | 10:00:00 | 10:25:00 | 3 | first",
            "2 | 11:30:00 | 11:45:00 | 2 | timeout",
            "3 | 13:00:00 | 13:00:00 | 1 | timeout"
        ]
    );
}

#[tokio::test]
async fn exactly_the_gap_stays_and_a_microsecond_more_starts_a_session() {
    assert_eq!(story("t, '30 minutes'", &events("10:00, 10:30")).await, "1:first 1");
    assert_eq!(story("t, '30 minutes'", &events("10:00, 10:30:00.000001")).await, "1:first 2:timeout");
}

#[tokio::test]
async fn campaigns_and_midnight_split_as_in_the_worked_example() {
    let events = events("23:40 a, 23:55 a, 24:05 a, 24:10 b, 24:12 -, 24:13 b, 24:50 b");
    assert_eq!(
        story("t, '30 minutes', change_of => v, day_boundary_tz => 'UTC'", &events).await,
        "1:first 1 2:day 3:change 3 3 4:timeout"
    );
}

#[tokio::test]
async fn each_option_has_a_story_that_only_it_tells_so() {
    let visit = events("10:00 a, 10:10 b, 10:20 c, 10:30 b, 10:40 -");
    for (options, told) in [
        ("", "1:first 1 1 1 1"),
        (", max_duration => '20 minutes'", "1:first 1 1 2:max_duration 2"),
        (", max_duration => 1199.999999", "1:first 1 2:max_duration 2 3:max_duration"),
        (", max_events => 2", "1:first 1 2:max_events 2 3:max_events"),
        (", new_when => v = 'b'", "1:first 2:condition 2 3:condition 3"),
        (", end_when => v = 'b'", "1:first 1 2:end_condition 2 3:end_condition"),
        (", change_of => v", "1:first 2:change 3:change 4:change 4"),
        (", new_when => NULL, end_when => NULL, change_of => NULL, tie => NULL", "1:first 1 1 1 1"),
        (
            ", end_when => v = 'a', new_when => v = 'b', max_events => 1",
            "1:first 2:max_events 3:max_events 4:max_events 5:max_events",
        ),
    ] {
        assert_eq!(story(&format!("t, '30 minutes'{options}"), &visit).await, told, "{options}");
    }
}

#[tokio::test]
async fn a_tie_column_orders_events_of_one_time() {
    // By value 1, 2, 3, NULL, and stored in another order.
    let numbers = async |options: &str| {
        let sql = format!(
            "SELECT sessionize(t, '30 minutes', {options}) OVER () FROM (VALUES \
             (timestamp '2026-03-01 10:00:00', 3), (timestamp '2026-03-01 10:00:00', 1), \
             (timestamp '2026-03-01 10:00:00', NULL), (timestamp '2026-03-01 10:00:00', 2)) AS events(t, v) ORDER BY v"
        );
        rows(&context(), &sql).await.join(" ")
    };
    // Without tie the end sorts last, and all are in its session; with tie it comes first and is alone.
    assert_eq!(numbers("end_when => v = 1").await, "1 1 1 1");
    assert_eq!(numbers("end_when => v = 1, tie => v").await, "1 2 2 2");
    assert_eq!(numbers("new_when => v IS NULL, tie => v").await, "1 1 1 2");
    assert_eq!(numbers("change_of => v").await, "1 2 3 3");
    assert_eq!(numbers("change_of => v, tie => -v").await, "3 2 1 3");
}

#[tokio::test]
async fn the_order_of_over_changes_no_answer() {
    let events = events("10:00 a, 11:00 b, 11:10 b, 12:00 c");
    for over in ["", "ORDER BY t", "ORDER BY t DESC", "ORDER BY v DESC, t", "PARTITION BY 1 ORDER BY v = 'b'"] {
        let sql = format!("SELECT v, sessionize(t, gap => '30 minutes') OVER ({over}) FROM {events} ORDER BY t");
        assert_eq!(rows(&context(), &sql).await, ["a | 1", "b | 2", "b | 2", "c | 3"], "{over}");
    }
}

#[tokio::test]
async fn a_null_time_takes_part_in_nothing() {
    let events = "(VALUES (timestamp '2026-03-01 10:00:00', 1), (NULL, 2), (timestamp '2026-03-01 10:40:00', 3)) AS events(t, v)";
    let sql = format!(
        "SELECT sessionize(t, '30 minutes') OVER (ORDER BY v), sessionize_info(t, '30 minutes', new_when => v = 2) OVER () IS NULL \
         FROM {events} ORDER BY v"
    );
    assert_eq!(rows(&context(), &sql).await, ["1 | false", "NULL | true", "2 | false"]);
    let sql = format!("SELECT cardinality(sessions(t, '30 minutes', change_of => v)) FROM {events}");
    assert_eq!(rows(&context(), &sql).await, ["2"]);
    let sql =
        format!("SELECT cardinality(sessions(t, '30 minutes', tie => v) FILTER (WHERE v < 3 OR NULL)) FROM {events}");
    assert_eq!(rows(&context(), &sql).await, ["1"]);
}

#[tokio::test]
async fn nothing_is_an_empty_list() {
    let sql = "SELECT sessions(t, '1 hour') FROM (VALUES (now())) AS e(t) WHERE t IS NULL";
    assert_eq!(rows(&context(), sql).await, ["[]"]);
    let sql = "SELECT u, cardinality(sessions(t, '1 hour', change_of => u)), sessions(t, '1 hour') IS NULL \
               FROM (VALUES (1, NULL::timestamp), (2, now()::timestamp)) AS e(u, t) GROUP BY u ORDER BY u";
    assert_eq!(rows(&context(), sql).await, ["1 | 0 | false", "2 | 1 | false"]);
}

#[tokio::test]
async fn info_says_where_each_event_stands() {
    let sql = format!(
        "SELECT info['event_no'], info['is_start'], extract(epoch FROM info['gap']), info['started_at']::time, info['session_key'] \
         FROM (SELECT t, sessionize_info(t, '30 minutes', user_key => 'u1') OVER (ORDER BY t) AS info FROM {}) AS e ORDER BY t",
        events("00:00, 00:10, 25:10")
    );
    assert_eq!(
        rows(&context(), &sql).await,
        [
            // The key of u1 at 2026-03-01, as the core's golden has it.
            "1 | true | NULL | 00:00:00 | 52d5888d4e87996e",
            "2 | false | 600.0 | 00:00:00 | 52d5888d4e87996e",
            "1 | true | 90000.0 | 01:10:00 | 200e3480617c01d1",
        ]
    );
}

#[tokio::test]
async fn a_session_key_is_of_the_user_and_the_start_alone() {
    let keys = async |user: &str, gap: &str| {
        let sql = format!(
            "SELECT DISTINCT info['session_key'] FROM (SELECT sessionize_info(t, '{gap}', user_key => {user}, \
             new_when => v = 'x') OVER () AS info FROM {}) AS e ORDER BY 1",
            events("10:00 a, 10:00 x, 10:20 b")
        );
        rows(&context(), &sql).await
    };
    let two = keys("42", "30 minutes").await;
    assert_eq!(two.len(), 2, "two sessions of one start have two keys");
    assert_eq!(keys("'42'", "1 hour").await, two);
    assert!(keys("43", "1 hour").await.iter().all(|key| !two.contains(key) && key.len() == 16));
    assert_eq!(keys("NULL", "1 hour").await, ["NULL"]);
    let sql = format!("SELECT (sessionize_info(t, '1 hour') OVER ())['session_key'] FROM {}", events("10:00"));
    assert_eq!(rows(&context(), &sql).await, ["NULL"]);
}

#[tokio::test]
async fn every_unit_of_time_is_read_and_nanoseconds_are_floored() {
    for (cast, told) in [
        ("TIMESTAMP(0)", "1 2"),
        ("TIMESTAMP(3)", "1 2"),
        ("TIMESTAMP(6)", "1 2"),
        ("TIMESTAMP(9)", "1 2"),
        ("TIMESTAMPTZ", "1 2"),
        ("DATE", "1 1"),
    ] {
        let sql =
            format!("SELECT sessionize(t::{cast}, 1) OVER (ORDER BY t) FROM {} ORDER BY t", events("10:00, 10:00:02"));
        assert_eq!(rows(&context(), &sql).await.join(" "), told, "{cast}");
    }
    // 999 ns before the microsecond belong to the microsecond before.
    for (last, told) in [(1_001_999, "1 1"), (1_002_000, "1 2")] {
        let sql = format!(
            "SELECT sessionize(arrow_cast(t, 'Timestamp(Nanosecond, None)'), INTERVAL '1 millisecond') OVER (ORDER BY t) \
             FROM (VALUES (1999), ({last})) AS e(t) ORDER BY t"
        );
        assert_eq!(rows(&context(), &sql).await.join(" "), told, "{last}");
    }
}

#[tokio::test]
async fn a_zone_is_kept_and_means_the_instant() {
    let sql = "SELECT arrow_typeof(s.started_at), s.started_at FROM (SELECT unnest(sessions(\
               arrow_cast(t, 'Timestamp(Nanosecond, Some(\"Asia/Shanghai\"))'), '1 day')) AS s FROM (VALUES (0)) AS e(t)) AS x";
    assert_eq!(rows(&context(), sql).await, ["Timestamp(µs, \"Asia/Shanghai\") | 1970-01-01T08:00:00+08:00"]);
}

#[tokio::test]
async fn infinities_are_far_from_everything_but_themselves() {
    let numbers = |options: &str| {
        format!(
            "SELECT sessionize(arrow_cast(t, 'Timestamp(Microsecond, None)'), '100000000 days'{options}) OVER () \
             FROM (VALUES (1), (9223372036854775807), (-9223372036854775807 - 1), (2), (9223372036854775807), (9223372036854775806)) \
             AS e(t) ORDER BY t"
        )
    };
    assert_eq!(rows(&context(), &numbers("")).await.join(" "), "1 2 2 3 4 4");
    let days = numbers(", day_boundary_tz => 'Europe/Berlin'");
    assert_eq!(rows(&context(), &days).await.join(" "), "1 2 2 3 4 4");
}

#[tokio::test]
async fn a_day_ends_at_local_midnight_also_when_clocks_are_moved() {
    let days = async |zone: &str, first: &str, second: &str| {
        let sql = format!(
            "SELECT max(n) FROM (SELECT sessionize(t, '2 days', day_boundary_tz => '{zone}') OVER () AS n \
             FROM (VALUES (timestamp '{first}'), (timestamp '{second}')) AS e(t)) AS x"
        );
        rows(&context(), &sql).await[0].clone()
    };
    // Berlin, 2026-03-29, 23 hours long: from 23:00 to 22:00 UTC.
    assert_eq!(days("Europe/Berlin", "2026-03-28 23:00:00", "2026-03-29 21:59:59.999999").await, "1");
    assert_eq!(days("Europe/Berlin", "2026-03-28 22:59:59.999999", "2026-03-28 23:00:00").await, "2");
    assert_eq!(days("Europe/Berlin", "2026-03-29 21:59:59.999999", "2026-03-29 22:00:00").await, "2");
    // Berlin, 2026-10-25, 25 hours long: from 22:00 to 23:00 UTC.
    assert_eq!(days("Europe/Berlin", "2026-10-24 22:00:00", "2026-10-25 22:59:59.999999").await, "1");
    assert_eq!(days("Europe/Berlin", "2026-10-24 21:59:59.999999", "2026-10-24 22:00:00").await, "2");
    assert_eq!(days("Europe/Berlin", "2026-10-25 22:59:59.999999", "2026-10-25 23:00:00").await, "2");
    assert_eq!(days("+08:00", "2026-03-01 15:59:59", "2026-03-01 16:00:00").await, "2");
    assert_eq!(days("UTC", "2026-03-01 15:59:59", "2026-03-01 16:00:00").await, "1");
}

#[tokio::test]
async fn values_of_any_type_and_encoding_change() {
    for (values, told) in [
        ("('x', 'x', 'y')", "1 1 2"),
        ("(1.5, 1.50, 2)", "1 1 2"),
        ("(true, true, false)", "1 1 2"),
        ("(ARRAY[1, 2], ARRAY[1, 2], ARRAY[1, 3])", "1 1 2"),
        ("(named_struct('a', 1), named_struct('a', 1), named_struct('a', 2))", "1 1 2"),
        ("(date '2026-03-01', date '2026-03-01', date '2026-03-02')", "1 1 2"),
        (
            "(arrow_cast('x', 'Dictionary(Int8, Utf8)'), arrow_cast('x', 'Dictionary(Int8, Utf8)'), arrow_cast('y', 'Dictionary(Int8, Utf8)'))",
            "1 1 2",
        ),
    ] {
        let sql = format!(
            "SELECT sessionize(to_timestamp(n), '1 hour', change_of => v) OVER (ORDER BY n) FROM \
             (SELECT n, CASE n WHEN 1 THEN a WHEN 2 THEN b ELSE c END AS v \
             FROM (VALUES {values}) AS v(a, b, c), generate_series(1, 3) AS g(n)) AS e ORDER BY n"
        );
        assert_eq!(rows(&context(), &sql).await.join(" "), told, "{values}");
    }
}

#[tokio::test]
async fn the_counters_of_snowflake_count_rows_and_changes() {
    let events = "(VALUES (1, 1, 'a'), (1, 2, NULL), (1, 3, 'a'), (1, 4, 'b'), (1, 5, 'a'), (2, 1, 'b')) AS e(u, n, v)";
    let sql = format!(
        "SELECT u, n, conditional_true_event(v = 'a') OVER w, conditional_change_event(v) OVER w \
         FROM {events} WINDOW w AS (PARTITION BY u ORDER BY n) ORDER BY u, n"
    );
    assert_eq!(
        rows(&context(), &sql).await,
        ["1 | 1 | 1 | 0", "1 | 2 | 1 | 0", "1 | 3 | 2 | 0", "1 | 4 | 2 | 1", "1 | 5 | 3 | 2", "2 | 1 | 0 | 0"]
    );
    let sql =
        format!("SELECT n, conditional_change_event(v) OVER (ORDER BY n DESC) FROM {events} WHERE u = 1 ORDER BY n");
    assert_eq!(rows(&context(), &sql).await, ["1 | 2", "2 | 2", "3 | 2", "4 | 1", "5 | 0"]);
}

#[tokio::test]
async fn rows_that_order_by_leaves_equal_are_ties() {
    let count = async |call: &str, rows_in: &str| {
        let sql = format!("SELECT {call} OVER (ORDER BY n) FROM (VALUES {rows_in}) AS e(n, v, k) ORDER BY n, v, k");
        rows(&context(), &sql).await.join(" ")
    };
    for shuffled in
        ["(1, 'a', 1), (1, 'b', 2), (1, 'b', 3), (2, 'a', 4)", "(2, 'a', 4), (1, 'b', 3), (1, 'a', 1), (1, 'b', 2)"]
    {
        // False before true, and both true rows get the count after both.
        assert_eq!(count("conditional_true_event(v = 'b')", shuffled).await, "0 2 2 2");
        assert_eq!(count("conditional_true_event(v = 'b', tie => k)", shuffled).await, "0 1 2 2");
        assert_eq!(count("conditional_true_event(v = 'a', tie => k)", shuffled).await, "1 1 1 2");
        assert_eq!(count("conditional_true_event(v = 'a')", shuffled).await, "1 0 0 2");
        // Smaller first, whatever came first.
        assert_eq!(count("conditional_change_event(v)", shuffled).await, "0 1 1 2");
        assert_eq!(count("conditional_change_event(v, tie => -k)", shuffled).await, "1 0 0 1");
    }
}

#[tokio::test]
async fn a_shop_has_the_sessions_that_pandas_and_the_shop_itself_found() {
    const EXPECTED: &str = include_str!("../../../testdata/ecom_clickstream/expected_sessions.csv");
    let context = context();
    let events = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/ecom_clickstream/events.parquet");
    context.register_parquet("events", events, ParquetReadOptions::default()).await.unwrap();
    let sql = "SELECT 1800, count(*), count(*) FILTER (WHERE n = 1), max(n), sum(seconds)::bigint, median(seconds) \
               FROM (SELECT s.event_count AS n, extract(epoch FROM s.ended_at) - extract(epoch FROM s.started_at) AS seconds \
               FROM (SELECT unnest(sessions(event_time, 1800)) AS s FROM events GROUP BY user_id) AS visits) AS lengths";
    let expected = EXPECTED.lines().nth(1).unwrap().replace(',', " | ");
    assert_eq!(rows(&context, sql).await, [expected]);
    // The events came with the session that the shop had put them in: the numbers cut them alike.
    let sql = "SELECT count(DISTINCT session_id), count(DISTINCT number), count(DISTINCT session_id::text || number) \
               FROM (SELECT session_id, user_id::text || ':' || n::text AS number FROM (SELECT session_id, user_id, \
               SESSIONIZE(event_time, '30 minutes') OVER (PARTITION BY user_id ORDER BY event_time) AS n \
               FROM events) AS numbered) AS pairs";
    assert_eq!(rows(&context, sql).await, ["3605 | 3605 | 3605"]);
}

#[tokio::test]
async fn a_user_is_not_taken_for_unique_above_the_sessions() {
    let visits = format!("(SELECT 1 AS u, t FROM {}) AS e", events("10:00, 11:00, 12:00"));
    let visits = format!("(SELECT u, unnest(sessions(t, '30 minutes')) AS s FROM {visits} GROUP BY u) AS visits");
    let distinct = format!("SELECT DISTINCT u FROM {visits}");
    assert_eq!(rows(&context(), &distinct).await, ["1"]);
    let groups = format!(
        "SELECT count(*) FROM (SELECT u, n FROM (SELECT u, s.session_no AS n FROM {visits}) AS x GROUP BY u, n) AS y"
    );
    assert_eq!(rows(&context(), &groups).await, ["3"]);
    let people = format!("SELECT count(DISTINCT u), count(*) FROM {visits}");
    assert_eq!(rows(&context(), &people).await, ["1 | 3"]);
}

#[tokio::test]
async fn parameters_have_the_types_of_their_places_and_are_judged_when_bound() {
    let context = context();
    register(&context, &[(1, Some(0), Some("a")), (1, Some(5_000_000), Some("b")), (1, Some(5_000_001), Some("c"))], 1);
    for call in [
        "SELECT max(n) FROM (SELECT SESSIONIZE(event_time, $1, max_events => $2, new_when => event = $3, end_when => $4, \
         day_boundary_tz => $5) OVER (PARTITION BY user_id ORDER BY event_time) AS n FROM events) AS e",
        "SELECT cardinality(sessions(event_time, $1, max_events => $2, new_when => event = $3, end_when => $4, \
         day_boundary_tz => $5)) FROM events",
    ] {
        let frame = tributary_udfs::sql(&context, call).await.unwrap();
        let types = frame.logical_plan().get_parameter_types().unwrap();
        assert_eq!(types["$1"], Some(DataType::Interval(IntervalUnit::MonthDayNano)));
        assert_eq!(types["$2"], Some(DataType::Int64));
        assert_eq!(types["$3"], Some(DataType::Utf8View));
        assert_eq!(types["$4"], Some(DataType::Boolean));
        assert_eq!(types["$5"], Some(DataType::Utf8));
        let answer = async |gap_seconds: i64, new: &str, zone: &str| {
            let frame = tributary_udfs::sql(&context, call).await?.with_param_values(vec![
                ScalarValue::new_interval_mdn(0, 0, gap_seconds * 1_000_000_000),
                ScalarValue::from(9_i64),
                ScalarValue::from(new),
                ScalarValue::from(false),
                ScalarValue::from(zone),
            ])?;
            Ok::<_, datafusion::error::DataFusionError>(
                frame.collect().await?.iter().flat_map(lines).collect::<Vec<_>>(),
            )
        };
        assert_eq!(answer(5, "z", "UTC").await.unwrap(), ["1"], "{call}");
        assert_eq!(answer(4, "z", "UTC").await.unwrap(), ["2"], "{call}");
        assert_eq!(answer(4, "c", "UTC").await.unwrap(), ["3"], "{call}");
        for (gap_seconds, zone) in [(0, "UTC"), (5, "Mars/Base")] {
            let error = answer(gap_seconds, "z", zone).await.unwrap_err();
            assert_eq!(UserError::find(&error).map(|error| error.sqlstate), Some("22023"), "{error}");
        }
    }
}

#[tokio::test]
async fn positional_calls_work_where_only_the_functions_are_registered() {
    let context = SessionContext::new();
    for function in tributary_udfs::aggregates() {
        context.register_udaf(function.as_ref().clone());
    }
    for function in tributary_udfs::windows() {
        context.register_udwf(function.as_ref().clone());
    }
    let sql = "SELECT n, sessionize(to_timestamp(n), 10) OVER (ORDER BY n) AS a, \
               sessionize(to_timestamp(n), INTERVAL '1 hour', named_struct('max_events', 2, 'new_when', n = 2)) OVER (ORDER BY n) AS b, \
               conditional_true_event(n > 1) OVER (ORDER BY n) AS c, conditional_change_event(n % 2) OVER (ORDER BY n) AS d \
               FROM (VALUES (1), (2), (30)) AS e(n) ORDER BY n";
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    assert_eq!(
        batches.iter().flat_map(lines).collect::<Vec<_>>(),
        ["1 | 1 | 1 | 0 | 0", "2 | 1 | 2 | 1 | 1", "30 | 2 | 2 | 2 | 1"]
    );
    let sql = "SELECT cardinality(sessions(to_timestamp(n), 10, named_struct('change_of', n < 2))) FROM (VALUES (1), (2), (30)) AS e(n)";
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    assert_eq!(batches.iter().flat_map(lines).collect::<Vec<_>>(), ["3"]);
}

#[tokio::test]
async fn calls_are_labelled_by_their_function_and_explained_as_written() {
    let context = context();
    register(&context, &[(1, Some(0), Some("a"))], 1);
    let sql = "SELECT user_id, SESSIONIZE(event_time, '1 hour') OVER (PARTITION BY user_id), \
               sessions(event_time, '1 hour', new_when => event = 'a', max_events => 5) \
               FROM events GROUP BY user_id, event_time";
    let frame = tributary_udfs::sql(&context, sql).await.unwrap();
    let names: Vec<_> = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["user_id", "sessionize", "sessions"]);
    let explain = format!(
        "EXPLAIN SELECT {} FROM events GROUP BY user_id",
        "sessions(event_time, '1 hour', new_when => event = 'a', max_events => 5)"
    );
    let explained = rows(&context, &explain).await.join("\n");
    let written = "sessions(events.event_time, '1 hour', max_events => 5, new_when => events.event = 'a')";
    assert!(explained.contains(written), "{explained}");
    assert!(!explained.contains("named_struct"), "{explained}");
}

#[tokio::test]
async fn one_stage_reads_key_and_time_and_counts_its_work() {
    let context = Shape { journeys: false, ..Shape::default() }.context();
    register(&context, &[(1, Some(0), Some("a")), (2, Some(5), Some("b")), (2, Some(3), None), (2, None, None)], 2);
    let sql = "SELECT user_id, cardinality(sessions(event_time, '1 hour')) FROM events GROUP BY user_id";
    let explained = plan(&context, sql).await;
    assert!(explained.contains("mode=SinglePartitioned") && !explained.contains("mode=Partial"), "{explained}");
    let analyzed = rows(&context, &format!("EXPLAIN ANALYZE {sql}")).await.join("\n");
    for count in ["events_read=4", "events_kept=3", "users=2", "log_bytes="] {
        assert!(analyzed.contains(count), "{count} in {analyzed}");
    }
}
