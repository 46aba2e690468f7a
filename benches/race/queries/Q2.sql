-- How far did people get towards a purchase within 7 days of a page view?
-- Asked as the peers ask it: rows of other events are filtered out first.
SELECT level, count(*) AS users
FROM (
    SELECT
        user_id,
        FUNNEL(
            event_time, INTERVAL '7 days',
            event = 'page_view',
            event = 'product_view',
            event = 'add_to_cart',
            event = 'purchase'
        ) AS level
    FROM events
    WHERE event IN ('page_view', 'product_view', 'add_to_cart', 'purchase')
    GROUP BY user_id
) AS users_by_level
WHERE level > 0
GROUP BY level
