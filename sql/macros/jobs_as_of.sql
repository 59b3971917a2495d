-- description: Every job as it was known at an instant, from the observations and listings that
--   began by then; `jobs_as_of('infinity')` is the view history.jobs, which explains the columns.
-- grain: one row per job: account_id, region_name and job_arn
-- parameters: the instant
create macro jobs_as_of(as_of) as table
with
customization_jobs as (
    select * from resources_as_of('model_customization_jobs', job_arn, null, as_of)
),

batch_jobs as (
    select * from resources_as_of('model_invocation_jobs', job_arn, null, as_of)
),

clean_rooms_jobs as (
    select *
    from resources_as_of(
        'trained_model_inference_jobs',
        trained_model_inference_job_arn,
        parent,
        as_of
    )
),

clean_rooms_ends as (
    select
        account_id,
        region_name,
        trained_model_inference_job_arn as job_arn,
        arg_min(update_time, observed_at) as ended_at
    from observations.trained_model_inference_jobs
    where
        observed_at <= as_of::timestamptz
        and is_final(status)
    group by account_id, region_name, trained_model_inference_job_arn
),

jobs as (
    select
        customization_jobs.job_arn,
        customization_jobs.job_name,
        'customization' as job_kind,
        customization_jobs.account_id,
        customization_jobs.region_name,
        customization_jobs.base_model_arn as model,
        customization_jobs.status,
        customization_jobs.creation_time as created_at,
        customization_jobs.end_time as told_end_at,
        customization_jobs.last_modified_time as estimated_end_at,
        null::varchar as message,
        customization_jobs.first_seen_at,
        customization_jobs.last_seen_at,
        customization_jobs.is_vanished
    from customization_jobs

    union all

    select
        batch_jobs.job_arn,
        batch_jobs.job_name,
        'batch_inference' as job_kind,
        batch_jobs.account_id,
        batch_jobs.region_name,
        batch_jobs.model_id as model,
        batch_jobs.status,
        batch_jobs.submit_time as created_at,
        batch_jobs.end_time as told_end_at,
        batch_jobs.last_modified_time as estimated_end_at,
        batch_jobs.message,
        batch_jobs.first_seen_at,
        batch_jobs.last_seen_at,
        batch_jobs.is_vanished
    from batch_jobs

    union all

    select
        clean_rooms_jobs.trained_model_inference_job_arn as job_arn,
        clean_rooms_jobs.name as job_name,
        'clean_rooms_inference' as job_kind,
        clean_rooms_jobs.account_id,
        clean_rooms_jobs.region_name,
        clean_rooms_jobs.trained_model_arn as model,
        clean_rooms_jobs.status,
        clean_rooms_jobs.create_time as created_at,
        null::timestamptz as told_end_at,
        clean_rooms_ends.ended_at as estimated_end_at,
        null::varchar as message,
        clean_rooms_jobs.first_seen_at,
        clean_rooms_jobs.last_seen_at,
        clean_rooms_jobs.is_vanished
    from clean_rooms_jobs
    left join clean_rooms_ends
        on
            clean_rooms_jobs.trained_model_inference_job_arn = clean_rooms_ends.job_arn
            and clean_rooms_jobs.account_id = clean_rooms_ends.account_id
            and clean_rooms_jobs.region_name = clean_rooms_ends.region_name
),

judged as (
    select
        jobs.*,
        job_outcome(jobs.status) as outcome,
        is_final(jobs.status) as is_terminal
    from jobs
),

ended as (
    select
        judged.*,
        coalesce(
            judged.told_end_at,
            case when judged.is_terminal then judged.estimated_end_at end
        ) as ended_at
    from judged
)

select
    ended.job_arn,
    ended.job_name,
    ended.job_kind,
    ended.account_id,
    ended.region_name,
    model_name(ended.model) as model,
    ended.status,
    ended.outcome,
    ended.is_terminal,
    ended.created_at,
    ended.ended_at,
    ended.told_end_at is null and ended.ended_at is not null as is_end_estimated,
    case
        when ended.is_terminal then seconds_between(ended.created_at, ended.ended_at)
    end as duration_seconds,
    ended.message,
    ended.first_seen_at,
    ended.last_seen_at,
    ended.is_vanished
from ended
