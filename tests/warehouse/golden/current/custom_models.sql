-- description: The resources that bedrock.ListCustomModels lists, each as last observed.
-- grain: one row per resource, also of those that AWS no longer lists
-- key: account_id, region_name, model_arn
-- columns: model_arn, account_id, region_name, model_name, creation_time, base_model_arn,
--   base_model_name, customization_type, owner_account_id, model_status, extra, first_seen_at,
--   last_seen_at, last_changed_at, is_vanished, run_id
--   model_arn: The Amazon Resource Name (ARN) of the custom model
--   model_name: The name of the custom model
--   creation_time: Creation time of the model
--   base_model_arn: The base model Amazon Resource Name (ARN)
--   base_model_name: The base model name
--   customization_type: Specifies whether to carry out continued pre-training of a model or whether to fine-tune it
--   owner_account_id: The unique identifier of the account that owns the model
--   model_status: The current status of the custom model
select
    "model_arn",
    account_id,
    region_name,
    "model_name",
    "creation_time",
    "base_model_arn",
    "base_model_name",
    "customization_type",
    "owner_account_id",
    "model_status",
    extra,
    first_seen_at,
    last_seen_at,
    last_changed_at,
    is_vanished,
    run_id
from resources_as_of(
    'custom_models',
    nullif("model_arn"::varchar, ''),
    'infinity'
)
