-- description: Jobs that ended without a result, failed or expired, with the reason as far as it is
--   known. Jobs that succeeded in part, were stopped, or vanished while they still ran are no
--   failures; a status that joblake does not know is none either, see checks.unknown_statuses.
-- grain: one row per job, also of those that AWS no longer lists
-- key: account_id, region_name, job_arn
-- columns: job_arn, job_name, job_kind, account_id, region_name, model, status, outcome,
--   failed_phase, message, created_at, ended_at, is_end_estimated, duration_seconds, is_vanished
--   outcome: failed or expired
--   message: AWS's text on the failure, else the phase that failed; null where the listing tells neither
--   ended_at: when it ended; null where AWS does not say
with
failed_phases as (
    select
        'customization' as job_kind,
        account_id,
        region_name,
        job_arn,
        case 'Failed'
            when status_details__training_details__status then 'training'
            when status_details__data_processing_details__status then 'data_processing'
            when status_details__validation_details__status then 'validation'
        end as failed_phase
    from current.model_customization_jobs
)

select
    job_arn,
    job_name,
    job_kind,
    account_id,
    region_name,
    model,
    status,
    outcome,
    failed_phase,
    coalesce(message, replace(failed_phase, '_', ' ') || ' failed') as message,
    created_at,
    ended_at,
    is_end_estimated,
    duration_seconds,
    is_vanished
from history.jobs
left join failed_phases using (job_kind, account_id, region_name, job_arn)
where is_terminal and outcome in ('failed', 'expired')
