-- What did each channel earn of the purchases, under five models, from the visits of the 30 days before?
-- Asked through the list, which has every touch of every purchase.
SELECT
    coalesce(channel, '(none)') AS channel,
    sum(credit) FILTER (WHERE model = 'first') AS first_credit,
    sum(credit) FILTER (WHERE model = 'last') AS last_credit,
    sum(credit) FILTER (WHERE model = 'linear') AS linear_credit,
    sum(credit) FILTER (WHERE model = 'position(0.4, 0.4)') AS position_credit,
    sum(credit) FILTER (WHERE model = 'time_decay(7 days)') AS decay_credit,
    sum(revenue) FILTER (WHERE model = 'first') AS first_revenue,
    sum(revenue) FILTER (WHERE model = 'last') AS last_revenue,
    sum(revenue) FILTER (WHERE model = 'linear') AS linear_revenue,
    sum(revenue) FILTER (WHERE model = 'position(0.4, 0.4)') AS position_revenue,
    sum(revenue) FILTER (WHERE model = 'time_decay(7 days)') AS decay_revenue
FROM (
    SELECT
        earned.channel AS channel,
        earned.model AS model,
        sum(earned.credit) AS credit,
        sum(earned.value) AS revenue
    FROM (
        SELECT unnest(ATTRIBUTE(
            'first, last, linear, position(0.4, 0.4), time_decay(7 days)',
            event_time, channel, event = 'purchase', revenue,
            lookback => '30 days', include_self => true
        )) AS earned
        FROM events
        GROUP BY user_id
    ) AS users
    GROUP BY 1, 2
) AS channels
GROUP BY channel
