-- What the last fifteen nights brought.
with
nights as (
    select *, max(night) over () as last_night from reports.nightly_job_changes
)

select
    job_kind as kind,
    case when list_contains($accounts, account_id) then account_id end as account,
    region_name as region,
    night,
    sum(new_count)::bigint as new_count,
    sum(finished_count)::bigint as finished_count,
    sum(failed_count)::bigint as failed_count,
    sum(vanished_count)::bigint as vanished_count
from nights
where night > last_night - 15
group by all
order by night, kind, account, region
