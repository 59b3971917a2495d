-- description: Jobs that ran or waited when last seen, with their age and how long such jobs take.
--   Age counts to the last listing that saw the job, not to now: a lake that was not refreshed
--   makes no job late. Usual are the jobs of the same kind and model that succeeded, wholly or in
--   part; where fewer than five did, those of the same kind; where fewer than five did, nothing is
--   usual. Jobs that vanished, and statuses that joblake does not know, are left out.
-- grain: one row per job
-- key: account_id, region_name, job_arn
-- columns: job_arn, job_name, job_kind, account_id, region_name, model, status, created_at,
--   last_seen_at, age_seconds, usual_job_count, is_usual_of_model, usual_seconds,
--   late_after_seconds, is_overdue
with
-- Kept, because the usual times and the running jobs come from the same rows.
jobs as materialized (
    select *, seconds_between(created_at, last_seen_at) as age_seconds
    from history.jobs
),

finished as (
    select job_kind, model, duration_seconds
    from jobs
    where outcome in ('succeeded', 'partially_succeeded') and duration_seconds is not null
),

usual_of_models as (
    select
        job_kind,
        model,
        count(*) as job_count,
        quantile_cont(duration_seconds, [0.5, 0.95]) as quantiles
    from finished
    group by all
    having job_count >= 5
),

usual_of_kinds as (
    select
        job_kind,
        count(*) as job_count,
        quantile_cont(duration_seconds, [0.5, 0.95]) as quantiles
    from finished
    group by all
    having job_count >= 5
),

running as (
    select *
    from jobs
    where outcome = 'running' and not is_vanished
),

compared as (
    select
        running.*,
        coalesce(of_model.job_count, of_kind.job_count) as usual_job_count,
        case when of_kind.job_count is not null then of_model.job_count is not null end
            as is_usual_of_model,
        coalesce(of_model.quantiles, of_kind.quantiles) as quantiles
    from running
    left join usual_of_models as of_model
        on
            running.job_kind = of_model.job_kind
            and running.model is not distinct from of_model.model
    left join usual_of_kinds as of_kind
        on running.job_kind = of_kind.job_kind
)

select
    job_arn,
    job_name,
    job_kind,
    account_id,
    region_name,
    model,
    status,
    created_at,
    last_seen_at,
    age_seconds,
    usual_job_count,
    is_usual_of_model,
    quantiles[1] as usual_seconds,
    quantiles[2] as late_after_seconds,
    age_seconds > late_after_seconds as is_overdue
from compared
