-- 抖音的钱花得值吗？ / Which channels deserve their budget, whichever way you count?
WITH credits AS (
    SELECT unnest(ATTRIBUTE_TOTALS('first, last, linear', event_time, channel,
                                   conversion => event = 'purchase' AND order_index = 1, value => revenue,
                                   touch => is_touch, lookback => '30 days')) AS credit
    FROM events
    GROUP BY user_id
),
earned AS (
    SELECT (credit).model AS model,
           coalesce((credit).channel, '(unattributed)') AS channel,
           sum((credit).credit) AS conversions,
           sum((credit).value) AS value
    FROM credits
    GROUP BY 1, 2
),
spent AS (
    SELECT channel, sum(cost) AS cost
    FROM ad_spend
    GROUP BY channel
),
judged AS (
    SELECT channel, model, conversions, value, cost,
           sum(conversions) OVER (PARTITION BY model) AS all_conversions
    FROM earned LEFT JOIN spent USING (channel)
)
SELECT channel, model,
       round(conversions, 3) AS conversions,
       round(value, 2) AS value,
       cost,
       round(value / nullif(cost, 0), 2) AS roas,
       round(all_conversions, 3) AS all_conversions
FROM judged
WHERE channel IN ('douyin', 'baidu', 'seo', 'call_in', 'call_out')
ORDER BY channel, model;
