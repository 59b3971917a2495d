-- description: Jobs that have ended though neither an end nor a last modification tells when, so that
--   no report can say how long they took.
-- grain: one row per job
-- key: account_id, region_name, job_arn
-- columns:
--   job_arn: identifies the job within its account and region
--   job_kind: customization, batch_inference or clean_rooms_inference
--   account_id: account that listed it
--   region_name: region that listed it
--   status: as AWS spells it
--   created_at: when it was created or submitted
--   last_seen_at: last complete listing that saw it
with
jobs as (
    select * from history.jobs
)

select
    jobs.job_arn,
    jobs.job_kind,
    jobs.account_id,
    jobs.region_name,
    jobs.status,
    jobs.created_at,
    jobs.last_seen_at
from jobs
where jobs.is_terminal and jobs.ended_at is null
