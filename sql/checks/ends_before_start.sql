-- description: Jobs that ended before they were created, by AWS's own times.
-- grain: one row per job
-- key: account_id, region_name, job_arn
-- columns:
--   job_arn: identifies the job within its account and region
--   job_kind: customization, batch_inference or clean_rooms_inference
--   account_id: account that listed it
--   region_name: region that listed it
--   created_at: when it was created or submitted
--   ended_at: when it ended
--   is_end_estimated: whether ended_at is an estimate
with
jobs as (
    select * from history.jobs
)

select
    jobs.job_arn,
    jobs.job_kind,
    jobs.account_id,
    jobs.region_name,
    jobs.created_at,
    jobs.ended_at,
    jobs.is_end_estimated
from jobs
where jobs.ended_at < jobs.created_at
