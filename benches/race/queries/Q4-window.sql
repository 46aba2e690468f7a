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
)

SELECT
    channel,
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
WHERE channel IS NOT NULL
GROUP BY channel
UNION ALL
SELECT
    '(none)',
    count(*) FILTER (WHERE event = 'purchase') - sum(first_credit),
    count(*) FILTER (WHERE event = 'purchase') - sum(last_credit),
    count(*) FILTER (WHERE event = 'purchase') - sum(linear_credit),
    count(*) FILTER (WHERE event = 'purchase') - sum(position_credit),
    count(*) FILTER (WHERE event = 'purchase') - sum(decay_credit),
    sum(revenue) FILTER (WHERE event = 'purchase') - sum(first_revenue),
    sum(revenue) FILTER (WHERE event = 'purchase') - sum(last_revenue),
    sum(revenue) FILTER (WHERE event = 'purchase') - sum(linear_revenue),
    sum(revenue) FILTER (WHERE event = 'purchase') - sum(position_revenue),
    sum(revenue) FILTER (WHERE event = 'purchase') - sum(decay_revenue)
FROM earned
