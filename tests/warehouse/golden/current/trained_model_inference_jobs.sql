-- description: The resources that cleanroomsml.ListTrainedModelInferenceJobs lists, each as last
--   observed.
-- grain: one row per resource, also of those that AWS no longer lists
-- key: account_id, region_name, trained_model_inference_job_arn
-- columns: trained_model_inference_job_arn, account_id, region_name, parent,
--   configured_model_algorithm_association_arn, membership_identifier, trained_model_arn,
--   trained_model_version_identifier, collaboration_identifier, status,
--   output_configuration__accept, output_configuration__members, name, description, metrics_status,
--   metrics_status_details, logs_status, logs_status_details, ml_model_inference_payer_account_id,
--   create_time, update_time, extra, first_seen_at, last_seen_at, last_changed_at, is_vanished,
--   run_id
--   trained_model_inference_job_arn: The Amazon Resource Name (ARN) of the trained model inference job
--   configured_model_algorithm_association_arn: The Amazon Resource Name (ARN) of the configured model algorithm association that is used for the trained model inference job
--   membership_identifier: The membership ID of the membership that contains the trained model inference job
--   trained_model_arn: The Amazon Resource Name (ARN) of the trained model that is used for the trained model inference job
--   trained_model_version_identifier: The version identifier of the trained model that was used for inference in this job
--   collaboration_identifier: The collaboration ID of the collaboration that contains the trained model inference job
--   status: The status of the trained model inference job
--   output_configuration__accept: The MIME type used to specify the output data
--   output_configuration__members: Defines the members that can receive inference output
--   name: The name of the trained model inference job
--   description: The description of the trained model inference job
--   metrics_status: The metric status of the trained model inference job
--   metrics_status_details: Details about the metrics status for the trained model inference job
--   logs_status: The log status of the trained model inference job
--   logs_status_details: Details about the log status for the trained model inference job
--   ml_model_inference_payer_account_id: The account ID of the member that is responsible for paying for model inference costs
--   create_time: The time at which the trained model inference job was created
--   update_time: The most recent time at which the trained model inference job was updated
select
    "trained_model_inference_job_arn",
    account_id,
    region_name,
    parent,
    "configured_model_algorithm_association_arn",
    "membership_identifier",
    "trained_model_arn",
    "trained_model_version_identifier",
    "collaboration_identifier",
    "status",
    "output_configuration__accept",
    "output_configuration__members",
    "name",
    "description",
    "metrics_status",
    "metrics_status_details",
    "logs_status",
    "logs_status_details",
    "ml_model_inference_payer_account_id",
    "create_time",
    "update_time",
    extra,
    first_seen_at,
    last_seen_at,
    last_changed_at,
    is_vanished,
    run_id
from resources_as_of(
    'trained_model_inference_jobs',
    nullif("trained_model_inference_job_arn"::varchar, ''),
    'infinity'
)
