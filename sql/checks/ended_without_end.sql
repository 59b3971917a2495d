-- description: Jobs that have ended though neither an end nor a last modification tells when, so that
--   no report can say how long they took.
-- grain: one row per job
-- key: account_id, region_name, job_arn
-- columns: job_arn, job_kind, account_id, region_name, status, created_at, last_seen_at
select job_arn, job_kind, account_id, region_name, status, created_at, last_seen_at
from history.jobs
where is_terminal and ended_at is null
