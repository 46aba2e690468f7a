-- How many visits were there, of how many events and seconds on average, and how many events has the longest?
-- Asked through the window function, which numbers every event: for those who want the events too.
SELECT
    count(*) AS sessions,
    avg(events) AS mean_events,
    avg(extract(epoch FROM ended_at) - extract(epoch FROM started_at)) AS mean_seconds,
    max(events) AS longest
FROM (
    SELECT count(*) AS events, min(event_time) AS started_at, max(event_time) AS ended_at
    FROM (
        SELECT
            user_id,
            event_time,
            SESSIONIZE(event_time, INTERVAL '30 minutes') OVER (PARTITION BY user_id ORDER BY event_time) AS session_no
        FROM events
    ) AS numbered
    GROUP BY user_id, session_no
) AS visits
