-- description: Every job of every source in one shape, as last observed. The same as known at an
--   earlier instant: jobs_as_of('2026-01-31').
-- grain: one row per job, also of those that AWS no longer lists
-- key: account_id, region_name, job_arn
-- columns: job_arn, job_name, job_kind, account_id, region_name, model, status, outcome,
--   is_terminal, created_at, ended_at, is_end_estimated, duration_seconds, message, first_seen_at,
--   last_seen_at, is_vanished
from jobs_as_of('infinity')
