-- description: The elements of vpcConfig.subnetIds of model_invocation_jobs, one by one; text that
--   is no JSON list gives no rows.
-- grain: one row per element of a resource, as last observed
-- key: account_id, region_name, job_arn, position
-- columns: job_arn, account_id, region_name, position, value
--   job_arn: The Amazon Resource Name (ARN) of the batch inference job
--   value: AWS's value
select
    "job_arn",
    account_id,
    region_name,
    position,
    element ->> '$' as "value"
from elements_of('current.model_invocation_jobs', "vpc_config__subnet_ids")
where coalesce(element ->> '$') is not null
