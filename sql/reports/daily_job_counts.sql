-- description: What became of the jobs created on each day. Every job counts once, under its latest
--   known outcome and the day of its creation; jobs without a time of creation stand under no day.
--   A job that vanished before it was seen to end counts as lost, not as running.
-- grain: one row per day of creation, job kind, account and region
-- key: day, job_kind, account_id, region_name
-- columns:
--   day: day on which the jobs were created, in UTC; null where that is not known
--   job_kind: customization, batch_inference or clean_rooms_inference
--   account_id: account that listed them
--   region_name: region that listed them
--   job_count: jobs created, the sum of the counts that follow
--   succeeded_count: those that succeeded
--   partially_succeeded_count: those that succeeded in part
--   failed_count: those that failed
--   expired_count: those that expired
--   stopped_count: those that somebody stopped
--   running_count: those that run or wait
--   lost_count: those that vanished before they were seen to end
--   unknown_count: those with a status that joblake does not know
--   success_rate: share of the succeeded in the succeeded, partially succeeded, failed and expired, 0 to 1; null where there are none. Stopping a job is no failure of the job
with
jobs as (
    select * from history.jobs
),

dated as (
    select
        utc_day(jobs.created_at) as day,
        jobs.job_kind,
        jobs.account_id,
        jobs.region_name,
        case
            when jobs.outcome = 'running' and jobs.is_vanished then 'lost'
            else jobs.outcome
        end as fate
    from jobs
),

counted as (
    select
        dated.day,
        dated.job_kind,
        dated.account_id,
        dated.region_name,
        count(*) as job_count,
        count(*) filter (where dated.fate = 'succeeded') as succeeded_count,
        count(*) filter (where dated.fate = 'partially_succeeded') as partially_succeeded_count,
        count(*) filter (where dated.fate = 'failed') as failed_count,
        count(*) filter (where dated.fate = 'expired') as expired_count,
        count(*) filter (where dated.fate = 'stopped') as stopped_count,
        count(*) filter (where dated.fate = 'running') as running_count,
        count(*) filter (where dated.fate = 'lost') as lost_count,
        count(*) filter (where dated.fate = 'unknown') as unknown_count
    from dated
    group by dated.day, dated.job_kind, dated.account_id, dated.region_name
)

select
    counted.day,
    counted.job_kind,
    counted.account_id,
    counted.region_name,
    counted.job_count,
    counted.succeeded_count,
    counted.partially_succeeded_count,
    counted.failed_count,
    counted.expired_count,
    counted.stopped_count,
    counted.running_count,
    counted.lost_count,
    counted.unknown_count,
    counted.succeeded_count / nullif(
        counted.succeeded_count
        + counted.partially_succeeded_count
        + counted.failed_count
        + counted.expired_count,
        0
    ) as success_rate
from counted
