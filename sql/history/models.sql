-- description: Every custom model in one shape: those that a listing showed, and those that only a
--   customization job says it made, with the job and how much they are used. A model that is made
--   by several jobs has the newest; use counts jobs of the same account and region that name the
--   model by its ARN, so a call through provisioned throughput does not count.
-- grain: one row per model, also of those that AWS no longer lists
-- key: account_id, region_name, model_arn
-- columns: model_arn, model_name, account_id, region_name, base_model, customization_type,
--   owner_account_id, status, created_at, job_arn, job_name, customization_job_count,
--   batch_job_count, last_used_at, is_listed, first_seen_at, last_seen_at, vanished_before,
--   is_vanished
--   account_id: account that listed it, or its job
--   region_name: region that listed it, or its job
--   status: Creating, Active or Failed as AWS spells it; null where only its job is known
--   created_at: when it was created; null where only its job is known
--   job_arn: customization job that made it; null where no such job is known, as for imported and shared models
--   job_name: name of that job
--   first_seen_at: first listing that saw it; null if none did
--   last_seen_at: last complete listing that saw it; null if none did
--   is_vanished: whether AWS no longer lists it, after having done so
with
makers as (
    select
        account_id,
        region_name,
        custom_model_arn as model_arn,
        arg_max(
            {
                job_arn: job_arn,
                job_name: job_name,
                model_name: custom_model_name,
                base_model_arn: base_model_arn,
                customization_type: customization_type
            },
            (coalesce(creation_time, '-infinity'), job_arn)
        ) as job
    from current.model_customization_jobs
    where custom_model_arn <> ''
    group by all
),

uses as (
    select
        account_id,
        region_name,
        base_model_arn as model_arn,
        'customization' as job_kind,
        creation_time as created_at
    from current.model_customization_jobs

    union all

    select account_id, region_name, model_id, 'batch_inference', submit_time
    from current.model_invocation_jobs
),

usage as (
    select
        account_id,
        region_name,
        model_arn,
        count(*) filter (job_kind = 'customization') as customization_job_count,
        count(*) filter (job_kind = 'batch_inference') as batch_job_count,
        max(created_at) as last_used_at
    from uses
    where model_arn is not null
    group by all
)

select
    model_arn,
    coalesce(model_name, job.model_name) as model_name,
    account_id,
    region_name,
    model_name(coalesce(base_model_arn, job.base_model_arn)) as base_model,
    coalesce(customization_type, job.customization_type) as customization_type,
    owner_account_id,
    model_status as status,
    creation_time as created_at,
    job.job_arn as job_arn,
    job.job_name as job_name,
    coalesce(customization_job_count, 0) as customization_job_count,
    coalesce(batch_job_count, 0) as batch_job_count,
    last_used_at,
    first_seen_at is not null as is_listed,
    first_seen_at,
    last_seen_at,
    case when is_vanished then last_changed_at end as vanished_before,
    coalesce(is_vanished, false) as is_vanished
from current.custom_models
full join makers using (account_id, region_name, model_arn)
left join usage using (account_id, region_name, model_arn)
