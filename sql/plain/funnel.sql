-- How far did each person get towards a purchase within 7 days of a page view?
-- Plain SQL for: FUNNEL(event_time, INTERVAL '7 days', event = 'page_view', event = 'product_view',
-- event = 'add_to_cart', event = 'purchase') GROUP BY user_id.
-- Each step carries the latest entry of the chains that reached it. Frames run to the end of the ties at a time,
-- so that rows of one time can be steps of one chain in whatever order they are stored.
with steps as (
    select
        user_id,
        event_time,
        case event
            when 'page_view' then 1
            when 'product_view' then 2
            when 'add_to_cart' then 3
            when 'purchase' then 4
            else 0
        end as step
    from events
),

viewed_page as (
    select
        user_id,
        event_time,
        step,
        max(case when step = 1 then event_time end) over so_far as entry_1
    from steps
    window so_far as (partition by user_id order by event_time range between unbounded preceding and current row)
),

viewed_product as (
    select
        user_id,
        event_time,
        step,
        entry_1,
        max(case when step = 2 and event_time <= entry_1 + interval '7 days' then entry_1 end) over so_far as entry_2
    from viewed_page
    window so_far as (partition by user_id order by event_time range between unbounded preceding and current row)
),

added_to_cart as (
    select
        user_id,
        event_time,
        step,
        entry_1,
        entry_2,
        max(case when step = 3 and event_time <= entry_2 + interval '7 days' then entry_2 end) over so_far as entry_3
    from viewed_product
    window so_far as (partition by user_id order by event_time range between unbounded preceding and current row)
)

select
    user_id,
    max(
        case
            when step = 4 and event_time <= entry_3 + interval '7 days' then 4
            when entry_3 is not null then 3
            when entry_2 is not null then 2
            when entry_1 is not null then 1
            else 0
        end
    ) as level
from added_to_cart
group by user_id
