-- The outcomes of the jobs of each of the last days.
select
    job_kind as kind,
    account_of(account_id) as account,
    region_name as region,
    day,
    sum(columns('.*_count'))::bigint
from reports.daily_job_counts
where is_within(day, to_days($days)) and day <= getvariable('as_of')
group by all
order by day, kind, account, region
