-- description: Bedrock custom models, each as last observed.
-- grain: one row per model, also of those that AWS no longer lists
-- key: account_id, region_name, model_arn
-- columns:
--   model_arn: identifies the model within its account and region
--   account_id: account that listed it
--   region_name: region that listed it
--   model_name: the name its creator gave it
--   creation_time: when it was created
--   base_model_arn: model it was made from
--   base_model_name: name of the model it was made from
--   customization_type: kind of customization, such as FINE_TUNING
--   owner_account_id: account that owns the model
--   model_status: Creating, Active or Failed
--   extra: members that joblake does not know yet, as a JSON object
--   first_seen_at: first listing that saw it
--   last_seen_at: last complete listing that saw it
--   last_changed_at: last listing that found it added, changed or vanished
--   is_vanished: whether AWS no longer lists it; its last known members stand here
--   run_id: run of the last observation
with
resources as (
    select * from resources_as_of('custom_models', model_arn, null, 'infinity')
)

select
    resources.model_arn,
    resources.account_id,
    resources.region_name,
    resources.model_name,
    resources.creation_time,
    resources.base_model_arn,
    resources.base_model_name,
    resources.customization_type,
    resources.owner_account_id,
    resources.model_status,
    resources.extra,
    resources.first_seen_at,
    resources.last_seen_at,
    resources.last_changed_at,
    resources.is_vanished,
    resources.run_id
from resources
