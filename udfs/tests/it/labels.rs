//! Names of columns, in results and below other queries.

use crate::support::{context, register, rows};

async fn names(sql: &str) -> Vec<String> {
    let context = context();
    register(&context, &[(1, Some(0), Some("a"))], 1);
    let frame = tributary_udfs::sql(&context, sql).await.unwrap();
    let batches = frame.collect().await.unwrap();
    batches[0].schema().fields().iter().map(|field| field.name().clone()).collect()
}

#[tokio::test]
async fn an_unaliased_call_is_labelled_by_its_function() {
    let sql = "SELECT user_id, FUNNEL(event_time, '1 day', event = 'a') FROM events GROUP BY user_id";
    assert_eq!(names(sql).await, ["user_id", "funnel"]);
    let sql = "SELECT FUNNEL(event_time, event = 'a', within => '1 day') AS level FROM events";
    assert_eq!(names(sql).await, ["level"]);
}

#[tokio::test]
async fn an_outer_query_finds_the_label() {
    let context = context();
    register(&context, &[(1, Some(0), Some("a")), (2, Some(0), Some("b"))], 2);
    let sql = "SELECT funnel, count(*) FROM (SELECT FUNNEL(event_time, '1 day', event = 'a') FROM events \
               GROUP BY user_id) AS users GROUP BY funnel ORDER BY funnel";
    assert_eq!(rows(&context, sql).await, ["0 | 1", "1 | 1"]);
}

#[tokio::test]
async fn the_same_call_may_stand_in_having_and_order_by() {
    let context = context();
    register(&context, &[(1, Some(0), Some("a")), (2, Some(0), Some("b")), (3, Some(0), Some("a"))], 2);
    let call = "FUNNEL(event_time, event = 'a', within => '1 day')";
    let sql =
        format!("SELECT user_id, {call} FROM events GROUP BY user_id HAVING {call} > 0 ORDER BY {call}, user_id DESC");
    assert_eq!(rows(&context, &sql).await, ["3 | 1", "1 | 1"]);
}

#[tokio::test]
async fn calls_that_differ_in_a_constant_are_different_calls() {
    let context = context();
    register(&context, &[(1, Some(0), Some("a")), (1, Some(5_000_000), Some("b"))], 2);
    let sql = "SELECT FUNNEL(event_time, 1, event = 'a', event = 'b') AS s1, FUNNEL(event_time, 5, event = 'a', event = 'b') AS s5, \
               FUNNEL(event_time, 5, event = 'b', event = 'a') AS back, \
               FUNNEL(event_time, 5, event = 'a', event = 'b', mode => 'strict_order') AS strict FROM events";
    assert_eq!(rows(&context, sql).await, ["1 | 2 | 1 | 2"]);
}

#[tokio::test]
async fn a_view_keeps_its_calls() {
    let context = context();
    register(&context, &[(1, Some(0), Some("a"))], 1);
    rows(
        &context,
        "CREATE VIEW levels AS SELECT user_id, FUNNEL(event_time, event = 'a', within => '1 day', mode => 'strict_order') \
         FROM events GROUP BY user_id",
    )
    .await;
    assert_eq!(rows(&context, "SELECT * FROM levels").await, ["1 | 1"]);
}

#[tokio::test]
async fn explain_reads_as_the_call_was_written() {
    let context = context();
    register(&context, &[(1, Some(0), Some("a"))], 1);
    let sql = "EXPLAIN SELECT FUNNEL(event_time, event = 'a', event = 'b', mode => 'strict_order', within => '1 day') \
               FROM events GROUP BY user_id";
    let plan = rows(&context, sql).await.join("\n");
    let written = "funnel(events.event_time, '1 day', events.event = 'a', events.event = 'b', mode => 'strict_order')";
    assert_eq!(plan.matches(written).count(), 4, "{plan}");
    assert!(!plan.contains("named_struct") && !plan.contains("Utf8"), "{plan}");
}
