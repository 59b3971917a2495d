-- description: The elements of outputConfiguration.members of trained_model_inference_jobs, one by
--   one; text that is no JSON list gives no rows.
-- grain: one row per element of a resource, as last observed
-- key: account_id, region_name, trained_model_inference_job_arn, position
-- columns: trained_model_inference_job_arn, account_id, region_name, position, value__account_id
--   trained_model_inference_job_arn: The Amazon Resource Name (ARN) of the trained model inference job
--   value__account_id: The account ID of the member that can receive inference results
select
    "trained_model_inference_job_arn",
    account_id,
    region_name,
    position,
    element ->> '$."accountId"' as "value__account_id"
from elements_of('current.trained_model_inference_jobs', "output_configuration__members")
where coalesce(element ->> '$."accountId"') is not null
