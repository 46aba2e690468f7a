-- How many events and how much revenue by event, and how many people in all? (The plain scan.)
SELECT event, count(*) AS events, coalesce(sum(revenue), 0) AS revenue, 0 AS people
FROM events
GROUP BY event
UNION ALL
SELECT '', 0, 0, count(DISTINCT user_id)
FROM events
