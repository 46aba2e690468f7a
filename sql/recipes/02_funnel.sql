-- 顾客在哪一步走掉？ / Where do visitors leave the shop?
WITH journeys AS (
    SELECT user_id,
           FUNNEL(event_time, INTERVAL '7 days',
                  event = 'page_view', event = 'product_view', event = 'add_to_cart',
                  event = 'checkout', event = 'purchase') AS steps_in_7_days,
           FUNNEL(event_time, INTERVAL '1 day',
                  event = 'page_view', event = 'product_view', event = 'add_to_cart',
                  event = 'checkout', event = 'purchase') AS steps_in_1_day
    FROM events
    GROUP BY user_id
),
steps (step, step_name) AS (
    VALUES (1, '浏览'), (2, '看商品'), (3, '加购'), (4, '结算'), (5, '支付')
),
reached AS (
    SELECT step, step_name,
           count(*) FILTER (WHERE steps_in_7_days >= step) AS users,
           count(*) FILTER (WHERE steps_in_1_day >= step) AS users_in_1_day
    FROM journeys CROSS JOIN steps
    GROUP BY step, step_name
)
SELECT step, step_name, users,
       round(users * 1.0 / lag(users) OVER (ORDER BY step), 4) AS step_rate,
       users_in_1_day
FROM reached
ORDER BY step;
