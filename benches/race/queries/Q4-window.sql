-- What did each channel earn of the purchases, under five models, from the visits of the 30 days before?
-- Asked row by row. No row earned what was never attributed: it is what the purchases leave.
WITH earned AS (
    SELECT
        channel,
        event,
        revenue,
        ATTRIBUTE('first', event_time, channel, event = 'purchase', lookback => '30 days', include_self => true)
            OVER (PARTITION BY user_id ORDER BY event_time) AS first_credit,
        ATTRIBUTE('last', event_time, channel, event = 'purchase', lookback => '30 days', include_self => true)
            OVER (PARTITION BY user_id ORDER BY event_time) AS last_credit,
        ATTRIBUTE('linear', event_time, channel, event = 'purchase', lookback => '30 days', include_self => true)
            OVER (PARTITION BY user_id ORDER BY event_time) AS linear_credit,
        ATTRIBUTE('position(0.4, 0.4)', event_time, channel, event = 'purchase', lookback => '30 days', include_self => true)
            OVER (PARTITION BY user_id ORDER BY event_time) AS position_credit,
        ATTRIBUTE('time_decay(7 days)', event_time, channel, event = 'purchase', lookback => '30 days', include_self => true)
            OVER (PARTITION BY user_id ORDER BY event_time) AS decay_credit,
        ATTRIBUTE('first', event_time, channel, event = 'purchase', revenue, lookback => '30 days', include_self => true)
            OVER (PARTITION BY user_id ORDER BY event_time) AS first_revenue,
        ATTRIBUTE('last', event_time, channel, event = 'purchase', revenue, lookback => '30 days', include_self => true)
            OVER (PARTITION BY user_id ORDER BY event_time) AS last_revenue,
        ATTRIBUTE('linear', event_time, channel, event = 'purchase', revenue, lookback => '30 days', include_self => true)
            OVER (PARTITION BY user_id ORDER BY event_time) AS linear_revenue,
        ATTRIBUTE('position(0.4, 0.4)', event_time, channel, event = 'purchase', revenue, lookback => '30 days', include_self => true)
            OVER (PARTITION BY user_id ORDER BY event_time) AS position_revenue,
        ATTRIBUTE('time_decay(7 days)', event_time, channel, event = 'purchase', revenue, lookback => '30 days', include_self => true)
            OVER (PARTITION BY user_id ORDER BY event_time) AS decay_revenue
    FROM events
),

channels AS (
    SELECT
        channel,
        count(*) FILTER (WHERE event = 'purchase') AS purchases,
        sum(revenue) FILTER (WHERE event = 'purchase') AS worth,
        sum(first_credit) AS first_credit,
        sum(last_credit) AS last_credit,
        sum(linear_credit) AS linear_credit,
        sum(position_credit) AS position_credit,
        sum(decay_credit) AS decay_credit,
        sum(first_revenue) AS first_revenue,
        sum(last_revenue) AS last_revenue,
        sum(linear_revenue) AS linear_revenue,
        sum(position_revenue) AS position_revenue,
        sum(decay_revenue) AS decay_revenue
    FROM earned
    GROUP BY channel
)

SELECT *
FROM (
    SELECT
        coalesce(channel, '(none)') AS channel,
        CASE WHEN channel IS NULL THEN sum(purchases) OVER () - sum(first_credit) OVER () ELSE first_credit END AS first_credit,
        CASE WHEN channel IS NULL THEN sum(purchases) OVER () - sum(last_credit) OVER () ELSE last_credit END AS last_credit,
        CASE WHEN channel IS NULL THEN sum(purchases) OVER () - sum(linear_credit) OVER () ELSE linear_credit END AS linear_credit,
        CASE WHEN channel IS NULL THEN sum(purchases) OVER () - sum(position_credit) OVER () ELSE position_credit END AS position_credit,
        CASE WHEN channel IS NULL THEN sum(purchases) OVER () - sum(decay_credit) OVER () ELSE decay_credit END AS decay_credit,
        CASE WHEN channel IS NULL THEN sum(worth) OVER () - sum(first_revenue) OVER () ELSE first_revenue END AS first_revenue,
        CASE WHEN channel IS NULL THEN sum(worth) OVER () - sum(last_revenue) OVER () ELSE last_revenue END AS last_revenue,
        CASE WHEN channel IS NULL THEN sum(worth) OVER () - sum(linear_revenue) OVER () ELSE linear_revenue END AS linear_revenue,
        CASE WHEN channel IS NULL THEN sum(worth) OVER () - sum(position_revenue) OVER () ELSE position_revenue END AS position_revenue,
        CASE WHEN channel IS NULL THEN sum(worth) OVER () - sum(decay_revenue) OVER () ELSE decay_revenue END AS decay_revenue
    FROM channels
) AS reconciled
WHERE channel <> '(none)' OR first_credit > 0
