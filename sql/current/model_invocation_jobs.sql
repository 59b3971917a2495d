-- description: Bedrock batch inference jobs, each as last observed.
-- grain: one row per job, also of those that AWS no longer lists
-- key: account_id, region_name, job_arn
-- columns:
--   job_arn: identifies the job within its account and region
--   account_id: account that listed it
--   region_name: region that listed it
--   job_name: the name its creator gave it
--   model_id: model that the job calls, as an id or ARN
--   client_request_token: idempotency token of the request that made it
--   role_arn: role that the job runs under
--   status: as AWS spells it
--   message: why it failed, or what to know of its state
--   submit_time: when it was submitted
--   last_modified_time: when AWS last changed it
--   end_time: when it ended; null while it runs, and sometimes after
--   input_data_config__s3_input_data_config__s3_input_format: format of the input
--   input_data_config__s3_input_data_config__s3_uri: where the input lies
--   input_data_config__s3_input_data_config__s3_bucket_owner: account that owns the input bucket
--   output_data_config__s3_output_data_config__s3_uri: where the output goes
--   output_data_config__s3_output_data_config__s3_encryption_key_id: key that encrypts the output
--   output_data_config__s3_output_data_config__s3_bucket_owner: account that owns the output bucket
--   vpc_config__subnet_ids: subnets as a JSON list; see model_invocation_job_subnets
--   vpc_config__security_group_ids: security groups as a JSON list; see model_invocation_job_security_groups
--   timeout_duration_in_hours: hours after which the job expires
--   job_expiration_time: when the job expires
--   model_invocation_type: how the model is called: InvokeModel or Converse
--   total_record_count: records of the input
--   processed_record_count: records processed so far
--   success_record_count: records processed without error
--   error_record_count: records that failed
--   extra: members that joblake does not know yet, as a JSON object
--   first_seen_at: first listing that saw it
--   last_seen_at: last complete listing that saw it
--   last_changed_at: last listing that found it added, changed or vanished
--   is_vanished: whether AWS no longer lists it; its last known members stand here
--   run_id: run of the last observation
with
resources as (
    select * from resources_as_of('model_invocation_jobs', job_arn, null, 'infinity')
)

select
    resources.job_arn,
    resources.account_id,
    resources.region_name,
    resources.job_name,
    resources.model_id,
    resources.client_request_token,
    resources.role_arn,
    resources.status,
    resources.message,
    resources.submit_time,
    resources.last_modified_time,
    resources.end_time,
    resources.input_data_config__s3_input_data_config__s3_input_format,
    resources.input_data_config__s3_input_data_config__s3_uri,
    resources.input_data_config__s3_input_data_config__s3_bucket_owner,
    resources.output_data_config__s3_output_data_config__s3_uri,
    resources.output_data_config__s3_output_data_config__s3_encryption_key_id,
    resources.output_data_config__s3_output_data_config__s3_bucket_owner,
    resources.vpc_config__subnet_ids,
    resources.vpc_config__security_group_ids,
    resources.timeout_duration_in_hours,
    resources.job_expiration_time,
    resources.model_invocation_type,
    resources.total_record_count,
    resources.processed_record_count,
    resources.success_record_count,
    resources.error_record_count,
    resources.extra,
    resources.first_seen_at,
    resources.last_seen_at,
    resources.last_changed_at,
    resources.is_vanished,
    resources.run_id
from resources
