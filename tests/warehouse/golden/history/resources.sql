-- description: Every observation of every source in one shape. A resource that AWS listed without
--   its key cannot be followed; it stands in observations only.
-- grain: one row per observation
-- key: table_name, account_id, region_name, resource_id, observed_at, run_id
-- columns: table_name, job_kind, account_id, region_name, parent, resource_id, name, status,
--   outcome, is_terminal, created_at, modified_at, ended_at, model, message, run_id, observed_at,
--   change
select
    'model_customization_jobs' as table_name,
    'customization' as job_kind,
    account_id,
    region_name,
    parent,
    nullif("job_arn"::varchar, '') as resource_id,
    "job_name" as name,
    "status" as status,
    outcome('model_customization_jobs', "status") as outcome,
    is_terminal('model_customization_jobs', "status") as is_terminal,
    "creation_time" as created_at,
    "last_modified_time" as modified_at,
    "end_time" as ended_at,
    "base_model_arn" as model,
    null::varchar as message,
    run_id,
    observed_at,
    change
from observations.model_customization_jobs
where nullif("job_arn"::varchar, '') is not null

union all

select
    'custom_models' as table_name,
    null::varchar as job_kind,
    account_id,
    region_name,
    parent,
    nullif("model_arn"::varchar, '') as resource_id,
    "model_name" as name,
    "model_status" as status,
    outcome('custom_models', "model_status") as outcome,
    is_terminal('custom_models', "model_status") as is_terminal,
    "creation_time" as created_at,
    null::timestamptz as modified_at,
    null::timestamptz as ended_at,
    "base_model_arn" as model,
    null::varchar as message,
    run_id,
    observed_at,
    change
from observations.custom_models
where nullif("model_arn"::varchar, '') is not null

union all

select
    'model_invocation_jobs' as table_name,
    'batch_inference' as job_kind,
    account_id,
    region_name,
    parent,
    nullif("job_arn"::varchar, '') as resource_id,
    "job_name" as name,
    "status" as status,
    outcome('model_invocation_jobs', "status") as outcome,
    is_terminal('model_invocation_jobs', "status") as is_terminal,
    "submit_time" as created_at,
    "last_modified_time" as modified_at,
    "end_time" as ended_at,
    "model_id" as model,
    "message" as message,
    run_id,
    observed_at,
    change
from observations.model_invocation_jobs
where nullif("job_arn"::varchar, '') is not null

union all

select
    'trained_model_inference_jobs' as table_name,
    'clean_rooms_inference' as job_kind,
    account_id,
    region_name,
    parent,
    nullif("trained_model_inference_job_arn"::varchar, '') as resource_id,
    "name" as name,
    "status" as status,
    outcome('trained_model_inference_jobs', "status") as outcome,
    is_terminal('trained_model_inference_jobs', "status") as is_terminal,
    "create_time" as created_at,
    "update_time" as modified_at,
    null::timestamptz as ended_at,
    "trained_model_arn" as model,
    null::varchar as message,
    run_id,
    observed_at,
    change
from observations.trained_model_inference_jobs
where nullif("trained_model_inference_job_arn"::varchar, '') is not null

union all

select
    'memberships' as table_name,
    null::varchar as job_kind,
    account_id,
    region_name,
    parent,
    nullif("id"::varchar, '') as resource_id,
    "collaboration_name" as name,
    "status" as status,
    outcome('memberships', "status") as outcome,
    is_terminal('memberships', "status") as is_terminal,
    "create_time" as created_at,
    "update_time" as modified_at,
    null::timestamptz as ended_at,
    null::varchar as model,
    null::varchar as message,
    run_id,
    observed_at,
    change
from observations.memberships
where nullif("id"::varchar, '') is not null
