-- description: The resources that bedrock.ListModelCustomizationJobs lists, each as last observed.
-- grain: one row per resource, also of those that AWS no longer lists
-- key: account_id, region_name, job_arn
-- columns: job_arn, account_id, region_name, base_model_arn, job_name, status,
--   status_details__validation_details__status, status_details__validation_details__creation_time,
--   status_details__validation_details__last_modified_time,
--   status_details__data_processing_details__status,
--   status_details__data_processing_details__creation_time,
--   status_details__data_processing_details__last_modified_time,
--   status_details__training_details__status, status_details__training_details__creation_time,
--   status_details__training_details__last_modified_time, last_modified_time, creation_time,
--   end_time, custom_model_arn, custom_model_name, customization_type, extra, first_seen_at,
--   last_seen_at, last_changed_at, is_vanished, run_id
--   job_arn: Amazon Resource Name (ARN) of the customization job
--   base_model_arn: Amazon Resource Name (ARN) of the base model
--   job_name: Name of the customization job
--   status: Status of the customization job
--   status_details__validation_details__status: The status of the validation sub-task of the job
--   status_details__validation_details__creation_time: The start time of the validation sub-task of the job
--   status_details__validation_details__last_modified_time: The latest update to the validation sub-task of the job
--   status_details__data_processing_details__status: The status of the data processing sub-task of the job
--   status_details__data_processing_details__creation_time: The start time of the data processing sub-task of the job
--   status_details__data_processing_details__last_modified_time: The latest update to the data processing sub-task of the job
--   status_details__training_details__status: The status of the training sub-task of the job
--   status_details__training_details__creation_time: The start time of the training sub-task of the job
--   status_details__training_details__last_modified_time: The latest update to the training sub-task of the job
--   last_modified_time: Time that the customization job was last modified
--   creation_time: Creation time of the custom model
--   end_time: Time that the customization job ended
--   custom_model_arn: Amazon Resource Name (ARN) of the custom model
--   custom_model_name: Name of the custom model
--   customization_type: Specifies whether to carry out continued pre-training of a model or whether to fine-tune it
select
    "job_arn",
    account_id,
    region_name,
    "base_model_arn",
    "job_name",
    "status",
    "status_details__validation_details__status",
    "status_details__validation_details__creation_time",
    "status_details__validation_details__last_modified_time",
    "status_details__data_processing_details__status",
    "status_details__data_processing_details__creation_time",
    "status_details__data_processing_details__last_modified_time",
    "status_details__training_details__status",
    "status_details__training_details__creation_time",
    "status_details__training_details__last_modified_time",
    "last_modified_time",
    "creation_time",
    "end_time",
    "custom_model_arn",
    "custom_model_name",
    "customization_type",
    extra,
    first_seen_at,
    last_seen_at,
    last_changed_at,
    is_vanished,
    run_id
from resources_as_of(
    'model_customization_jobs',
    nullif("job_arn"::varchar, ''),
    'infinity'
)
