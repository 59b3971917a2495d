-- description: Statuses that joblake does not know, with the jobs that have them now. Such jobs count
--   neither as running nor as ended until joblake learns the status; a job without any status is
--   shown under null.
-- grain: one row per job kind and status
-- key: job_kind, status
-- columns: job_kind, status, job_count, first_seen_at
--   status: as AWS spells it; null where the job has none
--   job_count: jobs that have it now
--   first_seen_at: first listing that saw one of these jobs
select job_kind, status, count(*) as job_count, min(first_seen_at) as first_seen_at
from history.jobs
where outcome = 'unknown'
group by all
