-- description: The phases of a job's life. Customization jobs tell the times of validation, data
--   processing and training themselves. Batch jobs tell only when they were submitted and when
--   they ended: they left the queue at the first observed status other than Submitted, Validating
--   and Scheduled, and that instant is known only as lying between two listings. Such an instant is
--   null here and has bounds instead, so that no estimate enters an average as a measurement. A
--   job seen only once has the bounds that its own times and the listing before give; one that went
--   back to its queue left it when it first did. An end before the start gives no duration. A job
--   that vanished has the phases that were seen.
--   A batch job has a run phase if it was seen InProgress or ended Completed or
--   PartiallyCompleted; a job that went from the queue to Failed, Stopped or Expired may never
--   have run, and has none. Unknown statuses neither end the queue nor begin the run.
-- grain: one row per phase of a job that is known to have begun or to be planned
-- key: account_id, region_name, job_arn, phase
-- columns: job_arn, job_name, job_kind, account_id, region_name, model, created_at, phase, status,
--   started_at, ended_at, is_end_estimated, duration_seconds, started_after, started_before,
--   ended_after, ended_before, shortest_seconds, longest_seconds
--   status: customization: the phase's status as AWS spells it; queue: InProgress or Completed; run: the job's status
--   started_at: when it began; null where only bounds are known or it has not begun
--   ended_at: when it ended; null where only bounds are known or it has not ended
--   is_end_estimated: whether ended_at is an upper bound, as the last modification of a finished phase is
--   duration_seconds: from started_at to ended_at; null where either is null or the end lies before the start
with
customization_jobs as (
    select
        job_arn,
        job_name,
        'customization' as job_kind,
        account_id,
        region_name,
        model_name(base_model_arn) as model,
        creation_time as created_at,
        columns('status_details__.*')
    from current.model_customization_jobs
),

told_phases as (
    from customization_jobs
    unpivot include nulls (
        (status, begun_at, modified_at) for phase in (
            (
                status_details__validation_details__status,
                status_details__validation_details__creation_time,
                status_details__validation_details__last_modified_time
            ) as validation,
            (
                status_details__data_processing_details__status,
                status_details__data_processing_details__creation_time,
                status_details__data_processing_details__last_modified_time
            ) as data_processing,
            (
                status_details__training_details__status,
                status_details__training_details__creation_time,
                status_details__training_details__last_modified_time
            ) as training
        )
    )
),

customization_phases as (
    select
        * exclude (begun_at, modified_at),
        case when status <> 'NotStarted' then begun_at end as started_at,
        case when status in ('Completed', 'Failed', 'Stopped') then modified_at end as ended_at,
        ended_at is not null as is_end_estimated
    from told_phases
    where status is not null
),

batch_statuses as (
    select
        account_id,
        region_name,
        job_arn,
        observed_at,
        status in ('InProgress', 'Completed', 'PartiallyCompleted') as is_run,
        is_terminal('model_invocation_jobs', status)
        or coalesce(status in ('InProgress', 'Stopping'), false) as has_left
    from observations.model_invocation_jobs
    where change <> 'vanished'
),

departures as (
    select
        account_id,
        region_name,
        job_arn,
        min(observed_at) filter (has_left) as observed_at,
        max(observed_at) filter (not has_left) as waited_at,
        bool_or(is_run) as has_run
    from batch_statuses
    group by all
),

nights as (
    select account_id, region_name, observed_at, min(sighted_at) as sighted_at
    from sightings_before('model_invocation_jobs')
    where change <> 'vanished'
    group by all
),

batch_lives as (
    select
        jobs.* exclude (is_terminal),
        observed_at is not null as has_left_queue,
        coalesce(has_run, false) as has_run,
        case
            when has_left_queue
                then greatest(
                    created_at,
                    sighted_at,
                    case when waited_at < observed_at then waited_at end
                )
        end as left_after,
        least(observed_at, case when not is_end_estimated then ended_at end) as left_before
    from history.jobs as jobs
    left join departures using (account_id, region_name, job_arn)
    left join nights using (account_id, region_name, observed_at)
    where job_kind = 'batch_inference'
),

queues as (
    select
        * replace (
            if(has_left_queue, 'Completed', 'InProgress') as status,
            null::timestamptz as ended_at,
            false as is_end_estimated
        ),
        'queue' as phase,
        created_at as started_at,
        left_after as ended_after,
        left_before as ended_before
    from batch_lives
),

runs as (
    select *, 'run' as phase, left_after as started_after, left_before as started_before
    from batch_lives
    where has_run
),

phases as (
    select * from customization_phases
    union all by name
    select * from queues
    union all by name
    select * from runs
),

measured as (
    select
        *,
        seconds_between(started_at, ended_at) as known_seconds,
        seconds_between(
            coalesce(started_before, started_at), coalesce(ended_after, ended_at)
        ) as certain_seconds,
        seconds_between(
            coalesce(started_after, started_at), coalesce(ended_before, ended_at)
        ) as longest_seconds
    from phases
)

select
    job_arn,
    job_name,
    job_kind,
    account_id,
    region_name,
    model,
    created_at,
    phase,
    status,
    started_at,
    ended_at,
    is_end_estimated,
    known_seconds as duration_seconds,
    started_after,
    started_before,
    ended_after,
    ended_before,
    case
        when longest_seconds is not null and not is_end_estimated then coalesce(certain_seconds, 0)
    end as shortest_seconds,
    longest_seconds
from measured
