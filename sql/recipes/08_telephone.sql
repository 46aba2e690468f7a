-- 哪个广告让电话响？ / Which channels make the phone ring, before the order?
SELECT channel, count(*) AS calls, round(count(*) * 1.0 / sum(count(*)) OVER (), 4) AS share
FROM attribution_touches(events, channel,
    conversion => event = 'call' AND call_direction = 'inbound' AND call_seconds >= 60,
    touch => is_touch AND event <> 'call', lookback => '30 days', models => 'last')
WHERE credit > 0
GROUP BY channel
ORDER BY calls DESC;
