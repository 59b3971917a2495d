-- description: Every job of every source in one shape, as last observed. The same as known at an
--   earlier instant: jobs_as_of('2026-01-31').
-- grain: one row per job, also of those that AWS no longer lists
-- key: account_id, region_name, job_arn
-- columns:
--   job_arn: identifies the job within its account and region
--   job_name: the name its creator gave it
--   job_kind: customization, batch_inference or clean_rooms_inference
--   account_id: account that listed it
--   region_name: region that listed it
--   model: base model (customization), model (batch) or trained model (Clean Rooms); the bare id of a foundation model, else the identifier as AWS gives it
--   status: as AWS spells it
--   outcome: succeeded, partially_succeeded, failed, stopped, expired; running; unknown for a status that joblake does not know
--   is_terminal: whether the status is final; false for an unknown status
--   created_at: when it was created or submitted
--   ended_at: when AWS says it ended, else an estimate; null while it runs
--   is_end_estimated: whether ended_at is an upper bound: the last modification of a finished job without an end time, or the update time of a Clean Rooms job when first seen finished
--   duration_seconds: from created_at to ended_at; null unless terminal, and where the end lies before the start
--   message: what AWS says of a batch job's failure
--   first_seen_at: first listing that saw it
--   last_seen_at: last complete listing that saw it
--   is_vanished: whether AWS no longer lists it
with
jobs as (
    select * from jobs_as_of('infinity')
)

select
    jobs.job_arn,
    jobs.job_name,
    jobs.job_kind,
    jobs.account_id,
    jobs.region_name,
    jobs.model,
    jobs.status,
    jobs.outcome,
    jobs.is_terminal,
    jobs.created_at,
    jobs.ended_at,
    jobs.is_end_estimated,
    jobs.duration_seconds,
    jobs.message,
    jobs.first_seen_at,
    jobs.last_seen_at,
    jobs.is_vanished
from jobs
