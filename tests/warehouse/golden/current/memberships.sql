-- description: The resources that cleanrooms.ListMemberships lists, each as last observed.
-- grain: one row per resource, also of those that AWS no longer lists
-- key: account_id, region_name, id
-- columns: id, account_id, region_name, arn, collaboration_arn, collaboration_id,
--   collaboration_creator_account_id, collaboration_creator_display_name, collaboration_name,
--   create_time, update_time, status, member_abilities,
--   ml_member_abilities__custom_ml_member_abilities,
--   payment_configuration__query_compute__is_responsible,
--   payment_configuration__machine_learning__model_training__is_responsible,
--   payment_configuration__machine_learning__model_inference__is_responsible,
--   payment_configuration__machine_learning__synthetic_data_generation__is_responsible,
--   payment_configuration__job_compute__is_responsible, extra, first_seen_at, last_seen_at,
--   last_changed_at, is_vanished, run_id
--   id: The unique ID for the membership's collaboration
--   arn: The unique ARN for the membership
--   collaboration_arn: The unique ARN for the membership's associated collaboration
--   collaboration_id: The unique ID for the membership's collaboration
--   collaboration_creator_account_id: The identifier of the Amazon Web Services principal that created the collaboration
--   collaboration_creator_display_name: The display name of the collaboration creator
--   collaboration_name: The name for the membership's collaboration
--   create_time: The time when the membership was created
--   update_time: The time the membership metadata was last updated
--   status: The status of the membership
--   member_abilities: The abilities granted to the collaboration member
--   ml_member_abilities__custom_ml_member_abilities: The custom ML member abilities for a collaboration member
--   payment_configuration__query_compute__is_responsible: Indicates whether the collaboration member has accepted to pay for query compute costs ( TRUE ) or has not accepted to pay for query compute costs ( FALSE )
--   payment_configuration__machine_learning__model_training__is_responsible: Indicates whether the collaboration member has accepted to pay for model training costs ( TRUE ) or has not accepted to pay for model training costs ( FALSE )
--   payment_configuration__machine_learning__model_inference__is_responsible: Indicates whether the collaboration member has accepted to pay for model inference costs ( TRUE ) or has not accepted to pay for model inference costs ( FALSE )
--   payment_configuration__machine_learning__synthetic_data_generation__is_responsible: Indicates if this membership is responsible for paying for synthetic data generation
--   payment_configuration__job_compute__is_responsible: Indicates whether the collaboration member has accepted to pay for job compute costs ( TRUE ) or has not accepted to pay for query and job compute costs ( FALSE )
select
    "id",
    account_id,
    region_name,
    "arn",
    "collaboration_arn",
    "collaboration_id",
    "collaboration_creator_account_id",
    "collaboration_creator_display_name",
    "collaboration_name",
    "create_time",
    "update_time",
    "status",
    "member_abilities",
    "ml_member_abilities__custom_ml_member_abilities",
    "payment_configuration__query_compute__is_responsible",
    "payment_configuration__machine_learning__model_training__is_responsible",
    "payment_configuration__machine_learning__model_inference__is_responsible",
    "payment_configuration__machine_learning__synthetic_data_generation__is_responsible",
    "payment_configuration__job_compute__is_responsible",
    extra,
    first_seen_at,
    last_seen_at,
    last_changed_at,
    is_vanished,
    run_id
from resources_as_of(
    'memberships',
    nullif("id"::varchar, ''),
    'infinity'
)
