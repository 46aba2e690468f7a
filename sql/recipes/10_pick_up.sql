-- 几点打电话最容易接通？ / When do people pick up?
WITH dials AS (
    SELECT extract(hour FROM event_time AT TIME ZONE 'Asia/Shanghai') AS hour,
           extract(dow FROM event_time AT TIME ZONE 'Asia/Shanghai') IN (0, 6) AS is_weekend,
           CAST(call_status = 'answered' AS int) AS answered
    FROM events
    WHERE event = 'call' AND call_direction = 'outbound' AND call_attempt = 1
)
SELECT hour, count(*) AS dials, sum(answered) AS answered,
       round(avg(answered), 2) AS connect_rate,
       round(avg(answered) FILTER (WHERE NOT is_weekend), 2) AS on_weekdays,
       round(avg(answered) FILTER (WHERE is_weekend), 2) AS on_weekends
FROM dials
GROUP BY hour
ORDER BY hour;
