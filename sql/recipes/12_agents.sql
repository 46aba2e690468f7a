-- 谁是真的好销售？ / Which agents are good, given the leads they got?
WITH talks AS (
    SELECT agent_id, lead_channel, call_seconds, CAST(call_outcome = 'sold' AS int) AS sold
    FROM calls
    WHERE call_status = 'answered'
),
expected AS (
    SELECT lead_channel, avg(sold) AS rate
    FROM talks
    GROUP BY lead_channel
)
SELECT agent_id, count(*) AS calls,
       round(avg(sold), 3) AS sold_rate,
       round(avg(rate), 3) AS expected_rate,
       round(sum(sold) / sum(rate), 3) AS sold_index,
       round(avg(call_seconds), 0) AS mean_seconds
FROM talks JOIN expected USING (lead_channel)
GROUP BY agent_id
ORDER BY sold_index DESC, agent_id;
