-- How many visits were there, of how many events and seconds on average, and how many events has the longest?
-- A visit ends with 30 minutes without an event.
SELECT
    count(*) AS sessions,
    avg(s.event_count) AS mean_events,
    avg(extract(epoch FROM s.ended_at) - extract(epoch FROM s.started_at)) AS mean_seconds,
    max(s.event_count) AS longest
FROM (
    SELECT unnest(SESSIONS(event_time, INTERVAL '30 minutes')) AS s
    FROM events
    GROUP BY user_id
) AS visits
