-- description: When each job's status was seen to change. AWS tells no history: a change happened
--   after previous_observed_at and by observed_at. Observations that leave the status as it was
--   are no rows here, but narrow the bounds of the next one.
-- grain: one row per observed change of a job's status, its first sight, its vanishing and its return
-- key: account_id, region_name, job_arn, observed_at
-- columns:
--   job_arn: identifies the job within its account and region
--   job_name: the name its creator gave it
--   job_kind: customization, batch_inference or clean_rooms_inference
--   account_id: account that listed it
--   region_name: region that listed it
--   model: as in history.jobs
--   previous_status: the status before; null at first sight and on a return
--   status: the status from here on; null where the job vanished
--   previous_observed_at: lower bound: the last listing that still saw things as they were before (for a first sight: that saw no such job); null if there was none
--   observed_at: upper bound: the listing that saw the change
--   change: added (first sight or return), changed or vanished
--   changed_at: when AWS says it last changed the job, as of this observation; null where the job vanished
--   run_id: run that saw the change
with
customization_jobs as (
    select * from observations.model_customization_jobs
),

batch_jobs as (
    select * from observations.model_invocation_jobs
),

clean_rooms_jobs as (
    select * from observations.trained_model_inference_jobs
),

customization_listings as (
    select * from complete_listings('model_customization_jobs', 'infinity')
),

batch_listings as (
    select * from complete_listings('model_invocation_jobs', 'infinity')
),

clean_rooms_listings as (
    select * from complete_listings('trained_model_inference_jobs', 'infinity')
),

listings as (
    select
        'customization' as job_kind,
        customization_listings.account_id,
        customization_listings.region_name,
        customization_listings.parent,
        customization_listings.run_id,
        customization_listings.started_at,
        customization_listings.previous_started_at
    from customization_listings

    union all

    select
        'batch_inference' as job_kind,
        batch_listings.account_id,
        batch_listings.region_name,
        batch_listings.parent,
        batch_listings.run_id,
        batch_listings.started_at,
        batch_listings.previous_started_at
    from batch_listings

    union all

    select
        'clean_rooms_inference' as job_kind,
        clean_rooms_listings.account_id,
        clean_rooms_listings.region_name,
        clean_rooms_listings.parent,
        clean_rooms_listings.run_id,
        clean_rooms_listings.started_at,
        clean_rooms_listings.previous_started_at
    from clean_rooms_listings
),

observed as (
    select
        nullif(customization_jobs.job_arn, '') as job_arn,
        customization_jobs.job_name,
        'customization' as job_kind,
        customization_jobs.account_id,
        customization_jobs.region_name,
        '' as parent,
        customization_jobs.base_model_arn as model,
        customization_jobs.status as told_status,
        customization_jobs.last_modified_time as told_changed_at,
        customization_jobs.change as told_change,
        customization_jobs.observed_at,
        customization_jobs.run_id
    from customization_jobs

    union all

    select
        nullif(batch_jobs.job_arn, '') as job_arn,
        batch_jobs.job_name,
        'batch_inference' as job_kind,
        batch_jobs.account_id,
        batch_jobs.region_name,
        '' as parent,
        batch_jobs.model_id as model,
        batch_jobs.status as told_status,
        batch_jobs.last_modified_time as told_changed_at,
        batch_jobs.change as told_change,
        batch_jobs.observed_at,
        batch_jobs.run_id
    from batch_jobs

    union all

    select
        nullif(clean_rooms_jobs.trained_model_inference_job_arn, '') as job_arn,
        clean_rooms_jobs.name as job_name,
        'clean_rooms_inference' as job_kind,
        clean_rooms_jobs.account_id,
        clean_rooms_jobs.region_name,
        coalesce(clean_rooms_jobs.parent, '') as parent,
        clean_rooms_jobs.trained_model_arn as model,
        clean_rooms_jobs.status as told_status,
        clean_rooms_jobs.update_time as told_changed_at,
        clean_rooms_jobs.change as told_change,
        clean_rooms_jobs.observed_at,
        clean_rooms_jobs.run_id
    from clean_rooms_jobs
),

alive as (
    select
        observed.*,
        case when observed.told_change <> 'vanished' then observed.told_status end as status,
        case when observed.told_change <> 'vanished' then observed.told_changed_at end as changed_at
    from observed
),

compared as (
    select
        alive.*,
        lag(alive.told_change) over life as previous_change,
        lag(alive.status) over life as previous_status,
        lag(alive.observed_at) over life as last_observed_at
    from alive
    where alive.job_arn is not null
    window
        life as (
            partition by alive.job_kind, alive.account_id, alive.region_name, alive.job_arn
            order by alive.observed_at, alive.run_id
        )
),

changes as (
    select
        compared.*,
        case
            when compared.told_change = 'vanished' then 'vanished'
            when compared.previous_change is null then 'added'
            when compared.previous_change = 'vanished' then 'added'
            else 'changed'
        end as change
    from compared
    where
        compared.told_change = 'vanished'
        or compared.previous_change is null
        or compared.previous_change = 'vanished'
        or compared.status is distinct from compared.previous_status
)

select
    changes.job_arn,
    changes.job_name,
    changes.job_kind,
    changes.account_id,
    changes.region_name,
    model_name(changes.model) as model,
    changes.previous_status,
    changes.status,
    greatest(
        changes.last_observed_at,
        case
            when listings.run_id = changes.run_id then listings.previous_started_at
            else listings.started_at
        end
    ) as previous_observed_at,
    changes.observed_at,
    changes.change,
    changes.changed_at,
    changes.run_id
from changes
asof left join listings
    on
        changes.job_kind = listings.job_kind
        and changes.account_id = listings.account_id
        and changes.region_name = listings.region_name
        and changes.parent = listings.parent
        and changes.observed_at >= listings.started_at
