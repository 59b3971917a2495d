-- description: Jobs that ran or waited when last seen, with their age and how long such jobs take.
--   Age counts to the last listing that saw the job, not to now: a lake that was not refreshed
--   makes no job late. Usual are the jobs of the same kind and model that succeeded, wholly or in
--   part; where fewer than five did, those of the same kind; where fewer than five did, nothing is
--   usual. Jobs that vanished, and statuses that joblake does not know, are left out.
-- grain: one row per job
-- key: account_id, region_name, job_arn
-- columns:
--   job_arn: identifies the job within its account and region
--   job_name: the name its creator gave it
--   job_kind: customization, batch_inference or clean_rooms_inference
--   account_id: account that listed it
--   region_name: region that listed it
--   model: as in history.jobs
--   status: as AWS spells it
--   created_at: when it was created or submitted; null where AWS does not say
--   last_seen_at: last complete listing that saw it
--   age_seconds: from created_at to last_seen_at; null where created_at is absent or later
--   usual_job_count: jobs that tell what is usual; null where too few do
--   is_usual_of_model: whether they are of the same model, not only of the same kind; null where too few are known
--   usual_seconds: half of them took no longer
--   late_after_seconds: nineteen in twenty of them took no longer
--   is_overdue: whether age_seconds is beyond late_after_seconds; null where either is not known
with
jobs as (
    select * from history.jobs
),

finished as (
    select
        jobs.job_kind,
        jobs.model,
        jobs.duration_seconds
    from jobs
    where
        jobs.outcome in ('succeeded', 'partially_succeeded')
        and jobs.duration_seconds is not null
),

usual_of_models as (
    select
        finished.job_kind,
        finished.model,
        count(*) as job_count,
        quantile_cont(finished.duration_seconds, [0.5, 0.95]) as quantiles
    from finished
    group by finished.job_kind, finished.model
    having count(*) >= 5
),

usual_of_kinds as (
    select
        finished.job_kind,
        count(*) as job_count,
        quantile_cont(finished.duration_seconds, [0.5, 0.95]) as quantiles
    from finished
    group by finished.job_kind
    having count(*) >= 5
),

running as (
    select
        jobs.*,
        seconds_between(jobs.created_at, jobs.last_seen_at) as age_seconds
    from jobs
    where jobs.outcome = 'running' and not jobs.is_vanished
),

compared as (
    select
        running.*,
        coalesce(usual_of_models.job_count, usual_of_kinds.job_count) as usual_job_count,
        case
            when usual_of_kinds.job_count is not null then usual_of_models.job_count is not null
        end as is_usual_of_model,
        coalesce(usual_of_models.quantiles[1], usual_of_kinds.quantiles[1]) as usual_seconds,
        coalesce(usual_of_models.quantiles[2], usual_of_kinds.quantiles[2]) as late_after_seconds
    from running
    left join usual_of_models
        on
            running.job_kind = usual_of_models.job_kind
            and running.model is not distinct from usual_of_models.model
    left join usual_of_kinds
        on running.job_kind = usual_of_kinds.job_kind
)

select
    compared.job_arn,
    compared.job_name,
    compared.job_kind,
    compared.account_id,
    compared.region_name,
    compared.model,
    compared.status,
    compared.created_at,
    compared.last_seen_at,
    compared.age_seconds,
    compared.usual_job_count,
    compared.is_usual_of_model,
    compared.usual_seconds,
    compared.late_after_seconds,
    compared.age_seconds > compared.late_after_seconds as is_overdue
from compared
