-- 打几次就该停？ / After how many attempts is a further call wasted?
SELECT call_attempt, count(*) AS dials,
       round(avg(CAST(call_status = 'answered' AS int)), 2) AS connect_rate,
       round(avg(CAST(call_outcome = 'opt_out' AS int)), 2) AS opt_out_rate
FROM events
WHERE event = 'call' AND call_direction = 'outbound' AND call_attempt IS NOT NULL
GROUP BY call_attempt
ORDER BY call_attempt;
