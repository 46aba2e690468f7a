-- 今天该给谁发短信？ / Whom may we text today?
WITH consent_now AS (
    SELECT user_id, status
    FROM (
        SELECT user_id, status, row_number() OVER (PARTITION BY user_id ORDER BY changed_at DESC) AS age
        FROM consents
        WHERE purpose = 'marketing_sms'
    ) AS answers
    WHERE age = 1
),
audience AS (
    SELECT user_id,
           TAG_MATCH(tags, '高意向') AS is_keen,
           TAG_MATCH(tags, '高意向 且 非 流失风险') AS is_wanted,
           TAG_MATCH(tags, '高价值 AND (兴趣:红茶 OR 兴趣:白茶) AND NOT 流失风险') AS is_tea_lover,
           coalesce(status = 'granted', false) AS has_agreed
    FROM users LEFT JOIN consent_now USING (user_id)
)
SELECT count(*) FILTER (WHERE is_keen) AS keen,
       count(*) FILTER (WHERE is_wanted) AS keen_and_staying,
       count(*) FILTER (WHERE is_wanted AND has_agreed) AS may_be_texted,
       count(*) FILTER (WHERE is_tea_lover) AS tea_lovers
FROM audience;
