-- Which channel brought each visit?
-- Plain SQL for: CHANNEL_GROUP(source, medium, campaign, referrer), for a shop that advertises on google and facebook,
-- writes a newsletter, and tags its links in lower case. The function knows some 1,100 sites and all usual words.
-- The order of the branches is that of the rules: the first that holds decides.
select
    source,
    medium,
    campaign,
    case
        when coalesce(medium, '') = '' and source = '(direct)' then 'Direct'
        when coalesce(medium, '') = '' and coalesce(source, '') = '' and coalesce(campaign, '') = '' then 'Direct'
        when campaign ilike '%cross-network%' then 'Cross-network'
        when source = 'google' and medium in ('cpc', 'paid_social') then 'Paid Search'
        when source = 'facebook' and medium in ('cpc', 'paid_social') then 'Paid Social'
        when medium in ('cpc', 'paid_social') then 'Paid Other'
        when source = 'facebook' then 'Organic Social'
        when source = 'google' or medium = 'organic' then 'Organic Search'
        when medium = 'email' then 'Email'
        else 'Unassigned'
    end as channel
from events
