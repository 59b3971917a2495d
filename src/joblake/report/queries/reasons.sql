-- The reasons of the failures of the last 30 days. Reasons that differ in numbers and codes only
-- are one, told by an example; those beyond the most frequent are one, named null.
with
failed as (
    select
        kind,
        account,
        region,
        left(coalesce(message, 'AWS tells none'), 200) as told,
        regexp_replace(told, '[0-9a-f-]*[0-9][0-9a-f-]*', '#', 'g') as pattern
    from told('failed_jobs')
    where is_within(coalesce(ended_at, created_at), interval 30 days)
),

frequent as (
    select pattern, min(told) as reason, min(told) <> max(told) as is_example
    from failed
    group by pattern
    order by count(*) desc, pattern
    limit $reasons
)

select kind, account, region, reason, is_example, count(*) as job_count
from failed
left join frequent using (pattern)
group by all
order by job_count desc, reason
