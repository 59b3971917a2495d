-- description: The subnets that batch inference jobs run in; text that is no JSON list gives no rows.
-- grain: one row per subnet of a job, as last observed
-- key: account_id, region_name, job_arn, position
-- columns:
--   job_arn: job that names it
--   account_id: account that listed the job
--   region_name: region that listed the job
--   position: place in the list, from 1
--   subnet_id: the subnet
with
jobs as (
    select * from current.model_invocation_jobs
),

listed as (
    select
        jobs.job_arn,
        jobs.account_id,
        jobs.region_name,
        case
            when json_valid(jobs.vpc_config__subnet_ids)
                then jobs.vpc_config__subnet_ids::json -> '$[*]'
        end as elements
    from jobs
),

numbered as (
    select
        listed.job_arn,
        listed.account_id,
        listed.region_name,
        unnest(listed.elements) as element,
        generate_subscripts(listed.elements, 1) as position
    from listed
)

select
    numbered.job_arn,
    numbered.account_id,
    numbered.region_name,
    numbered.position,
    numbered.element ->> '$' as subnet_id
from numbered
where numbered.element ->> '$' is not null
