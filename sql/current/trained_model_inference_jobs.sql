-- description: Clean Rooms ML inference jobs of trained models, each as last observed.
-- grain: one row per job, also of those that AWS no longer lists
-- key: account_id, region_name, trained_model_inference_job_arn
-- columns:
--   trained_model_inference_job_arn: identifies the job within its account and region
--   account_id: account that listed it
--   region_name: region that listed it
--   configured_model_algorithm_association_arn: model algorithm behind the trained model
--   membership_identifier: membership that ran it
--   trained_model_arn: model that the job runs
--   trained_model_version_identifier: version of that model
--   collaboration_identifier: collaboration of the membership
--   status: as AWS spells it
--   output_configuration__accept: media type of the output
--   output_configuration__members: receivers of the output as a JSON list; see trained_model_inference_job_receivers
--   name: the name its creator gave it
--   description: the description its creator gave it
--   metrics_status: whether metrics could be published
--   metrics_status_details: why not
--   logs_status: whether logs could be published
--   logs_status_details: why not
--   ml_model_inference_payer_account_id: account that pays for it
--   create_time: when it was created
--   update_time: when AWS last changed it
--   extra: members that joblake does not know yet, as a JSON object
--   first_seen_at: first listing that saw it
--   last_seen_at: last complete listing that saw it
--   last_changed_at: last listing that found it added, changed or vanished
--   is_vanished: whether AWS no longer lists it; its last known members stand here
--   run_id: run of the last observation
with
resources as (
    select *
    from resources_as_of(
        'trained_model_inference_jobs',
        trained_model_inference_job_arn,
        parent,
        'infinity'
    )
)

select
    resources.trained_model_inference_job_arn,
    resources.account_id,
    resources.region_name,
    resources.configured_model_algorithm_association_arn,
    resources.membership_identifier,
    resources.trained_model_arn,
    resources.trained_model_version_identifier,
    resources.collaboration_identifier,
    resources.status,
    resources.output_configuration__accept,
    resources.output_configuration__members,
    resources.name,
    resources.description,
    resources.metrics_status,
    resources.metrics_status_details,
    resources.logs_status,
    resources.logs_status_details,
    resources.ml_model_inference_payer_account_id,
    resources.create_time,
    resources.update_time,
    resources.extra,
    resources.first_seen_at,
    resources.last_seen_at,
    resources.last_changed_at,
    resources.is_vanished,
    resources.run_id
from resources
