-- How long things took, as histograms that the page can add up and read quantiles from: the jobs
-- that succeeded, their completed phases, and the bounds of phases whose times AWS does not tell. A
-- bin is an eighth of an octave wide, and wider, up to an octave, where there would be too many
-- rows; it tells the mean of its jobs, so that few jobs are told exactly. Phases stand in the order
-- in which they begin.
with
phases as (
    select
        *,
        coalesce(started_at, started_before) - created_at as begins_after,
        case when status = 'Completed' then duration_seconds end as time,
        case when duration_seconds is null then shortest_seconds end as shortest,
        case when shortest is not null then longest_seconds end as longest
    from told('job_phases')
    where is_within(created_at, interval 1 year)
),

timed as (
    select
        kind,
        account,
        region,
        model,
        created_at,
        null as phase,
        'time' as measure,
        duration_seconds as seconds
    from told('known_jobs')
    where outcome in ('succeeded', 'partially_succeeded') and is_within(created_at, interval 1 year)

    union all by name

    select kind, account, region, created_at, phase, measure, seconds
    from phases unpivot (seconds for measure in (time, shortest, longest))
),

models as (
    select kind, model, true as is_frequent
    from timed
    where model is not null
    group by kind, model
    qualify row_number() over (partition by kind order by count(*) desc, model) <= $models_of_kind
),

fine as materialized (
    select
        kind,
        account,
        region,
        phase,
        measure,
        case when is_frequent then model end as model,
        date_trunc($period, utc_day(created_at))::date as period,
        floor(8 * log2(greatest(seconds, 1)))::int as bin,
        count(*) as job_count,
        sum(seconds) as seconds
    from timed
    left join models using (kind, model)
    where seconds is not null
    group by all
),

widths as (
    select
        width,
        count(distinct (
            kind, account, region, phase, measure, model, period, bin // width
        )) as row_count
    from fine, unnest([1, 2, 4, 8]) as widths (width)
    group by width
),

wide as (
    select
        * exclude (bin, job_count, seconds),
        bin // (select coalesce(min(width) filter (row_count <= $times), 8) from widths) as bin,
        sum(job_count)::bigint as job_count,
        round(sum(seconds) / sum(job_count), 1) as seconds
    from fine
    group by all
),

beginnings as (
    select kind, phase, avg(epoch(begins_after)) as begins_after
    from phases
    group by all
)

select wide.* exclude (bin)
from wide
left join beginnings using (kind, phase)
order by kind, begins_after, phase, measure, period, account, region, model, seconds
