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
-- columns:
--   job_arn: identifies the job within its account and region
--   job_name: the name its creator gave it
--   job_kind: customization or batch_inference
--   account_id: account that listed it
--   region_name: region that listed it
--   model: as in history.jobs
--   created_at: when the job was created or submitted
--   phase: validation, data_processing or training; queue or run
--   status: customization: the phase's status as AWS spells it; queue: InProgress or Completed; run: the job's status
--   started_at: when it began; null where only bounds are known or it has not begun
--   ended_at: when it ended; null where only bounds are known or it has not ended
--   is_end_estimated: whether ended_at is the last modification of a finished phase, an upper bound
--   duration_seconds: from started_at to ended_at; null where either is null or the end lies before the start
--   started_after: lower bound of an unknown start
--   started_before: upper bound of an unknown start
--   ended_after: lower bound of an unknown end
--   ended_before: upper bound of an unknown end
--   shortest_seconds: the least that the phase can have lasted; null unless it has ended at a time that is no estimate
--   longest_seconds: the most that the phase can have lasted; null unless it has ended
with
customization_jobs as (
    select * from current.model_customization_jobs
),

batch_observations as (
    select * from observations.model_invocation_jobs
),

sightings as (
    select * from sightings_before('model_invocation_jobs', null, 'infinity')
),

jobs as (
    select * from history.jobs
),

told_phases as (
    select
        customization_jobs.job_arn,
        customization_jobs.job_name,
        customization_jobs.account_id,
        customization_jobs.region_name,
        customization_jobs.base_model_arn,
        customization_jobs.creation_time as job_created_at,
        'validation' as phase,
        customization_jobs.status_details__validation_details__status as status,
        customization_jobs.status_details__validation_details__creation_time as created_at,
        customization_jobs.status_details__validation_details__last_modified_time as modified_at
    from customization_jobs

    union all

    select
        customization_jobs.job_arn,
        customization_jobs.job_name,
        customization_jobs.account_id,
        customization_jobs.region_name,
        customization_jobs.base_model_arn,
        customization_jobs.creation_time as job_created_at,
        'data_processing' as phase,
        customization_jobs.status_details__data_processing_details__status as status,
        customization_jobs.status_details__data_processing_details__creation_time as created_at,
        customization_jobs.status_details__data_processing_details__last_modified_time
            as modified_at
    from customization_jobs

    union all

    select
        customization_jobs.job_arn,
        customization_jobs.job_name,
        customization_jobs.account_id,
        customization_jobs.region_name,
        customization_jobs.base_model_arn,
        customization_jobs.creation_time as job_created_at,
        'training' as phase,
        customization_jobs.status_details__training_details__status as status,
        customization_jobs.status_details__training_details__creation_time as created_at,
        customization_jobs.status_details__training_details__last_modified_time as modified_at
    from customization_jobs
),

customization_phases as (
    select
        told_phases.job_arn,
        told_phases.job_name,
        'customization' as job_kind,
        told_phases.account_id,
        told_phases.region_name,
        model_name(told_phases.base_model_arn) as model,
        told_phases.job_created_at as created_at,
        told_phases.phase,
        told_phases.status,
        case when told_phases.status <> 'NotStarted' then told_phases.created_at end as started_at,
        case
            when told_phases.status in ('Completed', 'Failed', 'Stopped')
                then told_phases.modified_at
        end as ended_at,
        null::timestamptz as started_after,
        null::timestamptz as started_before,
        null::timestamptz as ended_after,
        null::timestamptz as ended_before
    from told_phases
    where told_phases.status is not null
),

batch_statuses as (
    select
        batch_observations.account_id,
        batch_observations.region_name,
        batch_observations.job_arn,
        batch_observations.observed_at,
        batch_observations.status in ('InProgress', 'Completed', 'PartiallyCompleted') as is_run,
        coalesce(
            batch_observations.status in (
                'InProgress', 'Stopping',
                'Completed', 'PartiallyCompleted', 'Failed', 'Stopped', 'Expired'
            ),
            false
        ) as has_left
    from batch_observations
    where batch_observations.change <> 'vanished'
),

departures as (
    select
        batch_statuses.account_id,
        batch_statuses.region_name,
        batch_statuses.job_arn,
        min(batch_statuses.observed_at) filter (where batch_statuses.has_left) as observed_at,
        max(batch_statuses.observed_at) filter (where not batch_statuses.has_left) as waited_at,
        bool_or(batch_statuses.is_run) as has_run
    from batch_statuses
    group by batch_statuses.account_id, batch_statuses.region_name, batch_statuses.job_arn
),

nights as (
    select
        sightings.account_id,
        sightings.region_name,
        sightings.observed_at,
        min(sightings.sighted_at) as sighted_at
    from sightings
    where sightings.change <> 'vanished'
    group by sightings.account_id, sightings.region_name, sightings.observed_at
),

batch_lives as (
    select
        jobs.job_arn,
        jobs.job_name,
        jobs.account_id,
        jobs.region_name,
        jobs.model,
        jobs.status,
        jobs.created_at,
        jobs.ended_at,
        jobs.is_end_estimated,
        departures.observed_at is not null as has_left_queue,
        coalesce(departures.has_run, false) as has_run,
        case
            when departures.observed_at is not null
                then greatest(
                    jobs.created_at,
                    nights.sighted_at,
                    case
                        when departures.waited_at < departures.observed_at
                            then departures.waited_at
                    end
                )
        end as left_after,
        least(
            departures.observed_at,
            case when not jobs.is_end_estimated then jobs.ended_at end
        ) as left_before
    from jobs
    left join departures
        on
            jobs.job_arn = departures.job_arn
            and jobs.account_id = departures.account_id
            and jobs.region_name = departures.region_name
    left join nights
        on
            departures.observed_at = nights.observed_at
            and departures.account_id = nights.account_id
            and departures.region_name = nights.region_name
    where jobs.job_kind = 'batch_inference'
),

batch_phases as (
    select
        batch_lives.job_arn,
        batch_lives.job_name,
        'batch_inference' as job_kind,
        batch_lives.account_id,
        batch_lives.region_name,
        batch_lives.model,
        batch_lives.created_at,
        'queue' as phase,
        case when batch_lives.has_left_queue then 'Completed' else 'InProgress' end as status,
        batch_lives.created_at as started_at,
        null::timestamptz as ended_at,
        false as is_end_estimated,
        null::timestamptz as started_after,
        null::timestamptz as started_before,
        batch_lives.left_after as ended_after,
        batch_lives.left_before as ended_before
    from batch_lives

    union all

    select
        batch_lives.job_arn,
        batch_lives.job_name,
        'batch_inference' as job_kind,
        batch_lives.account_id,
        batch_lives.region_name,
        batch_lives.model,
        batch_lives.created_at,
        'run' as phase,
        batch_lives.status,
        null::timestamptz as started_at,
        batch_lives.ended_at,
        batch_lives.is_end_estimated,
        batch_lives.left_after as started_after,
        batch_lives.left_before as started_before,
        null::timestamptz as ended_after,
        null::timestamptz as ended_before
    from batch_lives
    where batch_lives.has_run
),

phases as (
    select
        customization_phases.job_arn,
        customization_phases.job_name,
        customization_phases.job_kind,
        customization_phases.account_id,
        customization_phases.region_name,
        customization_phases.model,
        customization_phases.created_at,
        customization_phases.phase,
        customization_phases.status,
        customization_phases.started_at,
        customization_phases.ended_at,
        customization_phases.ended_at is not null as is_end_estimated,
        customization_phases.started_after,
        customization_phases.started_before,
        customization_phases.ended_after,
        customization_phases.ended_before
    from customization_phases

    union all

    select
        batch_phases.job_arn,
        batch_phases.job_name,
        batch_phases.job_kind,
        batch_phases.account_id,
        batch_phases.region_name,
        batch_phases.model,
        batch_phases.created_at,
        batch_phases.phase,
        batch_phases.status,
        batch_phases.started_at,
        batch_phases.ended_at,
        batch_phases.is_end_estimated,
        batch_phases.started_after,
        batch_phases.started_before,
        batch_phases.ended_after,
        batch_phases.ended_before
    from batch_phases
),

measured as (
    select
        phases.*,
        seconds_between(phases.started_at, phases.ended_at) as duration_seconds,
        seconds_between(
            coalesce(phases.started_before, phases.started_at),
            coalesce(phases.ended_after, phases.ended_at)
        ) as certain_seconds,
        seconds_between(
            coalesce(phases.started_after, phases.started_at),
            coalesce(phases.ended_before, phases.ended_at)
        ) as longest_seconds
    from phases
)

select
    measured.job_arn,
    measured.job_name,
    measured.job_kind,
    measured.account_id,
    measured.region_name,
    measured.model,
    measured.created_at,
    measured.phase,
    measured.status,
    measured.started_at,
    measured.ended_at,
    measured.is_end_estimated,
    measured.duration_seconds,
    measured.started_after,
    measured.started_before,
    measured.ended_after,
    measured.ended_before,
    case
        when measured.longest_seconds is not null and not measured.is_end_estimated
            then coalesce(measured.certain_seconds, 0)
    end as shortest_seconds,
    measured.longest_seconds
from measured
