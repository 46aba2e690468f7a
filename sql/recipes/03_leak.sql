-- 五月为什么付款变少了？ / Since when, and on which platform, does payment fail?
WITH checkouts AS (
    SELECT user_id,
           min(platform) FILTER (WHERE event = 'checkout') AS platform,
           min(event_time) FILTER (WHERE event = 'checkout') AS checkout_time,
           FUNNEL(event_time, INTERVAL '7 days', event = 'checkout', event = 'purchase') AS steps
    FROM events
    GROUP BY user_id
),
weeks AS (
    SELECT CAST(date_trunc('week', checkout_time AT TIME ZONE 'Asia/Shanghai') AS date) AS week,
           count(*) FILTER (WHERE platform = 'android') AS android_checkouts,
           count(*) FILTER (WHERE platform = 'android' AND steps = 2) AS android_paid,
           count(*) FILTER (WHERE platform <> 'android') AS other_checkouts,
           count(*) FILTER (WHERE platform <> 'android' AND steps = 2) AS other_paid
    FROM checkouts
    WHERE steps >= 1
    GROUP BY 1
)
SELECT week,
       android_checkouts, android_paid, round(android_paid * 1.0 / android_checkouts, 2) AS android_rate,
       other_checkouts, other_paid, round(other_paid * 1.0 / other_checkouts, 2) AS other_rate
FROM weeks
ORDER BY week;
