-- description: Bedrock model customization jobs, each as last observed.
-- grain: one row per job, also of those that AWS no longer lists
-- key: account_id, region_name, job_arn
-- columns:
--   job_arn: identifies the job within its account and region
--   account_id: account that listed it
--   region_name: region that listed it
--   base_model_arn: model it was made from
--   job_name: the name its creator gave it
--   status: as AWS spells it
--   status_details__validation_details__status: status of the validation phase
--   status_details__validation_details__creation_time: when validation began
--   status_details__validation_details__last_modified_time: when the validation phase last changed
--   status_details__data_processing_details__status: status of the data processing phase
--   status_details__data_processing_details__creation_time: when data processing began
--   status_details__data_processing_details__last_modified_time: when the data processing phase last changed
--   status_details__training_details__status: status of the training phase
--   status_details__training_details__creation_time: when training began
--   status_details__training_details__last_modified_time: when the training phase last changed
--   last_modified_time: when AWS last changed it
--   creation_time: when it was created
--   end_time: when it ended; null while it runs, and sometimes after
--   custom_model_arn: model that the job made
--   custom_model_name: name of the model that the job makes
--   customization_type: kind of customization, such as FINE_TUNING
--   extra: members that joblake does not know yet, as a JSON object
--   first_seen_at: first listing that saw it
--   last_seen_at: last complete listing that saw it
--   last_changed_at: last listing that found it added, changed or vanished
--   is_vanished: whether AWS no longer lists it; its last known members stand here
--   run_id: run of the last observation
with
resources as (
    select * from resources_as_of('model_customization_jobs', job_arn, null, 'infinity')
)

select
    resources.job_arn,
    resources.account_id,
    resources.region_name,
    resources.base_model_arn,
    resources.job_name,
    resources.status,
    resources.status_details__validation_details__status,
    resources.status_details__validation_details__creation_time,
    resources.status_details__validation_details__last_modified_time,
    resources.status_details__data_processing_details__status,
    resources.status_details__data_processing_details__creation_time,
    resources.status_details__data_processing_details__last_modified_time,
    resources.status_details__training_details__status,
    resources.status_details__training_details__creation_time,
    resources.status_details__training_details__last_modified_time,
    resources.last_modified_time,
    resources.creation_time,
    resources.end_time,
    resources.custom_model_arn,
    resources.custom_model_name,
    resources.customization_type,
    resources.extra,
    resources.first_seen_at,
    resources.last_seen_at,
    resources.last_changed_at,
    resources.is_vanished,
    resources.run_id
from resources
