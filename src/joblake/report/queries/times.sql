-- How long things took, as histograms that the page can add up and read quantiles from: the jobs
-- that succeeded, their completed phases, and the bounds of phases whose times AWS does not tell. A
-- bin is an eighth of an octave wide, and wider, up to an octave, where there would be too many
-- rows; it tells the mean of its jobs, so that few jobs are told exactly. Phases stand in the order
-- in which they begin.
with
phases as (
    select
        *,
        epoch(coalesce(started_at, started_before) - created_at) as begins_after,
        case when status = 'Completed' then duration_seconds end as time,
        case when duration_seconds is null then shortest_seconds end as shortest,
        case when shortest is not null then longest_seconds end as longest
    from told('job_phases')
),

timed as (
    select *, 'time' as measure, duration_seconds as seconds
    from told('known_jobs')
    where outcome in ('succeeded', 'partially_succeeded')

    union all by name

    select * replace (null as model)
    from phases unpivot (seconds for measure in (time, shortest, longest))
),

models as (
    select kind, model, true as is_frequent
    from timed
    where model is not null and is_within(created_at, interval 1 year)
    group by kind, model
    qualify row_number() over (partition by kind order by count(*) desc, model) <= $models_of_kind
),

fine as materialized (
    select
        kind, account, region, phase, measure,
        case when is_frequent then model end as model,
        date_trunc($period, utc_day(created_at))::date as period,
        floor(8 * log2(greatest(seconds, 1)))::int as bin,
        count(*) as job_count,
        sum(seconds) as seconds,
        avg(begins_after) as begins_after
    from timed
    left join models using (kind, model)
    where seconds is not null and is_within(created_at, interval 1 year)
    group by all
),

wide as (
    select
        * exclude (job_count, seconds, begins_after) replace (bin // width as bin),
        sum(job_count)::bigint as job_count,
        round(sum(seconds) / sum(job_count), 1) as seconds,
        avg(begins_after) as begins_after
    from fine, unnest([1, 2, 4, 8]) as widths (width)
    group by all
),

counted as (
    select
        * replace (avg(begins_after) over (partition by kind, phase) as begins_after),
        count(*) over (partition by width) as row_count
    from wide
)

select * exclude (bin, width, row_count, begins_after)
from counted
qualify width = min(width) filter (row_count <= $times or width = 8) over ()
order by kind, begins_after, phase, measure, period, account, region, model, seconds
