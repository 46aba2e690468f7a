-- 公司客户的功劳怎么分？ / Who gets the credit for a won account: first touch, lead or opportunity?
WITH credits AS (
    SELECT unnest(ATTRIBUTE_TOTALS('first, last, milestones(0.3, 0.3, 0.3)', event_time, channel,
                                   conversion => event = 'won', value => revenue,
                                   touch => is_touch, lookback => '180 days',
                                   milestones => (event = 'lead_created', event = 'opportunity_created'))) AS credit
    FROM events
    WHERE account_id IS NOT NULL
    GROUP BY account_id
)
SELECT (credit).model AS model,
       coalesce((credit).channel, '(unattributed)') AS channel,
       round(sum((credit).credit), 3) AS conversions,
       round(sum((credit).value), 2) AS value
FROM credits
GROUP BY 1, 2
ORDER BY 1, 2;
