-- description: Every custom model in one shape: those that a listing showed, and those that only a
--   customization job says it made, with the job and how much they are used. A model that is made
--   by several jobs has the newest; use counts jobs of the same account and region that name the
--   model by its ARN, so a call through provisioned throughput does not count.
-- grain: one row per model, also of those that AWS no longer lists
-- key: account_id, region_name, model_arn
-- columns:
--   model_arn: identifies the model within its account and region
--   model_name: the name its creator gave it
--   account_id: account that listed it, or its job
--   region_name: region that listed it, or its job
--   base_model: model it was made from; the bare id of a foundation model, else the ARN
--   customization_type: kind of customization, such as FINE_TUNING
--   owner_account_id: account that owns it; null where only its job is known
--   status: Creating, Active or Failed as AWS spells it; null where only its job is known
--   created_at: when it was created; null where only its job is known
--   job_arn: customization job that made it; null where no such job is known, as for imported and shared models
--   job_name: name of that job
--   customization_job_count: jobs that customized it further
--   batch_job_count: batch inference jobs that called it
--   last_used_at: when the newest of these jobs was created; null if there is none
--   is_listed: whether a listing ever showed it; false where only its job is known
--   first_seen_at: first listing that saw it; null if none did
--   last_seen_at: last complete listing that saw it; null if none did
--   vanished_before: upper bound of its deletion: the listing that missed it; last_seen_at is the lower bound; null unless vanished
--   is_vanished: whether AWS no longer lists it, after having done so
with
custom_models as (
    select * from current.custom_models
),

customization_jobs as (
    select * from current.model_customization_jobs
),

batch_jobs as (
    select * from current.model_invocation_jobs
),

makers as (
    select
        customization_jobs.account_id,
        customization_jobs.region_name,
        customization_jobs.custom_model_arn as model_arn,
        arg_max(
            {
                job_arn: customization_jobs.job_arn,
                job_name: customization_jobs.job_name,
                model_name: customization_jobs.custom_model_name,
                base_model_arn: customization_jobs.base_model_arn,
                customization_type: customization_jobs.customization_type
            },
            (
                coalesce(customization_jobs.creation_time, '-infinity'),
                customization_jobs.job_arn
            )
        ) as job
    from customization_jobs
    where customization_jobs.custom_model_arn <> ''
    group by
        customization_jobs.account_id,
        customization_jobs.region_name,
        customization_jobs.custom_model_arn
),

uses as (
    select
        customization_jobs.account_id,
        customization_jobs.region_name,
        customization_jobs.base_model_arn as model_arn,
        'customization' as job_kind,
        customization_jobs.creation_time as created_at
    from customization_jobs

    union all

    select
        batch_jobs.account_id,
        batch_jobs.region_name,
        batch_jobs.model_id as model_arn,
        'batch_inference' as job_kind,
        batch_jobs.submit_time as created_at
    from batch_jobs
),

usage as (
    select
        uses.account_id,
        uses.region_name,
        uses.model_arn,
        count(*) filter (where uses.job_kind = 'customization') as customization_job_count,
        count(*) filter (where uses.job_kind = 'batch_inference') as batch_job_count,
        max(uses.created_at) as last_used_at
    from uses
    where uses.model_arn is not null
    group by uses.account_id, uses.region_name, uses.model_arn
),

models as (
    select
        coalesce(custom_models.model_arn, makers.model_arn) as model_arn,
        coalesce(custom_models.account_id, makers.account_id) as account_id,
        coalesce(custom_models.region_name, makers.region_name) as region_name,
        coalesce(custom_models.model_name, makers.job.model_name) as model_name,
        coalesce(custom_models.base_model_arn, makers.job.base_model_arn) as base_model_arn,
        coalesce(custom_models.customization_type, makers.job.customization_type)
            as customization_type,
        custom_models.owner_account_id,
        custom_models.model_status as status,
        custom_models.creation_time as created_at,
        makers.job.job_arn as job_arn,
        makers.job.job_name as job_name,
        custom_models.model_arn is not null as is_listed,
        custom_models.first_seen_at,
        custom_models.last_seen_at,
        custom_models.last_changed_at,
        coalesce(custom_models.is_vanished, false) as is_vanished
    from custom_models
    full join makers
        on
            custom_models.model_arn = makers.model_arn
            and custom_models.account_id = makers.account_id
            and custom_models.region_name = makers.region_name
)

select
    models.model_arn,
    models.model_name,
    models.account_id,
    models.region_name,
    model_name(models.base_model_arn) as base_model,
    models.customization_type,
    models.owner_account_id,
    models.status,
    models.created_at,
    models.job_arn,
    models.job_name,
    coalesce(usage.customization_job_count, 0) as customization_job_count,
    coalesce(usage.batch_job_count, 0) as batch_job_count,
    usage.last_used_at,
    models.is_listed,
    models.first_seen_at,
    models.last_seen_at,
    case when models.is_vanished then models.last_changed_at end as vanished_before,
    models.is_vanished
from models
left join usage
    on
        models.model_arn = usage.model_arn
        and models.account_id = usage.account_id
        and models.region_name = usage.region_name
