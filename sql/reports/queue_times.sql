-- description: How long batch inference jobs waited and ran, by model and month. AWS tells no start
--   of a run, so each time is known only as lying between bounds, and so is each quantile: the true
--   one lies between the quantile of the shortest and that of the longest times. Nightly listings
--   make wide bounds. Jobs that still wait are counted, but have no times; jobs whose times are
--   absent or contradict each other, and the runs of jobs without a told end, likewise.
-- grain: one row per model and month of submission
-- key: model, month
-- columns: model, month, job_count, waiting_count, queue_job_count, p50_shortest_queue_seconds,
--   p50_longest_queue_seconds, p95_shortest_queue_seconds, p95_longest_queue_seconds,
--   run_job_count, p50_shortest_run_seconds, p50_longest_run_seconds, p95_shortest_run_seconds,
--   p95_longest_run_seconds
--   job_count: batch jobs
with
batch_phases as (
    select
        *,
        date_trunc('month', utc_day(created_at))::date as month,
        shortest_seconds is not null and longest_seconds is not null as is_bounded
    from history.job_phases
    where job_kind = 'batch_inference'
),

measured as (
    select
        model,
        month,
        phase,
        count(*) as phase_count,
        count(*) filter (status = 'InProgress') as open_count,
        count(*) filter (is_bounded) as bounded_count,
        quantile_cont(shortest_seconds, [0.5, 0.95]) filter (is_bounded) as shortest,
        quantile_cont(longest_seconds, [0.5, 0.95]) filter (is_bounded) as longest
    from batch_phases
    group by all
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
