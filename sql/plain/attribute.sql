-- What did each channel earn of the purchases, as last touch, linear and time decay divide them among the touches of
-- the 30 days before?
-- Plain SQL for: ATTRIBUTE('last, linear, time_decay(7 days)', event_time, channel, event = 'purchase', revenue,
-- lookback => '30 days') GROUP BY user_id, summed by channel. A purchase without touches has no channel.
-- Rows are numbered because a purchase's own row is no touch for it.
with numbered as (
    select
        user_id,
        event_time,
        channel,
        event,
        revenue,
        row_number() over (order by user_id, event_time) as row_no
    from events
),

seen as (
    select
        purchases.row_no as purchase_no,
        coalesce(purchases.revenue, 0) as revenue,
        touches.channel,
        touches.event_time as touched_at,
        touches.row_no as touch_no,
        power(
            2.0,
            coalesce(extract(epoch from touches.event_time) - extract(epoch from purchases.event_time), 0) / 604800.0
        ) as decay
    from numbered as purchases
    left join numbered as touches
        on
            purchases.user_id = touches.user_id
            and touches.channel is not null
            and touches.row_no <> purchases.row_no
            and touches.event_time <= purchases.event_time
            and touches.event_time >= purchases.event_time - interval '30 days'
    where purchases.event = 'purchase'
),

shares as (
    select
        channel,
        revenue,
        case
            when row_number() over (
                partition by purchase_no order by touched_at desc, channel desc, touch_no desc
            ) = 1 then 1.0
            else 0.0
        end as last_share,
        1.0 / count(*) over (partition by purchase_no) as linear_share,
        decay / sum(decay) over (partition by purchase_no) as decay_share
    from seen
)

select
    channel,
    sum(last_share) as last_conversions,
    sum(linear_share) as linear_conversions,
    sum(decay_share) as decay_conversions,
    sum(last_share * revenue) as last_revenue,
    sum(linear_share * revenue) as linear_revenue,
    sum(decay_share * revenue) as decay_revenue
from shares
group by channel
