-- description: When each job's status was seen to change. AWS tells no history: a change happened
--   after previous_observed_at and by observed_at. Observations that leave the status as it was
--   are no rows here, but narrow the bounds of the next one.
-- grain: one row per observed change of a job's status, its first sight, its vanishing and its return
-- key: account_id, region_name, job_arn, observed_at
-- columns: job_arn, job_name, job_kind, account_id, region_name, model, previous_status, status,
--   previous_observed_at, observed_at, change, changed_at, run_id
--   status: the status from here on; null where the job vanished
--   observed_at: upper bound: the listing that saw the change
with
observed as (
    select
        resource_id as job_arn,
        name as job_name,
        job_kind,
        table_name,
        account_id,
        region_name,
        coalesce(parent, '') as scope_parent,
        model,
        case when change <> 'vanished' then status end as status,
        case when change <> 'vanished' then modified_at end as changed_at,
        change as told_change,
        observed_at,
        run_id
    from history.resources
    where job_kind is not null
),

compared as (
    select
        *,
        lag(told_change, 1, 'vanished') over life as previous_change,
        lag(status) over life as previous_status,
        lag(observed_at) over life as last_observed_at
    from observed
    window
        life as (
            partition by table_name, account_id, region_name, job_arn order by observed_at, run_id
        )
),

changes as (
    select
        *,
        case
            when told_change = 'vanished' then 'vanished'
            when previous_change = 'vanished' then 'added'
            when status is distinct from previous_status then 'changed'
        end as change
    from compared
    where change is not null
)

select
    job_arn,
    job_name,
    job_kind,
    account_id,
    region_name,
    model_name(model) as model,
    previous_status,
    status,
    greatest(
        last_observed_at,
        if(listing_run_id = run_id, previous_started_at, started_at)
    ) as previous_observed_at,
    changes.observed_at,
    change,
    changed_at,
    run_id
from changes
asof left join complete_listings()
    using (table_name, account_id, region_name, scope_parent, observed_at)
