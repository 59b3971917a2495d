-- The slowest jobs of the last 30 days, and how long such jobs take.
with
jobs as (
    select *, case when list_contains($accounts, account_id) then account_id end as account
    from history.jobs
    where
        is_terminal
        and duration_seconds is not null
        and created_at > $as_of::timestamptz - interval 1 year
),

usual as (
    select
        job_kind,
        model,
        median(duration_seconds) as seconds
    from jobs
    where outcome in ('succeeded', 'partially_succeeded')
    group by job_kind, model
    having count(*) >= 5
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
    jobs.created_at,
    jobs.duration_seconds as seconds,
    usual.seconds as usual_seconds
from jobs
left join usual
    on jobs.job_kind = usual.job_kind and jobs.model is not distinct from usual.model
left join names
    on
        jobs.model = names.model_arn
        and jobs.account_id = names.account_id
        and jobs.region_name = names.region_name
where jobs.created_at > $as_of::timestamptz - interval 30 days
qualify
    row_number() over (
        partition by jobs.job_kind, jobs.account, jobs.region_name
        order by jobs.duration_seconds desc, jobs.job_arn
    ) <= $rows
order by seconds desc, name
