-- description: Every job as it was known at an instant, from the observations and listings that
--   began by then; `jobs_as_of('infinity')` is the view history.jobs, which explains the columns.
-- grain: one row per job: account_id, region_name and job_arn
-- parameters: the instant
create macro jobs_as_of(as_of) as table
with
ended as (
    select
        * replace (
            model_name(model) as model,
            coalesce(ended_at, case when is_terminal then estimated_end_at end) as ended_at
        ),
        ended_at is null and is_terminal and estimated_end_at is not null as is_end_estimated
    from job_states_as_of(as_of)
    where job_kind is not null
)

select
    resource_id as job_arn,
    name as job_name,
    job_kind,
    account_id,
    region_name,
    model,
    status,
    outcome,
    is_terminal,
    created_at,
    ended_at,
    is_end_estimated,
    case when is_terminal then seconds_between(created_at, ended_at) end as duration_seconds,
    message,
    first_seen_at,
    last_seen_at,
    is_vanished
from ended
