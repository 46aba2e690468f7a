-- 首单小但值得养的渠道？ / Which first channel brings customers who come back?
WITH firsts AS (
    SELECT user_id, channel AS first_channel
    FROM attribution_touches(events, channel,
        conversion => event = 'purchase' AND order_index = 1, touch => is_touch,
        lookback => '30 days', models => 'first')
    WHERE credit > 0 AND NOT is_unattributed
)
SELECT first_channel,
       count(DISTINCT user_id) AS buyers,
       round(avg(revenue) FILTER (WHERE order_index = 1), 2) AS first_order,
       round(sum(revenue) / count(DISTINCT user_id), 2) AS value_per_buyer,
       round(count(DISTINCT user_id) FILTER (WHERE order_index = 2) * 1.0 / count(DISTINCT user_id), 4) AS repeat_rate
FROM events JOIN firsts USING (user_id)
WHERE event = 'purchase'
GROUP BY first_channel
ORDER BY value_per_buyer DESC;
