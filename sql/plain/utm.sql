-- Which source does each address name?
-- Plain SQL for: UTM(url, 'source'), for addresses without escapes (%20, +) and without a fragment.
-- The first occurrence counts, in any case; an empty value is none.
select
    url,
    nullif((regexp_match(url, '(?:^[^?]*[?]|^|&)utm_source=([^&#]*)', 'i'))[1], '') as utm
from events
