-- description: How long finished jobs took, by kind, model and month. Jobs that still run or whose
--   status joblake does not know, that lack a start or an end, or end before their start, are left
--   out; vanished ones that were seen to end count. Where AWS tells no end, an upper bound stands
--   for it.
-- grain: one row per job kind, model and month of creation
-- key: job_kind, model, month
-- columns:
--   job_kind: customization, batch_inference or clean_rooms_inference
--   model: as in history.jobs
--   month: first day of the month in which the jobs were created, in UTC
--   job_count: finished jobs with a duration
--   succeeded_count: those of them that succeeded
--   p50_seconds: half of the jobs took no longer
--   p90_seconds: nine in ten took no longer
--   p95_seconds: nineteen in twenty took no longer
--   p99_seconds: ninety-nine in a hundred took no longer
--   max_seconds: the longest
with
jobs as (
    select * from history.jobs
),

finished as (
    select
        jobs.job_kind,
        jobs.model,
        date_trunc('month', utc_day(jobs.created_at))::date as month,
        jobs.outcome,
        jobs.duration_seconds
    from jobs
    where jobs.is_terminal and jobs.duration_seconds is not null
),

measured as (
    select
        finished.job_kind,
        finished.model,
        finished.month,
        count(*) as job_count,
        count(*) filter (where finished.outcome = 'succeeded') as succeeded_count,
        quantile_cont(finished.duration_seconds, [0.5, 0.9, 0.95, 0.99]) as quantiles,
        max(finished.duration_seconds) as max_seconds
    from finished
    group by finished.job_kind, finished.model, finished.month
)

select
    measured.job_kind,
    measured.model,
    measured.month,
    measured.job_count,
    measured.succeeded_count,
    measured.quantiles[1] as p50_seconds,
    measured.quantiles[2] as p90_seconds,
    measured.quantiles[3] as p95_seconds,
    measured.quantiles[4] as p99_seconds,
    measured.max_seconds
from measured
