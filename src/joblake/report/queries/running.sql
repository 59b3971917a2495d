-- The jobs that ran or waited when last seen, those furthest beyond what is usual first.
with
jobs as (
    select
        *,
        case when list_contains($accounts, account_id) then account_id end as account,
        age_seconds / nullif(late_after_seconds, 0) as lateness
    from reports.running_jobs
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
    left(jobs.status, 40) as status,
    jobs.age_seconds as seconds,
    jobs.usual_seconds,
    jobs.late_after_seconds,
    coalesce(jobs.is_overdue, false) as is_overdue,
    count(*) over place as running_count,
    count(*) filter (where jobs.is_overdue) over place as overdue_count
from jobs
left join names
    on
        jobs.model = names.model_arn
        and jobs.account_id = names.account_id
        and jobs.region_name = names.region_name
window
    place as (partition by jobs.job_kind, jobs.account, jobs.region_name)
qualify
    row_number() over (
        partition by jobs.job_kind, jobs.account, jobs.region_name
        order by
            coalesce(jobs.is_overdue, false) desc,
            jobs.lateness desc nulls last,
            jobs.age_seconds desc nulls last,
            jobs.job_arn
    ) <= $rows
order by is_overdue desc, jobs.lateness desc nulls last, seconds desc nulls last, name
