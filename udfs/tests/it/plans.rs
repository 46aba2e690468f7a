//! The shape of plans: what goes through the exchange.

use crate::support::{Shape, plan, register, rows};

const QUERY: &str = "SELECT user_id, FUNNEL(event_time, '7 days', event = 'view', event IN ('cart', 'bag')) AS level FROM events GROUP BY user_id";

fn operators(plan: &str) -> Vec<String> {
    plan.lines()
        .map(|line| line.trim().split([':', ' ']).next().unwrap_or_default().to_string())
        .filter(|operator| operator != "CoalesceBatchesExec" && operator != "CooperativeExec")
        .collect()
}

#[tokio::test]
async fn a_flat_lake_is_aggregated_once_over_key_time_and_mask() {
    let context = Shape::default().context();
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
