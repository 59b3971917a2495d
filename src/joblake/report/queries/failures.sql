-- The newest failures of the last 30 days.
select
    kind, account, region, listed_account, name, model, outcome,
    left(message, 400) as message,
    coalesce(ended_at, created_at) as failed_at,
    count(*) over place as failed_count
from told('failed_jobs')
where is_within(failed_at, interval 30 days)
window place as (partition by kind, account, region)
qualify row_number() over (place order by failed_at desc, job_arn) <= $rows
order by failed_at desc, name
