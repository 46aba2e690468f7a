//! The shape of plans: what goes through the exchange.

use super::{Event, register};
use crate::support::{Shape, operators, plan, rows};

const TOTALS: &str = "SELECT unnest(ATTRIBUTE_TOTALS('first, linear', event_time, channel, event = 'order', revenue, \
                      lookback => '30 days')) AS t FROM events GROUP BY user_id";

fn event(user: i64, second: i64, channel: Option<&'static str>, name: &'static str) -> Event {
    Event { user, second: Some(second), channel, name, cents: Some(100) }
}

fn events() -> Vec<Event> {
    vec![
        event(1, 1, Some("ad"), "visit"),
        event(1, 2, None, "visit"),
        event(1, 3, None, "order"),
        event(2, 1, None, "visit"),
        event(3, 1, Some("mail"), "visit"),
        event(4, 1, None, "order"),
    ]
}

#[tokio::test]
async fn totals_are_one_stage_over_the_rows_that_matter() {
    let context = Shape { journeys: false, ..Shape::default() }.context();
    register(&context, &events(), 2);
    let plan = plan(&context, TOTALS).await;
    let expected = [
        "ProjectionExec",
        "UnnestExec",
        "ProjectionExec",
        "AggregateExec",
        "RepartitionExec",
        "FilterExec",
        "ProjectionExec",
        "DataSourceExec",
    ];
    assert_eq!(operators(&plan), expected, "{plan}");
    assert!(plan.contains("AggregateExec: mode=SinglePartitioned, gby=[user_id@0 as user_id]"), "{plan}");
    assert!(
        plan.contains("attribute_totals('first, linear', events.event_time, events.channel, events.event = 'order', events.revenue, lookback => '30 days')"),
        "the call reads as it was written: {plan}"
    );
    let filter = plan.lines().find(|line| line.contains("FilterExec")).unwrap();
    assert!(filter.contains("!= 0 OR channel@3 IS NOT NULL"), "{filter}");
}

#[tokio::test]
async fn rows_go_early_only_where_nobody_sees_their_users() {
    let call = "ATTRIBUTE_TOTALS('last', event_time, channel, event = 'order')";
    let chosen = "ATTRIBUTE('last', event_time, channel, event = 'order', touch => event = 'click')";
    for (sql, drops, answer) in [
        (format!("SELECT unnest({call}) AS t, user_id FROM events GROUP BY user_id"), true, 2),
        (format!("SELECT unnest({chosen}) AS t FROM events GROUP BY user_id"), true, 2),
        (format!("SELECT unnest({call}) AS t, unnest({chosen}) AS u FROM events GROUP BY user_id"), true, 2),
        (format!("SELECT user_id, {call} AS t FROM events GROUP BY user_id"), false, 4),
        (format!("SELECT unnest({call}) AS t, count(*) AS n FROM events GROUP BY user_id"), false, 2),
        (format!("SELECT unnest({call}) AS t, unnest(array_agg(event)) AS e FROM events GROUP BY user_id"), false, 6),
        (format!("SELECT unnest({call} FILTER (WHERE user_id > 1)) AS t FROM events GROUP BY user_id"), false, 1),
    ] {
        let context = Shape::default().context();
        register(&context, &events(), 2);
        let plan = plan(&context, &sql).await;
        assert_eq!(plan.contains("!= 0"), drops, "{sql}: {plan}");
        let counted = format!("SELECT count(*) FROM ({sql}) AS answers");
        assert_eq!(rows(&context, &counted).await, [answer.to_string()], "{sql}");
        rows(&context, "SET tributary.drop_stepless = false").await;
        assert!(!crate::support::plan(&context, &sql).await.contains("!= 0"), "{sql}");
        assert_eq!(rows(&context, &counted).await, [answer.to_string()], "{sql}");
    }
}

#[tokio::test]
async fn users_are_added_up_together_only_where_nobody_asks_for_one() {
    let totals =
        "ATTRIBUTE_TOTALS('first, linear', event_time, channel, event = 'order', revenue, include_self => true)";
    let of_users = format!("(SELECT unnest({totals}) AS t FROM events GROUP BY user_id) AS u");
    let with_user = format!("(SELECT user_id, unnest({totals}) AS t FROM events GROUP BY user_id) AS u");
    let by_two = "GROUP BY t.model, t.channel ORDER BY 1, 2, 3";
    for (sql, pools) in [
        (format!("SELECT t.model, t.channel, sum(t.credit), sum(t.value) FROM {of_users} {by_two}"), true),
        (
            format!(
                "SELECT t.model, coalesce(t.channel, '-') AS c, sum(t.credit) FROM {of_users} GROUP BY 1, 2 ORDER BY 1, 2"
            ),
            true,
        ),
        (format!("SELECT sum(t.value), sum(t.credit) FILTER (WHERE t.model = 'linear') FROM {of_users}"), true),
        (
            format!("SELECT t.channel, sum(t.credit) FROM {of_users} WHERE t.model = 'first' GROUP BY 1 ORDER BY 1"),
            true,
        ),
        (format!("SELECT t.model, t.channel, sum(t.value) FROM {with_user} {by_two}"), true),
        (format!("SELECT t.model, t.channel, count(*) FROM {of_users} {by_two}"), false),
        (format!("SELECT t.model, t.channel, sum(t.credit), count(*) FROM {of_users} {by_two}"), false),
        (format!("SELECT t.model, t.channel, max(t.credit) FROM {of_users} {by_two}"), false),
        (format!("SELECT t.model, t.channel, sum(DISTINCT t.credit) FROM {of_users} {by_two}"), false),
        (format!("SELECT t.model, t.channel, sum(t.credit * t.credit) FROM {of_users} {by_two}"), false),
        (format!("SELECT t.model, t.credit, sum(t.value) FROM {of_users} GROUP BY 1, 2 ORDER BY 1, 2, 3"), false),
        (format!("SELECT sum(t.value) FILTER (WHERE t.credit >= 0.5) FROM {of_users}"), false),
        (format!("SELECT t.model, t.channel, sum(t.value) FROM {of_users} WHERE t.credit >= 0.5 {by_two}"), false),
        (format!("SELECT user_id, t.channel, sum(t.credit) FROM {with_user} GROUP BY 1, 2 ORDER BY 1, 2"), false),
        (format!("SELECT t.model, t.channel, t.credit FROM {of_users} ORDER BY 1, 2, 3"), false),
        (format!("SELECT t.model, t.channel, avg(t.credit) FROM {of_users} {by_two}"), false),
    ] {
        let context = Shape::default().context();
        let events: Vec<Event> = (0..40)
            .flat_map(|user| events().into_iter().map(move |e| Event { user: user + 40 * e.user, ..e }))
            .collect();
        register(&context, &events, 2);
        let shown = plan(&context, &sql).await;
        assert_eq!(shown.contains("aggr=[pooled attribute_totals("), pools, "{sql}: {shown}");
        let answer = rows(&context, &sql).await;
        rows(&context, "SET tributary.journeys = false").await;
        assert_eq!(answer, rows(&context, &sql).await, "{sql}");
        assert!(!answer.is_empty());
    }
}

#[tokio::test]
async fn the_relation_is_a_plain_plan() {
    let context = Shape::default().context();
    register(&context, &events(), 2);
    let sql = "SELECT channel, credit FROM attribution_touches((SELECT * FROM events WHERE user_id = 1), channel, \
               conversion => event = 'order', models => 'last')";
    let plan = plan(&context, sql).await;
    assert!(plan.contains("mode=SinglePartitioned") && plan.contains("UnnestExec"), "{plan}");
    let line = |wanted: &str| plan.lines().position(|line| line.contains(wanted));
    assert!(line("!= 0 OR channel") > line("AggregateExec"), "rows that matter to nobody go early: {plan}");
    assert!(line("user_id@0 = 1") > line("AggregateExec"), "users are chosen before they are aggregated: {plan}");
}

#[tokio::test]
async fn a_condition_on_the_user_above_the_relation_reaches_its_rows() {
    let context = Shape::default().context();
    register(&context, &events(), 2);
    let sql = "SELECT channel, credit FROM attribution_touches(events, channel, conversion => event = 'order', \
               models => 'last') WHERE user_id = 1";
    let plan = plan(&context, sql).await;
    let line = |wanted: &str| plan.lines().position(|line| line.contains(wanted));
    assert!(line("user_id@0 = 1") > line("AggregateExec"), "users are chosen before they are aggregated: {plan}");
    assert!(line("AggregateExec") > line("UnnestExec") && line("UnnestExec").is_some(), "{plan}");
    assert_eq!(rows(&context, sql).await, ["ad | 1.0"]);
}
