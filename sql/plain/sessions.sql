-- When did each visit of each person begin and end, and of how many events was it?
-- Plain SQL for: SESSIONS(event_time, INTERVAL '30 minutes') GROUP BY user_id, one row for each element of the list.
-- A frame runs to the end of the ties at a time, so that rows of one time are in one visit in whatever order they are
-- stored.
with starts as (
    select
        user_id,
        event_time,
        case
            when event_time <= lag(event_time) over (partition by user_id order by event_time) + interval '30 minutes'
                then 0
            else 1
        end as is_start
    from events
    where event_time is not null
),

numbered as (
    select
        user_id,
        event_time,
        sum(is_start) over (
            partition by user_id
            order by event_time
            range between unbounded preceding and current row
        ) as session_no
    from starts
)

select
    user_id,
    session_no,
    min(event_time) as started_at,
    max(event_time) as ended_at,
    count(*) as event_count,
    case when session_no = 1 then 'first' else 'timeout' end as cause
from numbered
group by user_id, session_no
