-- description: How long batch inference jobs waited and ran, by model and month. AWS tells no start
--   of a run, so each time is known only as lying between bounds, and so is each quantile: the true
--   one lies between the quantile of the shortest and that of the longest times. Nightly listings
--   make wide bounds. Jobs that still wait are counted, but have no times; jobs whose times are
--   absent or contradict each other, and the runs of jobs without a told end, likewise.
-- grain: one row per model and month of submission
-- key: model, month
-- columns:
--   model: as in history.jobs
--   month: first day of the month in which the jobs were submitted, in UTC; null where that is not known
--   job_count: batch jobs
--   waiting_count: those not yet seen to have left their queue, vanished ones included
--   queue_job_count: those with bounds of their time in the queue
--   p50_shortest_queue_seconds: lower bound of the median time in the queue
--   p50_longest_queue_seconds: upper bound of the median time in the queue
--   p95_shortest_queue_seconds: lower bound of what nineteen in twenty waited no longer than
--   p95_longest_queue_seconds: its upper bound
--   run_job_count: jobs with bounds of their run time
--   p50_shortest_run_seconds: lower bound of the median run time
--   p50_longest_run_seconds: upper bound of the median run time
--   p95_shortest_run_seconds: lower bound of what nineteen in twenty ran no longer than
--   p95_longest_run_seconds: its upper bound
with
phases as (
    select * from history.job_phases
),

batch_phases as (
    select
        phases.model,
        date_trunc('month', utc_day(phases.created_at))::date as month,
        phases.phase,
        phases.status,
        phases.shortest_seconds,
        phases.longest_seconds,
        phases.shortest_seconds is not null and phases.longest_seconds is not null as is_bounded
    from phases
    where phases.job_kind = 'batch_inference'
),

measured as (
    select
        batch_phases.model,
        batch_phases.month,
        batch_phases.phase,
        count(*) as phase_count,
        count(*) filter (where batch_phases.status = 'InProgress') as open_count,
        count(*) filter (where batch_phases.is_bounded) as bounded_count,
        quantile_cont(batch_phases.shortest_seconds, [0.5, 0.95]) filter (
            where batch_phases.is_bounded
        ) as shortest,
        quantile_cont(batch_phases.longest_seconds, [0.5, 0.95]) filter (
            where batch_phases.is_bounded
        ) as longest
    from batch_phases
    group by batch_phases.model, batch_phases.month, batch_phases.phase
)

select
    queues.model,
    queues.month,
    queues.phase_count as job_count,
    queues.open_count as waiting_count,
    queues.bounded_count as queue_job_count,
    queues.shortest[1] as p50_shortest_queue_seconds,
    queues.longest[1] as p50_longest_queue_seconds,
    queues.shortest[2] as p95_shortest_queue_seconds,
    queues.longest[2] as p95_longest_queue_seconds,
    coalesce(runs.bounded_count, 0) as run_job_count,
    runs.shortest[1] as p50_shortest_run_seconds,
    runs.longest[1] as p50_longest_run_seconds,
    runs.shortest[2] as p95_shortest_run_seconds,
    runs.longest[2] as p95_longest_run_seconds
from measured as queues
left join measured as runs
    on
        runs.phase = 'run'
        and queues.model is not distinct from runs.model
        and queues.month is not distinct from runs.month
where queues.phase = 'queue'
