//! Sessions, paths and last touch of 98 web events, as Snowplow's package fractribution has them in its own tests.

use super::{assert_same, figures, rows, serve};
use crate::fixtures::csv;

/// The package's view of the events.
///
/// Its user ids carry one more `f`. Its channels have other names than ours: videos and paid search are spelled
/// differently, affiliates are `Unmatched_Channel`, and it knows no social sites, so that quora.com is a referral.
/// Page views are visits, one for each session; the one `checkout` is no visit.
const VISITS: &str = "visits AS (
    SELECT 'f' || domain_userid AS user_id, derived_tstamp AS event_time, event_name = 'page_view' AS is_visit, tr_total,
           mkt_campaign, mkt_source, mkt_medium,
           CASE channel_group(mkt_source, mkt_medium, mkt_campaign, NULL)
               WHEN 'Organic Search' THEN 'Organic_Search'
               WHEN 'Organic Video' THEN 'Video'
               WHEN 'Organic Social' THEN 'Referral'
               WHEN 'Paid Search' THEN 'Paid_Search_Other'
               WHEN 'Affiliates' THEN 'Unmatched_Channel'
               ELSE channel_group(mkt_source, mkt_medium, mkt_campaign, NULL)
           END AS channel
    FROM events
)";

/// The path to each conversion and, for people without one, to their last visit: 30 days back, in order.
///
/// A page view that carries an order is a visit of its own order (`include_self`).
/// The transformed path is the package's `exposure_path`: without immediate repeats.
const PATHS: &str = "ends AS (
    SELECT *, tr_total IS NOT NULL OR max(tr_total) OVER (PARTITION BY user_id) IS NULL
              AND lead(event_time) OVER (PARTITION BY user_id ORDER BY event_time) IS NULL AS is_end
    FROM visits
), touches AS (
    SELECT *, (lag(channel) OVER (PARTITION BY conversion_id ORDER BY touch_no) IS DISTINCT FROM channel) AS is_new
    FROM attribution_touches(ends, channel, conversion => is_end, value => tr_total, touch => is_visit,
                             include_self => true, models => 'last', lookback => '30 days')
), journeys AS (
    SELECT user_id, conversion_time, conversion_value AS revenue, conversion_value > 0 AS converts,
           string_agg(channel, ' > ' ORDER BY touch_no) AS path,
           string_agg(channel, ' > ' ORDER BY touch_no) FILTER (WHERE is_new) AS transformed_path
    FROM touches
    GROUP BY user_id, conversion_id, conversion_time, conversion_value
)";

/// Rows in an order that both sides can have.
fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.sort();
    rows
}

#[tokio::test]
async fn every_visit_has_the_packages_channel() {
    let (_server, client) = serve("snowplow_fractribution").await;
    let sql = format!("WITH {VISITS} SELECT user_id, event_time, channel FROM visits WHERE is_visit");
    let expected = csv("snowplow_fractribution/expected_sessions_by_customer_id.csv");
    let expected = sorted(expected.into_iter().map(|row| row[..3].to_vec()).collect());
    assert_eq!(expected.len(), 97);
    assert_eq!(sorted(rows(&client, &sql).await), expected);
}

#[tokio::test]
async fn campaigns_have_as_many_visits() {
    let (_server, client) = serve("snowplow_fractribution").await;
    let sql = format!(
        "WITH {VISITS} SELECT channel, mkt_campaign, mkt_source, mkt_medium, count(*) FROM visits WHERE is_visit GROUP BY 1, 2, 3, 4"
    );
    let expected = sorted(csv("snowplow_fractribution/expected_channel_counts.csv"));
    assert_eq!(expected.len(), 9);
    assert_eq!(sorted(rows(&client, &sql).await), expected);
}

#[tokio::test]
async fn the_last_touch_earns_the_packages_conversions_and_revenue() {
    let (_server, client) = serve("snowplow_fractribution").await;
    let sql = format!(
        "WITH {VISITS} SELECT a.channel, sum(a.credit), sum(a.value)
         FROM (SELECT unnest(ATTRIBUTE_TOTALS('last', event_time, channel, tr_total IS NOT NULL, tr_total, touch => is_visit,
                                              include_self => true, lookback => '30 days')) AS a
               FROM visits GROUP BY user_id) AS totals
         GROUP BY 1"
    );
    let file = csv("snowplow_fractribution/expected_channel_attribution_last_touch.csv");
    // Start and end of the window, channel, conversions, revenue, the model's name.
    let expected = figures(file.into_iter().map(|row| row[2..5].to_vec()).collect(), 1);
    assert_eq!(expected.len(), 6);
    assert_same(&figures(rows(&client, &sql).await, 1), &expected, 1e-9);
}

#[tokio::test]
async fn paths_to_conversion_are_the_packages() {
    let (_server, client) = serve("snowplow_fractribution").await;
    let sql = format!(
        "WITH {VISITS}, {PATHS} SELECT user_id, conversion_time, revenue, path, transformed_path FROM journeys WHERE converts"
    );
    let expected = sorted(csv("snowplow_fractribution/expected_paths_to_conversion.csv"));
    assert_eq!(expected.len(), 6);
    assert_eq!(sorted(rows(&client, &sql).await), expected);
}

#[tokio::test]
async fn paths_without_conversion_are_the_packages() {
    let (_server, client) = serve("snowplow_fractribution").await;
    let sql = format!("WITH {VISITS}, {PATHS} SELECT user_id, path, transformed_path FROM journeys WHERE NOT converts");
    let expected = sorted(csv("snowplow_fractribution/expected_paths_to_non_conversion.csv"));
    assert_eq!(expected.len(), 61);
    assert_eq!(sorted(rows(&client, &sql).await), expected);
}

#[tokio::test]
async fn the_summary_of_paths_is_the_packages() {
    let (_server, client) = serve("snowplow_fractribution").await;
    let sql = format!(
        "WITH {VISITS}, {PATHS}
         SELECT transformed_path, count(*) FILTER (WHERE converts), count(*) FILTER (WHERE NOT converts),
                sum(revenue) FILTER (WHERE converts)
         FROM journeys GROUP BY 1"
    );
    let expected = sorted(csv("snowplow_fractribution/expected_path_summary.csv"));
    assert_eq!(expected.len(), 9);
    assert_eq!(sorted(rows(&client, &sql).await), expected);
}
