-- Which events are of valuable customers who are interested in cars and not about to leave?
-- Plain SQL for: TAG_MATCH(tags, 'vip & (auto | ev) & !churn_risk').
-- A row without a list of tags has no answer; one with an empty list has none of the tags.
select
    user_id,
    array_has(tags, 'vip')
        and (array_has(tags, 'auto') or array_has(tags, 'ev'))
        and not array_has(tags, 'churn_risk') as is_wanted
from events
