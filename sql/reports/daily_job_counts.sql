-- description: The outcomes of the jobs created on each day. Every job counts once, under its latest
--   known outcome and the day of its creation; jobs without a time of creation stand under no day.
--   A job that vanished before it was seen to end counts as lost, not as running.
-- grain: one row per day of creation, job kind, account and region
-- key: day, job_kind, account_id, region_name
-- columns: day, job_kind, account_id, region_name, job_count, succeeded_count,
--   partially_succeeded_count, failed_count, expired_count, stopped_count, running_count,
--   lost_count, unknown_count, success_rate
--   job_count: jobs created, the sum of the counts that follow
with
dated as (
    select
        utc_day(created_at) as day,
        job_kind,
        account_id,
        region_name,
        if(outcome = 'running' and is_vanished, 'lost', outcome) as fate
    from history.jobs
)

select
    day,
    job_kind,
    account_id,
    region_name,
    count(*) as job_count,
    count(*) filter (fate = 'succeeded') as succeeded_count,
    count(*) filter (fate = 'partially_succeeded') as partially_succeeded_count,
    count(*) filter (fate = 'failed') as failed_count,
    count(*) filter (fate = 'expired') as expired_count,
    count(*) filter (fate = 'stopped') as stopped_count,
    count(*) filter (fate = 'running') as running_count,
    count(*) filter (fate = 'lost') as lost_count,
    count(*) filter (fate = 'unknown') as unknown_count,
    succeeded_count / nullif(
        succeeded_count + partially_succeeded_count + failed_count + expired_count, 0
    ) as success_rate
from dated
group by all
