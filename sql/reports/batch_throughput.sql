-- description: How fast finished batch inference jobs went through their records, and how many of
--   these failed. Speed counts from submission to end, queue included, for AWS tells no start: the
--   job ran at least this fast. Running jobs, and statuses that joblake does not know, are left
--   out; a vanished job stands as it was last seen. Counts are AWS's own, absent in older jobs, and
--   nothing is derived from absent ones.
-- grain: one row per finished batch job
-- key: account_id, region_name, job_arn
-- columns:
--   job_arn: identifies the job within its account and region
--   job_name: the name its creator gave it
--   account_id: account that listed it
--   region_name: region that listed it
--   model: as in history.jobs
--   outcome: succeeded, partially_succeeded, failed, stopped or expired
--   created_at: when it was submitted; null where AWS does not say
--   ended_at: when it ended, else the last modification as an upper bound; null where AWS says neither
--   duration_seconds: from created_at to ended_at; null where either is absent or the end lies before the start
--   total_record_count: records of the input
--   processed_record_count: records processed
--   error_record_count: records that failed
--   records_per_second: processed records by duration; null where either is absent, or the duration is 0
--   error_share: failed records by processed ones, 0 to 1; null where either is absent, or none was processed
with
batch_jobs as (
    select * from current.model_invocation_jobs
),

judged as (
    select
        batch_jobs.*,
        job_outcome(batch_jobs.status) as outcome,
        coalesce(batch_jobs.end_time, batch_jobs.last_modified_time) as ended_at
    from batch_jobs
),

finished as (
    select
        judged.*,
        seconds_between(judged.submit_time, judged.ended_at) as duration_seconds
    from judged
    where is_final(judged.status)
)

select
    finished.job_arn,
    finished.job_name,
    finished.account_id,
    finished.region_name,
    model_name(finished.model_id) as model,
    finished.outcome,
    finished.submit_time as created_at,
    finished.ended_at,
    finished.duration_seconds,
    finished.total_record_count,
    finished.processed_record_count,
    finished.error_record_count,
    finished.processed_record_count / nullif(finished.duration_seconds, 0) as records_per_second,
    finished.error_record_count / nullif(finished.processed_record_count, 0) as error_share
from finished
