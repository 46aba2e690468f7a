-- 一次访问有多长？ / How long is a visit, and how many bounce, by platform?
WITH events_in_sessions AS (
    SELECT user_id, platform, event_time,
           SESSIONIZE(event_time, '30 minutes') OVER (PARTITION BY user_id ORDER BY event_time) AS session_no
    FROM events
    WHERE platform <> 'server'
),
visits AS (
    SELECT user_id, session_no, min(platform) AS platform, count(*) AS events,
           extract(epoch FROM max(event_time) - min(event_time)) AS seconds
    FROM events_in_sessions
    GROUP BY user_id, session_no
)
SELECT platform,
       count(*) AS sessions,
       round(avg(CASE WHEN events = 1 THEN 1.0 ELSE 0.0 END), 4) AS bounce_rate,
       round(avg(seconds), 1) AS mean_seconds
FROM visits
GROUP BY platform
ORDER BY sessions DESC;
