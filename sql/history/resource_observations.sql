-- description: Every observation of every table in one shape, with the one before it. What AWS listed
--   without an ARN cannot be followed and stands in observations only.
-- grain: one row per observation
-- key: table_name, account_id, region_name, resource_arn, observed_at, run_id
-- columns:
--   table_name: table that holds the observation
--   account_id: account that listed the resource
--   region_name: region that listed the resource
--   parent: membership that listed the resource; null outside Clean Rooms ML
--   resource_arn: identifies the resource within its table, account and region
--   run_id: run that observed it
--   observed_at: when it was observed
--   change: added, changed or vanished
--   previous_change: the same of the observation before; null for the first
--   previous_observed_at: when the observation before was made; null for the first
with
customization_jobs as (
    select * from observations.model_customization_jobs
),

custom_models as (
    select * from observations.custom_models
),

batch_jobs as (
    select * from observations.model_invocation_jobs
),

clean_rooms_jobs as (
    select * from observations.trained_model_inference_jobs
),

observed as (
    select
        'model_customization_jobs' as table_name,
        customization_jobs.account_id,
        customization_jobs.region_name,
        null::varchar as parent,
        nullif(customization_jobs.job_arn, '') as resource_arn,
        customization_jobs.run_id,
        customization_jobs.observed_at,
        customization_jobs.change
    from customization_jobs

    union all

    select
        'custom_models' as table_name,
        custom_models.account_id,
        custom_models.region_name,
        null::varchar as parent,
        nullif(custom_models.model_arn, '') as resource_arn,
        custom_models.run_id,
        custom_models.observed_at,
        custom_models.change
    from custom_models

    union all

    select
        'model_invocation_jobs' as table_name,
        batch_jobs.account_id,
        batch_jobs.region_name,
        null::varchar as parent,
        nullif(batch_jobs.job_arn, '') as resource_arn,
        batch_jobs.run_id,
        batch_jobs.observed_at,
        batch_jobs.change
    from batch_jobs

    union all

    select
        'trained_model_inference_jobs' as table_name,
        clean_rooms_jobs.account_id,
        clean_rooms_jobs.region_name,
        clean_rooms_jobs.parent,
        nullif(clean_rooms_jobs.trained_model_inference_job_arn, '') as resource_arn,
        clean_rooms_jobs.run_id,
        clean_rooms_jobs.observed_at,
        clean_rooms_jobs.change
    from clean_rooms_jobs
)

select
    observed.table_name,
    observed.account_id,
    observed.region_name,
    observed.parent,
    observed.resource_arn,
    observed.run_id,
    observed.observed_at,
    observed.change,
    lag(observed.change) over life as previous_change,
    lag(observed.observed_at) over life as previous_observed_at
from observed
where observed.resource_arn is not null
window
    life as (
        partition by
            observed.table_name,
            observed.account_id,
            observed.region_name,
            observed.resource_arn
        order by observed.observed_at, observed.run_id
    )
