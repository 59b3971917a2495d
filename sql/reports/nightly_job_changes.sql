-- description: What each night's listings found to have happened to jobs. A night is the UTC day on
--   which a run began, and every run of that day counts to it; where the listings of a run are
--   lost, its observations tell the day. A place and kind that were listed without any news have
--   zeros, so that a quiet night is no missing one. What happened between two listings is told by
--   the second, so the first night of a lake finds all the jobs of the past.
-- grain: one row per night, job kind, account and region that was listed or has news
-- key: night, job_kind, account_id, region_name
-- columns:
--   night: UTC day on which the runs began
--   job_kind: customization, batch_inference or clean_rooms_inference
--   account_id: account that was listed
--   region_name: region that was listed
--   listings_count: listings of that night, whatever their outcome
--   complete_count: those of them that were complete
--   new_count: jobs seen for the first time, or again after they had vanished
--   finished_count: jobs first seen with a final status; a job that returns does not finish again
--   failed_count: those of the finished that failed or expired
--   vanished_count: jobs that a complete listing no longer showed
with
listings as (
    select * from observations.listings
),

customization_jobs as (
    select * from observations.model_customization_jobs
),

batch_jobs as (
    select * from observations.model_invocation_jobs
),

clean_rooms_jobs as (
    select * from observations.trained_model_inference_jobs
),

observed as (
    select
        'customization' as job_kind,
        customization_jobs.account_id,
        customization_jobs.region_name,
        customization_jobs.job_arn,
        customization_jobs.status,
        customization_jobs.change,
        customization_jobs.observed_at,
        customization_jobs.run_id
    from customization_jobs

    union all

    select
        'batch_inference' as job_kind,
        batch_jobs.account_id,
        batch_jobs.region_name,
        batch_jobs.job_arn,
        batch_jobs.status,
        batch_jobs.change,
        batch_jobs.observed_at,
        batch_jobs.run_id
    from batch_jobs

    union all

    select
        'clean_rooms_inference' as job_kind,
        clean_rooms_jobs.account_id,
        clean_rooms_jobs.region_name,
        clean_rooms_jobs.trained_model_inference_job_arn as job_arn,
        clean_rooms_jobs.status,
        clean_rooms_jobs.change,
        clean_rooms_jobs.observed_at,
        clean_rooms_jobs.run_id
    from clean_rooms_jobs
),

ends as (
    select
        observed.job_kind,
        observed.account_id,
        observed.region_name,
        min(observed.observed_at) as happened_at,
        arg_min(observed.run_id, observed.observed_at) as run_id,
        arg_min(observed.status, observed.observed_at) as status
    from observed
    where
        is_final(observed.status)
        and observed.change <> 'vanished'
        and observed.job_arn is not null
    group by observed.job_kind, observed.account_id, observed.region_name, observed.job_arn
),

news as (
    select
        case listings.table_name
            when 'model_customization_jobs' then 'customization'
            when 'model_invocation_jobs' then 'batch_inference'
            when 'trained_model_inference_jobs' then 'clean_rooms_inference'
        end as job_kind,
        listings.account_id,
        listings.region_name,
        listings.started_at as happened_at,
        listings.run_id,
        count(*) as listings_count,
        count(*) filter (where listings.outcome = 'complete') as complete_count,
        0 as new_count,
        0 as finished_count,
        0 as failed_count,
        0 as vanished_count
    from listings
    group by
        listings.table_name,
        listings.account_id,
        listings.region_name,
        listings.started_at,
        listings.run_id

    union all

    select
        observed.job_kind,
        observed.account_id,
        observed.region_name,
        observed.observed_at as happened_at,
        observed.run_id,
        0 as listings_count,
        0 as complete_count,
        count(*) filter (where observed.change = 'added') as new_count,
        0 as finished_count,
        0 as failed_count,
        count(*) filter (where observed.change = 'vanished') as vanished_count
    from observed
    where observed.change in ('added', 'vanished') and observed.job_arn is not null
    group by
        observed.job_kind,
        observed.account_id,
        observed.region_name,
        observed.observed_at,
        observed.run_id

    union all

    select
        ends.job_kind,
        ends.account_id,
        ends.region_name,
        ends.happened_at,
        ends.run_id,
        0 as listings_count,
        0 as complete_count,
        0 as new_count,
        count(*) as finished_count,
        count(*) filter (where job_outcome(ends.status) in ('failed', 'expired')) as failed_count,
        0 as vanished_count
    from ends
    group by ends.job_kind, ends.account_id, ends.region_name, ends.happened_at, ends.run_id
),

runs as (
    select
        listings.run_id,
        utc_day(min(listings.started_at)) as night
    from listings
    group by listings.run_id
),

dated as (
    select
        news.*,
        coalesce(runs.night, utc_day(news.happened_at)) as night
    from news
    left join runs
        on news.run_id = runs.run_id
    where news.job_kind is not null
)

select
    dated.night,
    dated.job_kind,
    dated.account_id,
    dated.region_name,
    sum(dated.listings_count)::bigint as listings_count,
    sum(dated.complete_count)::bigint as complete_count,
    sum(dated.new_count)::bigint as new_count,
    sum(dated.finished_count)::bigint as finished_count,
    sum(dated.failed_count)::bigint as failed_count,
    sum(dated.vanished_count)::bigint as vanished_count
from dated
group by dated.night, dated.job_kind, dated.account_id, dated.region_name
