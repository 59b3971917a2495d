-- How many custom models there are, and what the last night found of them.
select
    case when list_contains($accounts, account_id) then account_id end as account,
    region_name as region,
    count(*) as model_count,
    count(*) filter (where not is_vanished) as living_count,
    count(*) filter (where utc_day(first_seen_at) = utc_day($as_of::timestamptz)) as new_count,
    count(*) filter (where utc_day(vanished_before) = utc_day($as_of::timestamptz)) as vanished_count
from history.models
group by all
order by account, region
