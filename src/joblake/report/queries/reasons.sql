-- The reasons of the failures of the last 30 days. Reasons that differ in numbers and codes only
-- are one, told by an example; those beyond the most frequent are one, named null.
with
failed as (
    select
        job_kind,
        account_id,
        region_name,
        left(coalesce(reason, 'AWS tells none'), 200) as reason,
        regexp_replace(left(coalesce(reason, ''), 200), '[0-9a-f-]*[0-9][0-9a-f-]*', '#', 'g')
            as pattern
    from reports.failed_jobs
    where coalesce(ended_at, created_at) > $as_of::timestamptz - interval 30 days
),

frequent as (
    select
        pattern,
        min(reason) as reason,
        min(reason) <> max(reason) as is_example
    from failed
    group by pattern
    order by count(*) desc, pattern
    limit $reasons
)

select
    failed.job_kind as kind,
    case when list_contains($accounts, failed.account_id) then failed.account_id end as account,
    failed.region_name as region,
    frequent.reason,
    frequent.is_example,
    count(*) as job_count
from failed
left join frequent
    on failed.pattern = frequent.pattern
group by all
order by job_count desc, reason
