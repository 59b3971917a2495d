-- description: The resources that are jobs, of every source, in one shape, as known at an instant.
--   `estimated_end_at` is an upper bound of a job's end: its last modification, or, where AWS tells
--   no end, what the first observation with a terminal status says.
-- grain: one row per table_name, account_id, region_name and resource_id
-- parameters: the instant
create macro job_states_as_of(as_of) as table
select
    'model_customization_jobs' as table_name,
    'customization' as job_kind,
    account_id,
    region_name,
    parent,
    resource_id,
    "job_name" as name,
    "status" as status,
    outcome('model_customization_jobs', "status") as outcome,
    is_terminal('model_customization_jobs', "status") as is_terminal,
    "creation_time" as created_at,
    "last_modified_time" as modified_at,
    "end_time" as ended_at,
    "base_model_arn" as model,
    null::varchar as message,
    "last_modified_time" as estimated_end_at,
    first_seen_at,
    last_seen_at,
    is_vanished
from resources_as_of(
    'model_customization_jobs',
    nullif("job_arn"::varchar, ''),
    as_of
)

union all

select
    'model_invocation_jobs' as table_name,
    'batch_inference' as job_kind,
    account_id,
    region_name,
    parent,
    resource_id,
    "job_name" as name,
    "status" as status,
    outcome('model_invocation_jobs', "status") as outcome,
    is_terminal('model_invocation_jobs', "status") as is_terminal,
    "submit_time" as created_at,
    "last_modified_time" as modified_at,
    "end_time" as ended_at,
    "model_id" as model,
    "message" as message,
    "last_modified_time" as estimated_end_at,
    first_seen_at,
    last_seen_at,
    is_vanished
from resources_as_of(
    'model_invocation_jobs',
    nullif("job_arn"::varchar, ''),
    as_of
)

union all

select
    'trained_model_inference_jobs' as table_name,
    'clean_rooms_inference' as job_kind,
    account_id,
    region_name,
    parent,
    resource_id,
    "name" as name,
    "status" as status,
    outcome('trained_model_inference_jobs', "status") as outcome,
    is_terminal('trained_model_inference_jobs', "status") as is_terminal,
    "create_time" as created_at,
    "update_time" as modified_at,
    null::timestamptz as ended_at,
    "trained_model_arn" as model,
    null::varchar as message,
    first_end_at as estimated_end_at,
    first_seen_at,
    last_seen_at,
    is_vanished
from resources_as_of(
    'trained_model_inference_jobs',
    nullif("trained_model_inference_job_arn"::varchar, ''),
    as_of,
    end_seen := case when is_terminal('trained_model_inference_jobs', "status") then "update_time" end
)
