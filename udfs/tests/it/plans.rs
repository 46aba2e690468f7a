//! The shape of plans: what goes through the exchange.

use crate::support::{Shape, operators, plan, register, rows};

const QUERY: &str = "SELECT user_id, FUNNEL(event_time, '7 days', event = 'view', event IN ('cart', 'bag')) AS level FROM events GROUP BY user_id";

#[tokio::test]
async fn a_flat_lake_is_aggregated_once_over_key_time_and_mask() {
    let context = Shape { journeys: false, ..Shape::default() }.context();
    register(&context, &[(1, Some(0), Some("view")), (2, Some(0), Some("cart"))], 2);
    let plan = plan(&context, QUERY).await;
    assert_eq!(
        operators(&plan),
        ["ProjectionExec", "AggregateExec", "RepartitionExec", "ProjectionExec", "DataSourceExec"],
        "{plan}"
    );
    assert!(plan.contains("AggregateExec: mode=SinglePartitioned, gby=[user_id@0 as user_id]"), "{plan}");
    assert!(plan.contains("RepartitionExec: partitioning=Hash([user_id@0], 2)"), "{plan}");
    let below = plan.lines().find(|line| line.contains("step_mask(event")).unwrap_or_default();
    assert!(
        below.contains("ProjectionExec: expr=[user_id@0 as user_id, event_time@1 as event_time, step_mask("),
        "no text goes through the exchange: {plan}"
    );
}

#[tokio::test]
async fn the_rule_can_be_turned_off() {
    let context = Shape { one_stage: false, ..Shape::default() }.context();
    register(&context, &[(1, Some(0), Some("view"))], 2);
    let plan = plan(&context, QUERY).await;
    assert!(plan.contains("mode=FinalPartitioned") && plan.contains("mode=Partial"), "{plan}");
    let on = Shape::default().context();
    register(&on, &[(1, Some(0), Some("view"))], 2);
    assert_eq!(rows(&on, "SET tributary.one_stage = false").await.len(), 0);
    assert!(crate::support::plan(&on, QUERY).await.contains("mode=Partial"));
}

#[tokio::test]
async fn other_aggregations_are_left_alone() {
    let context = Shape::default().context();
    register(&context, &[(1, Some(0), Some("view"))], 2);
    let counted = plan(&context, "SELECT user_id, count(*) FROM events GROUP BY user_id").await;
    assert!(counted.contains("mode=Partial"), "{counted}");
    let whole = plan(&context, "SELECT FUNNEL(event_time, 1, event = 'view') FROM events").await;
    assert!(whole.contains("mode=Final") && whole.contains("mode=Partial"), "{whole}");
    let sets = plan(
        &context,
        "SELECT user_id, event, FUNNEL(event_time, 1, event = 'view') FROM events GROUP BY ROLLUP (user_id, event)",
    )
    .await;
    assert!(sets.contains("mode=Partial"), "{sets}");
}

#[tokio::test]
async fn rows_without_a_step_go_early_where_nobody_asks_for_their_users() {
    let events =
        [(1, Some(0), Some("view")), (1, Some(1), Some("x")), (2, Some(0), Some("cart")), (3, Some(0), Some("x"))];
    let over = |condition: &str, call: &str| {
        format!(
            "SELECT count(*), sum(level) FROM (SELECT user_id, {call} AS level FROM events GROUP BY user_id) AS users WHERE {condition}"
        )
    };
    let call = "FUNNEL(event_time, 5, event = 'view', event IN ('cart', 'bag'))";
    let strict = "FUNNEL(event_time, 5, event = 'view', event = 'cart', mode => 'strict_order')";
    let filtered = "FUNNEL(event_time, 5, event = 'view') FILTER (WHERE event_time IS NOT NULL)";
    for (condition, call, drops, answer) in [
        ("level > 0", call, true, "1 | 1"),
        ("level = 1 AND user_id < 3", call, true, "1 | 1"),
        ("nullif(level, 0) = 1", call, true, "1 | 1"),
        ("level >= 0", call, false, "3 | 1"),
        ("level > 0 OR user_id = 3", call, false, "2 | 1"),
        ("user_id > 0", call, false, "3 | 1"),
        ("level > 0", strict, false, "1 | 1"),
        ("level > 0", filtered, false, "1 | 1"),
    ] {
        let sql = over(condition, call);
        let context = Shape::default().context();
        register(&context, &events, 2);
        let plan = plan(&context, &sql).await;
        assert_eq!(plan.contains("!= 0"), drops, "{condition} {call}: {plan}");
        assert_eq!(rows(&context, &sql).await, [answer], "{condition} {call}");
        rows(&context, "SET tributary.drop_stepless = false").await;
        assert_eq!(rows(&context, &sql).await, [answer], "{condition} {call}");
    }
}

#[tokio::test]
async fn other_aggregates_beside_it_keep_every_row() {
    let context = Shape::default().context();
    register(&context, &[(1, Some(0), Some("view")), (1, Some(1), Some("x"))], 2);
    let sql = "SELECT user_id, FUNNEL(event_time, 5, event = 'view') AS level, count(*) FROM events GROUP BY user_id \
               HAVING FUNNEL(event_time, 5, event = 'view') > 0";
    assert_eq!(rows(&context, sql).await, ["1 | 1 | 2"]);
}

#[tokio::test]
async fn explain_analyze_says_what_the_logs_did() {
    let events = [
        (1, Some(5), Some("cart")),
        (1, Some(0), Some("view")),
        (1, Some(1), Some("x")),
        (2, Some(0), Some("cart")),
        (2, None, Some("view")),
        (3, Some(0), Some("x")),
    ];
    let sql = format!("EXPLAIN ANALYZE {QUERY}");
    for one_stage in [true, false] {
        let context = Shape { one_stage, ..Shape::default() }.context();
        register(&context, &events, 2);
        let shown = rows(&context, &sql).await.join("\n");
        for count in ["events_read=6", "events_kept=3", "log_bytes=", "spilled_bytes=0"] {
            assert!(shown.contains(count), "{count}: {shown}");
        }
        // Before an exchange a user counts once in each partition.
        assert!(!one_stage || shown.contains("users=3") && shown.contains("users_sorted=1"), "{shown}");
        assert!(!plan(&context, QUERY).await.contains("events_read"));
    }
}
