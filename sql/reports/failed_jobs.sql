-- description: Jobs that ended without a result, failed or expired, with what is known of the
--   reason. Jobs that succeeded in part, were stopped, or vanished while they still ran are no
--   failures; a status that joblake does not know is none either, see checks.unknown_statuses.
-- grain: one row per job, also of those that AWS no longer lists
-- key: account_id, region_name, job_arn
-- columns:
--   job_arn: identifies the job within its account and region
--   job_name: the name its creator gave it
--   job_kind: customization, batch_inference or clean_rooms_inference
--   account_id: account that listed it
--   region_name: region that listed it
--   model: as in history.jobs
--   status: as AWS spells it
--   outcome: failed or expired
--   failed_phase: customization: the last phase that failed: validation, data_processing or training; null where none says so
--   reason: what AWS says of a batch job's failure, else the phase that failed; null where the listing tells nothing, as for Clean Rooms
--   created_at: when it was created or submitted; null where AWS does not say
--   ended_at: when it ended; null where AWS does not say
--   is_end_estimated: whether ended_at is an upper bound, as in history.jobs
--   duration_seconds: from created_at to ended_at; null where either is absent or the end lies before the start
--   is_vanished: whether AWS no longer lists it
with
jobs as (
    select * from history.jobs
),

customization_jobs as (
    select * from current.model_customization_jobs
),

failed_phases as (
    select
        customization_jobs.account_id,
        customization_jobs.region_name,
        customization_jobs.job_arn,
        case
            when customization_jobs.status_details__training_details__status = 'Failed'
                then 'training'
            when customization_jobs.status_details__data_processing_details__status = 'Failed'
                then 'data_processing'
            when customization_jobs.status_details__validation_details__status = 'Failed'
                then 'validation'
        end as failed_phase
    from customization_jobs
)

select
    jobs.job_arn,
    jobs.job_name,
    jobs.job_kind,
    jobs.account_id,
    jobs.region_name,
    jobs.model,
    jobs.status,
    jobs.outcome,
    failed_phases.failed_phase,
    coalesce(jobs.message, replace(failed_phases.failed_phase, '_', ' ') || ' failed') as reason,
    jobs.created_at,
    jobs.ended_at,
    jobs.is_end_estimated,
    jobs.duration_seconds,
    jobs.is_vanished
from jobs
left join failed_phases
    on
        jobs.job_kind = 'customization'
        and jobs.job_arn = failed_phases.job_arn
        and jobs.account_id = failed_phases.account_id
        and jobs.region_name = failed_phases.region_name
where jobs.is_terminal and jobs.outcome in ('failed', 'expired')
