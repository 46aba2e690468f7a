-- How far did people get towards a purchase within 7 days of a page view?
-- Asked without the filter a user should not have to write: FUNNEL sees every row.
-- Users who never saw a page are level 0 here and absent from the peers' answer: levels 1 and up are compared.
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
    GROUP BY user_id
) AS users_by_level
WHERE level > 0
GROUP BY level
