-- description: The accounts that receive the output of Clean Rooms ML inference jobs; text that is no JSON
--   list gives no rows.
-- grain: one row per receiver of a job, as last observed
-- key: account_id, region_name, trained_model_inference_job_arn, position
-- columns:
--   trained_model_inference_job_arn: job that names it
--   account_id: account that listed the job
--   region_name: region that listed the job
--   position: place in the list, from 1
--   receiver_account_id: account that receives the output
with
jobs as (
    select * from current.trained_model_inference_jobs
),

listed as (
    select
        jobs.trained_model_inference_job_arn,
        jobs.account_id,
        jobs.region_name,
        case
            when json_valid(jobs.output_configuration__members)
                then jobs.output_configuration__members::json -> '$[*]'
        end as elements
    from jobs
),

numbered as (
    select
        listed.trained_model_inference_job_arn,
        listed.account_id,
        listed.region_name,
        unnest(listed.elements) as element,
        generate_subscripts(listed.elements, 1) as position
    from listed
)

select
    numbered.trained_model_inference_job_arn,
    numbered.account_id,
    numbered.region_name,
    numbered.position,
    numbered.element ->> '$.accountId' as receiver_account_id
from numbered
where numbered.element ->> '$.accountId' is not null
