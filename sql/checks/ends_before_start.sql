-- description: Jobs that ended before they were created, by AWS's own times.
-- grain: one row per job
-- key: account_id, region_name, job_arn
-- columns: job_arn, job_kind, account_id, region_name, created_at, ended_at, is_end_estimated
select job_arn, job_kind, account_id, region_name, created_at, ended_at, is_end_estimated
from history.jobs
where ended_at < created_at
