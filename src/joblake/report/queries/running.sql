-- The jobs that ran or waited when last seen, those furthest beyond their usual time first.
with
jobs as (
    select
        *,
        row_number() over (
            order by
                coalesce(is_overdue, false) desc,
                age_seconds / nullif(late_after_seconds, 0) desc nulls last,
                age_seconds desc nulls last,
                job_arn
        ) as rank
    from told('running_jobs')
)

select
    kind, account, region, listed_account, name, model, status,
    age_seconds as seconds,
    usual_seconds,
    coalesce(is_overdue, false) as is_overdue,
    count(*) over place as running_count,
    count(*) filter (is_overdue) over place as overdue_count
from jobs
window place as (partition by kind, account, region)
qualify row_number() over (place order by rank) <= $rows
order by rank
