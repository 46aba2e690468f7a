//! Prepared statements: the types of parameters and columns, values in binary, rows in portions.

use chrono::{NaiveDate, NaiveDateTime};
use tokio_postgres::types::{ToSql, Type};

use super::failure;
use crate::server::Server;

fn at(text: &str) -> NaiveDateTime {
    text.parse().expect("a time like 2026-03-01T09:00:00")
}

#[tokio::test]
async fn parameters_of_a_funnel_are_described_with_the_types_of_their_places() {
    let server = Server::shared();
    let client = server.connect().await;
    let statement = client
        .prepare(
            "SELECT user_id, FUNNEL(event_time, $1, event = $2, event = $3, mode => $4) FROM events GROUP BY user_id",
        )
        .await
        .expect("the statement is right");
    assert_eq!(statement.params(), [Type::INTERVAL, Type::TEXT, Type::TEXT, Type::TEXT]);
    let columns: Vec<_> = statement.columns().iter().map(|c| (c.name(), c.type_().clone())).collect();
    assert_eq!(columns, [("user_id", Type::TEXT), ("funnel", Type::INT4)]);
}

#[tokio::test]
async fn a_window_named_within_is_an_interval_too() {
    let server = Server::shared();
    let client = server.connect().await;
    let statement = client
        .prepare("SELECT FUNNEL_TIMES(event_time, event = $2, event = 'x', report => $3, within => $1) FROM events")
        .await
        .expect("the statement is right");
    assert_eq!(statement.params(), [Type::INTERVAL, Type::TEXT, Type::TEXT]);
    let columns: Vec<_> = statement.columns().iter().map(|c| (c.name(), c.type_().clone())).collect();
    assert_eq!(columns, [("funnel_times", Type::TIMESTAMP_ARRAY)]);
}

#[tokio::test]
async fn every_option_is_described_with_the_type_of_its_place() {
    let server = Server::shared();
    let client = server.connect().await;
    let cases: [(&str, &[Type]); 8] = [
        ("TAG_MATCH(ARRAY['VIP'], $1, ci => $2)", &[Type::TEXT, Type::BOOL]),
        ("TAG_MATCH(ci => $1, ARRAY['VIP'], $2)", &[Type::BOOL, Type::TEXT]),
        (
            "FUNNEL(event_time, event = 'x', within => $1, mode => $2, compat => $3)",
            &[Type::INTERVAL, Type::TEXT, Type::TEXT],
        ),
        ("FUNNEL_DURATIONS(event_time, '1 day', event = 'x', report => $1)", &[Type::TEXT]),
        (
            "SESSIONS(event_time, $1, max_duration => $2, max_events => $3, day_boundary_tz => $4)",
            &[Type::INTERVAL, Type::INTERVAL, Type::INT8, Type::TEXT],
        ),
        (
            "SESSIONIZE(event_time, $1, new_when => $2, end_when => $3) OVER (ORDER BY event_time)",
            &[Type::INTERVAL, Type::BOOL, Type::BOOL],
        ),
        (
            "ATTRIBUTE_TOTALS($1, event_time, event, conversion => $2, lookback => $3, lookback_touches => $4)",
            &[Type::TEXT, Type::BOOL, Type::INTERVAL, Type::INT8],
        ),
        (
            "ATTRIBUTE($1, event_time, event, conversion => $2, consume => $3, include_self => $4)",
            &[Type::TEXT, Type::BOOL, Type::TEXT, Type::BOOL],
        ),
    ];
    for (call, types) in cases {
        let statement = client.prepare(&format!("SELECT {call} FROM events")).await.expect(call);
        assert_eq!(statement.params(), types, "{call}");
    }
    let sql = "SELECT TAG_MATCH(ARRAY['VIP'], $1, ci => $2)";
    for (ignores_case, matches) in [(true, true), (false, false)] {
        let row = client.query_one(sql, &[&"vip", &ignores_case]).await.expect("it runs");
        assert_eq!(row.get::<_, bool>(0), matches);
    }
}

#[tokio::test]
async fn how_many_days_may_be_a_parameter() {
    let server = Server::shared();
    let client = server.connect().await;
    let sql = "SELECT timestamp '2026-03-03 12:00:00' - $1 * interval '1 day'";
    let statement = client.prepare(sql).await.expect("the statement is right");
    assert_eq!(statement.params(), [Type::FLOAT8]);
    let row = client.query_one(&statement, &[&1.5_f64]).await.expect("it runs");
    assert_eq!(row.get::<_, NaiveDateTime>(0), at("2026-03-02T00:00:00"));
    let statement = client.prepare_typed(sql, &[Type::INT4]).await.expect("the statement is right");
    let row = client.query_one(&statement, &[&2_i32]).await.expect("it runs");
    assert_eq!(row.get::<_, NaiveDateTime>(0), at("2026-03-01T12:00:00"));
}

#[tokio::test]
async fn a_window_may_be_bound_as_text_and_as_seconds() {
    let server = Server::shared();
    let client = server.connect().await;
    let sql =
        "SELECT FUNNEL(event_time, $1, event = $2, event = 'purchase', mode => $3) FROM events WHERE user_id = $4";
    let cases: [(Type, &(dyn ToSql + Sync), i32); 4] = [
        (Type::TEXT, &"7 days", 1),
        (Type::TEXT, &"7 days 1 second", 2),
        (Type::INT8, &604_800_i64, 1),
        (Type::INT4, &604_801_i32, 2),
    ];
    for (window_type, window, level) in cases {
        let types = [window_type, Type::TEXT, Type::TEXT, Type::TEXT];
        let statement = client.prepare_typed(sql, &types).await.expect("the statement is right");
        let rows = client.query(&statement, &[window, &"page_view", &"strict_increase", &"Bo"]).await.expect("it runs");
        assert_eq!(rows[0].get::<_, i32>(0), level, "{window:?}");
    }
}

#[tokio::test]
async fn a_statement_with_parameters_runs_again_with_others() {
    let server = Server::shared();
    let client = server.connect().await;
    let statement = client
        .prepare("SELECT FUNNEL(event_time, '7 days', event = $1, event = $2) FROM events WHERE user_id = 'Dee'")
        .await
        .expect("the statement is right");
    for (first, second, level) in
        [("product_view", "page_view", 2), ("page_view", "product_view", 1), ("call", "call", 0)]
    {
        let row = client.query_one(&statement, &[&first, &second]).await.expect("it runs");
        assert_eq!(row.get::<_, i32>(0), level, "{first}, {second}");
    }
}

#[tokio::test]
async fn a_wrong_option_in_a_parameter_is_an_error_of_execute_and_the_connection_works_on() {
    let server = Server::shared();
    let client = server.connect().await;
    let sql = "SELECT FUNNEL(event_time, '7 days', event = 'a', mode => $1) FROM letters";
    let (state, message) = failure(client.query(sql, &[&"strict"]).await);
    assert_eq!(state, "22023");
    assert!(message.starts_with("funnel: argument 'mode' must be one of"), "{message}");
    let row = client.query_one(sql, &[&"strict_once"]).await.expect("the connection works on");
    assert_eq!(row.get::<_, i32>(0), 1);
}

#[tokio::test]
async fn parameters_of_every_scalar_type_come_back_as_they_went() {
    let server = Server::shared();
    let client = server.connect().await;
    let row = client
        .query_one(
            "SELECT $1::bool, $2::int2, $3::int4, $4::int8, $5::float4, $6::float8, $7::text, $8::bytea, $9::date, \
             $10::timestamp, $11::text[], $12::bigint[]",
            &[
                &true,
                &-2_i16,
                &3_i32,
                &-4_i64,
                &0.5_f32,
                &-0.25_f64,
                &"红茶",
                &vec![0_u8, 255],
                &NaiveDate::from_ymd_opt(2026, 3, 1),
                &at("2026-03-01T09:00:00.000001"),
                &vec![Some("a"), None],
                &vec![1_i64, 2],
            ],
        )
        .await
        .expect("all of these are sent in binary");
    assert!(row.get::<_, bool>(0));
    assert_eq!(row.get::<_, i16>(1), -2);
    assert_eq!(row.get::<_, i32>(2), 3);
    assert_eq!(row.get::<_, i64>(3), -4);
    assert_eq!(row.get::<_, f32>(4), 0.5);
    assert_eq!(row.get::<_, f64>(5), -0.25);
    assert_eq!(row.get::<_, &str>(6), "红茶");
    assert_eq!(row.get::<_, &[u8]>(7), [0, 255]);
    assert_eq!(row.get::<_, NaiveDate>(8).to_string(), "2026-03-01");
    assert_eq!(row.get::<_, NaiveDateTime>(9), at("2026-03-01T09:00:00.000001"));
    assert_eq!(row.get::<_, Vec<Option<&str>>>(10), [Some("a"), None]);
    assert_eq!(row.get::<_, Vec<i64>>(11), [1, 2]);
}

#[tokio::test]
async fn null_parameters_are_null() {
    let server = Server::shared();
    let client = server.connect().await;
    let row = client
        .query_one(
            "SELECT $1::int8 IS NULL, $2::text IS NULL, $3::timestamp IS NULL",
            &[&None::<i64>, &None::<&str>, &None::<NaiveDateTime>],
        )
        .await
        .expect("NULLs can be bound");
    assert!((0..3).all(|column| row.get::<_, bool>(column)));
}

#[tokio::test]
async fn limit_and_offset_take_parameters() {
    let server = Server::shared();
    let client = server.connect().await;
    let sql = "SELECT unnest(generate_series(1, 100)) AS n ORDER BY n LIMIT $1 OFFSET $2";
    let rows = client.query(sql, &[&3_i64, &10_i64]).await.expect("it runs");
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>(), [11, 12, 13]);
}

#[tokio::test]
async fn a_portal_gives_its_rows_in_portions() {
    let server = Server::shared();
    let mut client = server.connect().await;
    let block = client.transaction().await.expect("a block begins");
    let portal = block
        .bind("SELECT unnest(generate_series(1, 20000)) AS n ORDER BY n", &[])
        .await
        .expect("the statement can be bound");
    let mut seen = vec![];
    let mut portion_sizes = vec![];
    loop {
        let rows = block.query_portal(&portal, 7_000).await.expect("the portal goes on");
        if rows.is_empty() {
            break;
        }
        portion_sizes.push(rows.len());
        seen.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
    }
    assert_eq!(portion_sizes, [7_000, 7_000, 6_000]);
    assert_eq!(seen, (1..=20_000).collect::<Vec<i64>>());
    block.commit().await.expect("the block ends");
}

#[tokio::test]
async fn two_portals_of_one_block_take_turns() {
    let server = Server::shared();
    let mut client = server.connect().await;
    let block = client.transaction().await.expect("a block begins");
    let up = block.bind("SELECT unnest(generate_series(1, 9)) AS n ORDER BY n", &[]).await.expect("bound");
    let down = block.bind("SELECT unnest(generate_series(1, 9)) AS n ORDER BY n DESC", &[]).await.expect("bound");
    let mut seen = vec![];
    for _ in 0..3 {
        for portal in [&up, &down] {
            let rows = block.query_portal(portal, 2).await.expect("the portal goes on");
            seen.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
        }
    }
    assert_eq!(seen, [1, 2, 9, 8, 3, 4, 7, 6, 5, 6, 5, 4]);
}

#[tokio::test]
async fn the_label_of_an_unaliased_call_is_the_name_of_the_function() {
    let server = Server::shared();
    let client = server.connect().await;
    let sql = "SELECT FUNNEL(event_time, '1 day', event = 'a'), FUNNEL_TIMES(event_time, '1 day', event = 'a'), \
               FUNNEL_DURATIONS(event_time, event = 'a', within => '1 day'), FUNNEL(event_time, '1 day', event = 'b') AS b \
               FROM letters";
    let statement = client.prepare(sql).await.expect("the statement is right");
    let labels: Vec<&str> = statement.columns().iter().map(|column| column.name()).collect();
    assert_eq!(labels, ["funnel", "funnel_times", "funnel_durations", "b"]);
}
