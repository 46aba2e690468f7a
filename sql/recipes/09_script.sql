-- 客户在哪句话挂断？ / Which script loses people at the price?
WITH talks AS (
    SELECT script_id, call_id,
           FUNNEL(event_time, INTERVAL '1 hour',
                  call_stage = 'greeting', call_stage = 'need', call_stage = 'price', call_stage = 'close',
                  event = 'call_outcome' AND call_outcome = 'sold') AS stages
    FROM events
    WHERE script_id IS NOT NULL
    GROUP BY script_id, call_id
),
steps (step, step_name) AS (
    VALUES (1, '开场'), (2, '需求'), (3, '报价'), (4, '促成'), (5, '成交')
),
reached AS (
    SELECT script_id, step, step_name, count(*) FILTER (WHERE stages >= step) AS calls
    FROM talks CROSS JOIN steps
    GROUP BY script_id, step, step_name
)
SELECT script_id, step, step_name, calls,
       round(calls * 1.0 / lag(calls) OVER (PARTITION BY script_id ORDER BY step), 4) AS step_rate
FROM reached
ORDER BY script_id, step;
