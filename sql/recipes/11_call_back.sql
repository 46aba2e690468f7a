-- 未接来电多久回拨？ / How many missed calls are called back within 15 minutes, and does it matter?
WITH callers AS (
    SELECT user_id,
           FUNNEL(event_time, '15 minutes',
                  event = 'call' AND call_status = 'missed',
                  event = 'call' AND call_direction = 'outbound') AS steps_in_15_minutes,
           FUNNEL(event_time, '14 days',
                  event = 'call' AND call_status = 'missed',
                  event = 'purchase') AS steps_in_14_days
    FROM events
    GROUP BY user_id
)
SELECT CASE steps_in_15_minutes WHEN 2 THEN 'called back' ELSE 'never called back' END AS answer,
       count(*) AS missed_calls,
       count(*) FILTER (WHERE steps_in_14_days = 2) AS buyers
FROM callers
WHERE steps_in_15_minutes > 0
GROUP BY 1
ORDER BY 1;
