-- description: The security groups that batch inference jobs run under; text that is no JSON list gives no
--   rows.
-- grain: one row per security group of a job, as last observed
-- key: account_id, region_name, job_arn, position
-- columns:
--   job_arn: job that names it
--   account_id: account that listed the job
--   region_name: region that listed the job
--   position: place in the list, from 1
--   security_group_id: the security group
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
            when json_valid(jobs.vpc_config__security_group_ids)
                then jobs.vpc_config__security_group_ids::json -> '$[*]'
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
    numbered.element ->> '$' as security_group_id
from numbered
where numbered.element ->> '$' is not null
