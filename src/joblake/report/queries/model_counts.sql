-- The number of custom models, and of those that the last night found new or vanished.
select
    account_of(account_id) as account,
    region_name as region,
    count(*) as model_count,
    count(*) filter (not is_vanished) as living_count,
    count(*) filter (is_last_night(first_seen_at)) as new_count,
    count(*) filter (is_last_night(vanished_before)) as vanished_count
from history.models
group by all
order by account, region
