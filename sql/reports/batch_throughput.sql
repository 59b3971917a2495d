-- description: How fast finished batch inference jobs went through their records, and how many of
--   these failed. Speed counts from submission to end, queue included, for AWS tells no start: the
--   job ran at least this fast. Running jobs, and statuses that joblake does not know, are left
--   out; a vanished job stands as it was last seen. Counts are AWS's own, absent in older jobs, and
--   nothing is derived from absent ones.
-- grain: one row per finished batch job
-- key: account_id, region_name, job_arn
-- columns: job_arn, job_name, account_id, region_name, model, outcome, created_at, ended_at,
--   duration_seconds, total_record_count, processed_record_count, error_record_count,
--   records_per_second, error_share
--   ended_at: when it ended, else the last modification as an upper bound; null where AWS says neither
with
finished as (
    select
        *,
        outcome('model_invocation_jobs', status) as outcome,
        coalesce(end_time, last_modified_time) as ended_at,
        seconds_between(submit_time, ended_at) as duration_seconds
    from current.model_invocation_jobs
    where is_terminal('model_invocation_jobs', status)
)

select
    job_arn,
    job_name,
    account_id,
    region_name,
    model_name(model_id) as model,
    outcome,
    submit_time as created_at,
    ended_at,
    duration_seconds,
    total_record_count,
    processed_record_count,
    error_record_count,
    processed_record_count / nullif(duration_seconds, 0) as records_per_second,
    error_record_count / nullif(processed_record_count, 0) as error_share
from finished
