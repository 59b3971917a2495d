-- description: How long finished jobs took, by kind, model and month. Jobs that still run or whose
--   status joblake does not know, that lack a start or an end, or end before their start, are left
--   out; vanished ones that were seen to end count. Where AWS tells no end, an upper bound stands
--   for it.
-- grain: one row per job kind, model and month of creation
-- key: job_kind, model, month
-- columns: job_kind, model, month, job_count, succeeded_count, p50_seconds, p90_seconds,
--   p95_seconds, p99_seconds, max_seconds
--   job_count: finished jobs with a duration
with
measured as (
    select
        job_kind,
        model,
        date_trunc('month', utc_day(created_at))::date as month,
        count(*) as job_count,
        count(*) filter (outcome = 'succeeded') as succeeded_count,
        quantile_cont(duration_seconds, [0.5, 0.9, 0.95, 0.99]) as quantiles,
        max(duration_seconds) as max_seconds
    from history.jobs
    where is_terminal and duration_seconds is not null
    group by all
)

select
    job_kind,
    model,
    month,
    job_count,
    succeeded_count,
    quantiles[1] as p50_seconds,
    quantiles[2] as p90_seconds,
    quantiles[3] as p95_seconds,
    quantiles[4] as p99_seconds,
    max_seconds
from measured
