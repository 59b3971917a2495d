-- How long things took, as histograms that the page can add up and read quantiles from: the jobs
-- that succeeded, the completed phases of customization jobs, and the bounds of the times that
-- batch jobs waited and ran. A bin is an eighth of an octave wide, and wider, up to an octave, where
-- there would be too many rows; it tells the mean of its jobs, so that few jobs are told exactly.
with
jobs as (
    select * from history.jobs
    where created_at > $as_of::timestamptz - interval 1 year
),

phases as (
    select * from history.job_phases
    where created_at > $as_of::timestamptz - interval 1 year
),

names as (
    select account_id, region_name, model_arn, model_name from current.custom_models
),

finished as (
    select
        jobs.job_kind,
        jobs.account_id,
        jobs.region_name,
        jobs.created_at,
        left(coalesce(names.model_name, jobs.model), 120) as model,
        jobs.duration_seconds as seconds
    from jobs
    left join names
        on
            jobs.model = names.model_arn
            and jobs.account_id = names.account_id
            and jobs.region_name = names.region_name
    where
        jobs.outcome in ('succeeded', 'partially_succeeded')
        and jobs.duration_seconds is not null
),

models as (
    select job_kind, model
    from finished
    where model is not null
    group by job_kind, model
    qualify
        row_number() over (partition by job_kind order by count(*) desc, model) <= $models
),

measured as (
    select
        'job' as measure,
        finished.job_kind,
        finished.account_id,
        finished.region_name,
        models.model,
        finished.created_at,
        finished.seconds
    from finished
    left join models
        on finished.job_kind = models.job_kind and finished.model = models.model

    union all

    select
        phases.phase as measure,
        phases.job_kind,
        phases.account_id,
        phases.region_name,
        null as model,
        phases.created_at,
        phases.duration_seconds as seconds
    from phases
    where phases.job_kind = 'customization' and phases.status = 'Completed'

    union all

    select
        phases.phase || '_' || bound.name as measure,
        phases.job_kind,
        phases.account_id,
        phases.region_name,
        null as model,
        phases.created_at,
        case bound.name
            when 'shortest' then phases.shortest_seconds
            else phases.longest_seconds
        end as seconds
    from phases, (values ('shortest'), ('longest')) as bound (name)
    where
        phases.job_kind = 'batch_inference'
        and phases.shortest_seconds is not null
        and phases.longest_seconds is not null
),

fine as materialized (
    select
        measured.measure,
        measured.job_kind as kind,
        case when list_contains($accounts, measured.account_id) then measured.account_id end as account,
        measured.region_name as region,
        measured.model,
        date_trunc($period, utc_day(measured.created_at))::date as period,
        floor(8 * log2(greatest(measured.seconds, 1)))::int as bin,
        count(*) as job_count,
        sum(measured.seconds) as seconds
    from measured
    where measured.seconds is not null
    group by all
),

widths as (
    select
        width.width,
        count(distinct (
            fine.measure, fine.kind, fine.account, fine.region, fine.model, fine.period,
            fine.bin // width.width
        )) as row_count
    from fine, (values (1), (2), (4), (8)) as width (width)
    group by width.width
),

chosen as (
    select coalesce(min(width) filter (where row_count <= $rows), 8) as width from widths
),

wide as (
    select
        fine.measure,
        fine.kind,
        fine.account,
        fine.region,
        fine.model,
        fine.period,
        fine.bin // chosen.width as bin,
        sum(fine.job_count)::bigint as job_count,
        round(sum(fine.seconds) / sum(fine.job_count), 1) as seconds
    from fine, chosen
    group by all
)

select * exclude (bin)
from wide
order by measure, kind, period, account, region, model, seconds
