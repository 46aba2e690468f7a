//! First, last and linear touch of 10,000 marketing paths, as ChannelAttribution published them.

use super::{Figures, assert_same, figures, rows, serve};
use crate::fixtures::csv;

/// Channel by channel, both in conversions and in value.
///
/// A path becomes a user: a touch a second in the path's order, then as many orders at one time as the path has
/// conversions, each worth the same part of the path's value. Rows of one path are put together, or their touches would
/// be doubled. Paths without conversions earn nobody anything in these models.
const JOURNEYS: &str = "WITH journeys AS (
    WITH summed AS (
        SELECT path, string_to_array(path, ' > ') AS channels,
               sum(total_conversions) AS order_count, sum(total_conversion_value) AS total_value
        FROM paths
        WHERE total_conversions > 0
        GROUP BY path
    )
    SELECT path, to_timestamp(step_no) AS event_time, channel, false AS is_order, 0.0 AS value
    FROM (SELECT path, unnest(generate_series(1, array_length(channels, 1))) AS step_no, unnest(channels) AS channel FROM summed) AS steps
    UNION ALL
    SELECT path, to_timestamp(1000), NULL, true, order_value
    FROM (SELECT path, unnest(generate_series(1, order_count)) AS order_no, total_value / order_count AS order_value FROM summed) AS orders
)";

/// The published table has a column for each model and figure; here it is brought into rows.
fn published() -> Figures {
    let mut long = vec![];
    for row in csv("channel_paths/channelattribution_heuristic_models.csv") {
        for (model, at) in [("first", 1), ("last", 3), ("linear", 5)] {
            long.push(vec![model.to_owned(), row[0].clone(), row[at].clone(), row[at + 1].clone()]);
        }
    }
    figures(long, 2)
}

#[tokio::test]
async fn paths_earn_their_channels_what_channelattribution_says() {
    let (_server, client) = serve("channel_paths").await;
    let expected = published();
    assert_eq!(expected.len(), 3 * 12);
    let sql = format!(
        "{JOURNEYS} SELECT a.model, a.channel, sum(a.credit), sum(a.value)
         FROM (SELECT unnest(ATTRIBUTE_TOTALS('first, last, linear', event_time, channel, is_order, value)) AS a
               FROM journeys GROUP BY path) AS totals
         GROUP BY 1, 2"
    );
    // Both sides round: they to nine decimals, we each credit to twelve.
    assert_same(&figures(rows(&client, &sql).await, 2), &expected, 1e-6);
}

#[tokio::test]
async fn the_journeys_hold_every_conversion_of_the_paths() {
    let (_server, client) = serve("channel_paths").await;
    let sql = format!("{JOURNEYS} SELECT 'all', count(*) FILTER (WHERE is_order), sum(value) FROM journeys");
    let expected = figures(vec![["all", "19785", "74802.971587"].map(str::to_owned).to_vec()], 1);
    assert_same(&figures(rows(&client, &sql).await, 1), &expected, 1e-6);
}
