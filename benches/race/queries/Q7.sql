-- How many events, and how many people behind them, are of valuable customers with an interest in cars who are not
-- about to leave? (Tags, row by row.)
SELECT count(*) AS events, count(DISTINCT user_id) AS people
FROM events
WHERE TAG_MATCH(tags, 'vip AND (auto OR ev) AND NOT churn_risk')
