-- description: How many observations each run left of each scope.
-- grain: one row per run and scope that has any
-- key: run_id, table_name, account_id, region_name, parent
-- columns: run_id, table_name, account_id, region_name, parent, observation_count
select
    run_id,
    'model_customization_jobs' as table_name,
    account_id,
    region_name,
    parent,
    count(*) as observation_count
from observations.model_customization_jobs
group by all

union all

select
    run_id,
    'custom_models' as table_name,
    account_id,
    region_name,
    parent,
    count(*) as observation_count
from observations.custom_models
group by all

union all

select
    run_id,
    'model_invocation_jobs' as table_name,
    account_id,
    region_name,
    parent,
    count(*) as observation_count
from observations.model_invocation_jobs
group by all

union all

select
    run_id,
    'trained_model_inference_jobs' as table_name,
    account_id,
    region_name,
    parent,
    count(*) as observation_count
from observations.trained_model_inference_jobs
group by all

union all

select
    run_id,
    'memberships' as table_name,
    account_id,
    region_name,
    parent,
    count(*) as observation_count
from observations.memberships
group by all
