-- 少而精的线索来自哪里？ / Which sources bring few but precious leads?
WITH sources AS (
    SELECT lead_channel, count(*) AS leads,
           avg(CAST(sold AS int)) AS win_rate,
           sum(order_value) / count(*) AS value_per_lead
    FROM leads
    GROUP BY lead_channel
)
-- Low and high: Wilson's interval, 95 of 100 times around the true rate (z = 1.96).
SELECT lead_channel, leads, round(win_rate, 2) AS win_rate,
       round((win_rate + 1.9208 / leads - 1.96 * sqrt(win_rate * (1 - win_rate) / leads + 0.9604 / leads / leads))
             / (1 + 3.8416 / leads), 3) AS low,
       round((win_rate + 1.9208 / leads + 1.96 * sqrt(win_rate * (1 - win_rate) / leads + 0.9604 / leads / leads))
             / (1 + 3.8416 / leads), 3) AS high,
       round(value_per_lead, 2) AS value_per_lead
FROM sources
ORDER BY value_per_lead DESC, lead_channel;
