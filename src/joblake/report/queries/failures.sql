-- The newest failures of the last 30 days.
with
jobs as (
    select
        *,
        case when list_contains($accounts, account_id) then account_id end as account,
        coalesce(ended_at, created_at) as failed_at
    from reports.failed_jobs
),

names as (
    select account_id, region_name, model_arn, model_name from current.custom_models
)

select
    jobs.job_kind as kind,
    jobs.account,
    jobs.region_name as region,
    jobs.account_id as listed_account,
    left(coalesce(jobs.job_name, parse_filename(jobs.job_arn)), 120) as name,
    left(coalesce(names.model_name, jobs.model), 120) as model,
    jobs.outcome,
    left(jobs.reason, 400) as reason,
    jobs.failed_at,
    jobs.duration_seconds as seconds,
    count(*) over place as failed_count
from jobs
left join names
    on
        jobs.model = names.model_arn
        and jobs.account_id = names.account_id
        and jobs.region_name = names.region_name
where jobs.failed_at > $as_of::timestamptz - interval 30 days
window
    place as (partition by jobs.job_kind, jobs.account, jobs.region_name)
qualify
    row_number() over (
        partition by jobs.job_kind, jobs.account, jobs.region_name
        order by jobs.failed_at desc, jobs.job_arn
    ) <= $rows
order by jobs.failed_at desc, name
