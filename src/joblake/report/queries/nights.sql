-- The changes of the last fifteen nights.
select
    job_kind as kind,
    account_of(account_id) as account,
    region_name as region,
    night,
    sum(columns('(new|finished|failed|vanished)_count'))::bigint
from reports.nightly_job_changes
group by kind, account, region, night
qualify night > max(night) over () - 15
order by night, kind, account, region
