-- description: The resources that bedrock.ListModelInvocationJobs lists, each as last observed.
-- grain: one row per resource, also of those that AWS no longer lists
-- key: account_id, region_name, job_arn
-- columns: job_arn, account_id, region_name, job_name, model_id, client_request_token, role_arn,
--   status, message, submit_time, last_modified_time, end_time,
--   input_data_config__s3_input_data_config__s3_input_format,
--   input_data_config__s3_input_data_config__s3_uri,
--   input_data_config__s3_input_data_config__s3_bucket_owner,
--   output_data_config__s3_output_data_config__s3_uri,
--   output_data_config__s3_output_data_config__s3_encryption_key_id,
--   output_data_config__s3_output_data_config__s3_bucket_owner, vpc_config__subnet_ids,
--   vpc_config__security_group_ids, timeout_duration_in_hours, job_expiration_time,
--   model_invocation_type, total_record_count, processed_record_count, success_record_count,
--   error_record_count, extra, first_seen_at, last_seen_at, last_changed_at, is_vanished, run_id
--   job_arn: The Amazon Resource Name (ARN) of the batch inference job
--   job_name: The name of the batch inference job
--   model_id: The unique identifier of the foundation model used for model inference
--   client_request_token: A unique, case-sensitive identifier to ensure that the API request completes no more than one time
--   role_arn: The Amazon Resource Name (ARN) of the service role with permissions to carry out and manage batch inference
--   status: The status of the batch inference job
--   message: If the batch inference job failed, this field contains a message describing why the job failed
--   submit_time: The time at which the batch inference job was submitted
--   last_modified_time: The time at which the batch inference job was last modified
--   end_time: The time at which the batch inference job ended
--   input_data_config__s3_input_data_config__s3_input_format: The format of the input data
--   input_data_config__s3_input_data_config__s3_uri: The S3 location of the input data
--   input_data_config__s3_input_data_config__s3_bucket_owner: The ID of the Amazon Web Services account that owns the S3 bucket containing the input data
--   output_data_config__s3_output_data_config__s3_uri: The S3 location of the output data
--   output_data_config__s3_output_data_config__s3_encryption_key_id: The unique identifier of the key that encrypts the S3 location of the output data
--   output_data_config__s3_output_data_config__s3_bucket_owner: The ID of the Amazon Web Services account that owns the S3 bucket containing the output data
--   vpc_config__subnet_ids: An array of IDs for each subnet in the VPC to use
--   vpc_config__security_group_ids: An array of IDs for each security group in the VPC to use
--   timeout_duration_in_hours: The number of hours after which the batch inference job was set to time out
--   job_expiration_time: The time at which the batch inference job times or timed out
--   model_invocation_type: The invocation endpoint for ModelInvocationJob
--   total_record_count: The total number of records in the batch inference job
--   processed_record_count: The number of records that have been processed in the batch inference job
--   success_record_count: The number of records that were successfully processed in the batch inference job
--   error_record_count: The number of records that failed to process in the batch inference job
select
    "job_arn",
    account_id,
    region_name,
    "job_name",
    "model_id",
    "client_request_token",
    "role_arn",
    "status",
    "message",
    "submit_time",
    "last_modified_time",
    "end_time",
    "input_data_config__s3_input_data_config__s3_input_format",
    "input_data_config__s3_input_data_config__s3_uri",
    "input_data_config__s3_input_data_config__s3_bucket_owner",
    "output_data_config__s3_output_data_config__s3_uri",
    "output_data_config__s3_output_data_config__s3_encryption_key_id",
    "output_data_config__s3_output_data_config__s3_bucket_owner",
    "vpc_config__subnet_ids",
    "vpc_config__security_group_ids",
    "timeout_duration_in_hours",
    "job_expiration_time",
    "model_invocation_type",
    "total_record_count",
    "processed_record_count",
    "success_record_count",
    "error_record_count",
    extra,
    first_seen_at,
    last_seen_at,
    last_changed_at,
    is_vanished,
    run_id
from resources_as_of(
    'model_invocation_jobs',
    nullif("job_arn"::varchar, ''),
    'infinity'
)
