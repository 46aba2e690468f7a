//! Sessions and attribution of the shop events, as pandas computed them.

use super::{assert_same, figures, rows, serve};
use crate::fixtures::csv;

#[tokio::test]
async fn both_ways_to_ask_for_sessions_give_the_shops_figures() {
    let (_server, client) = serve("ecom_clickstream").await;
    // A row's session is asked of the window function, a user's visits of the aggregate.
    let by_row = "SELECT min(event_time) AS started_at, max(event_time) AS ended_at, count(*) AS event_count \
                  FROM (SELECT user_id, event_time, SESSIONIZE(event_time, '30 minutes') OVER (PARTITION BY user_id) AS session_no \
                        FROM events) AS numbered \
                  GROUP BY user_id, session_no";
    let by_user = "SELECT s.started_at AS started_at, s.ended_at AS ended_at, s.event_count AS event_count \
                   FROM (SELECT unnest(sessions(event_time, '30 minutes')) AS s FROM events GROUP BY user_id) AS visits";
    let expected = figures(csv("ecom_clickstream/expected_sessions.csv"), 1);
    assert_eq!(expected[&vec!["1800".to_owned()]], [3605.0, 231.0, 26.0, 3_747_594.0, 869.0]);
    for visits in [by_row, by_user] {
        let sql = format!(
            "SELECT 1800, count(*), count(*) FILTER (WHERE event_count = 1), max(event_count), sum(seconds), median(seconds) \
             FROM (SELECT event_count, extract(epoch FROM ended_at - started_at) AS seconds FROM ({visits}) AS visits) AS lengths"
        );
        assert_same(&figures(rows(&client, &sql).await, 1), &expected, 0.0);
    }
}

#[tokio::test]
async fn our_sessions_are_the_ones_that_the_shop_shipped() {
    let (_server, client) = serve("ecom_clickstream").await;
    let pairs = rows(
        &client,
        "SELECT count(DISTINCT session_id), count(DISTINCT ours), count(DISTINCT session_id || ours) \
         FROM (SELECT session_id, user_id || '-' || SESSIONIZE(event_time, '30 minutes') OVER (PARTITION BY user_id) AS ours \
               FROM events) AS numbered",
    )
    .await;
    // As many pairs as sessions on either side: one to one.
    assert_eq!(pairs, [["3605", "3605", "3605"]]);
}

/// Where the touches of the shop are: the first event of each session, labelled by its name.
///
/// 163 rows share user and second with another row, so the input's order says which event came first.
const NUMBERED: &str = "WITH numbered AS (\
    SELECT *, sessionize_info(event_time, '30 minutes', tie => event_index) OVER (PARTITION BY user_id) AS s FROM events)";

#[tokio::test]
async fn attribution_credits_the_entry_pages_that_pandas_credits() {
    let (_server, client) = serve("ecom_clickstream").await;
    let file = csv("ecom_clickstream/expected_attribution_30d.csv");
    // Model, entry page, conversions; the second column is the lookback in days.
    assert!(file.iter().all(|row| row[1] == "30"));
    let expected =
        figures(file.into_iter().map(|row| [0, 2, 3].map(|column| row[column].clone()).to_vec()).collect(), 2);
    for model in ["first", "last", "linear"] {
        let credited: f64 = expected.iter().filter(|(name, _)| name[0] == model).map(|(_, numbers)| numbers[0]).sum();
        // The file rounds credits to eight decimals.
        assert!((credited - 470.0).abs() < 1e-6, "{model} credits {credited} of the 470 purchases");
    }
    let arguments = "touch => s.event_no = 1, lookback => '30 days', tie => event_index";
    let totals = format!(
        "{NUMBERED} SELECT a.model, coalesce(a.channel, '(unattributed)'), sum(a.credit) \
         FROM (SELECT unnest(ATTRIBUTE_TOTALS('first, last, linear', event_time, event, event = 'purchase', {arguments})) AS a \
               FROM numbered GROUP BY user_id) AS totals \
         GROUP BY 1, 2"
    );
    let touches = format!(
        "{NUMBERED} SELECT model, channel, sum(credit) \
         FROM attribution_touches(numbered, event, conversion => event = 'purchase', models => 'first, last, linear', {arguments}) \
         GROUP BY 1, 2"
    );
    for sql in [totals, touches] {
        assert_same(&figures(rows(&client, &sql).await, 2), &expected, 1e-8);
    }
}
