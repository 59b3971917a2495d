-- description: The changes of jobs that each night's listings found. A night is the UTC day on
--   which a run began, and every run of that day counts to it; where the listings of a run are
--   lost, its observations tell the day. A place and kind that were listed without any news have
--   zeros, so that a quiet night is no missing one. The second of two listings tells the changes
--   between them, so the first night of a lake finds all the jobs of the past.
-- grain: one row per night, job kind, account and region that was listed or has news
-- key: night, job_kind, account_id, region_name
-- columns: night, job_kind, account_id, region_name, listings_count, complete_count, new_count,
--   finished_count, failed_count, vanished_count
--   listings_count: listings of that night, whatever their outcome
--   failed_count: those of the finished that failed or expired
with
observed as (
    select * from history.resources where job_kind is not null
),

ends as (
    select
        table_name,
        job_kind,
        account_id,
        region_name,
        min(observed_at) as happened_at,
        arg_min(run_id, observed_at) as run_id,
        arg_min(outcome, observed_at) as outcome
    from observed
    where is_terminal and change <> 'vanished'
    group by table_name, job_kind, account_id, region_name, resource_id
),

news as (
    select
        job_kind(table_name) as job_kind,
        account_id,
        region_name,
        started_at as happened_at,
        run_id,
        count(*) as listings_count,
        count(*) filter (outcome = 'complete') as complete_count
    from observations.listings
    where job_kind is not null
    group by all

    union all by name

    select
        job_kind,
        account_id,
        region_name,
        observed_at as happened_at,
        run_id,
        count(*) filter (change = 'added') as new_count,
        count(*) filter (change = 'vanished') as vanished_count
    from observed
    where change in ('added', 'vanished')
    group by all

    union all by name

    select
        job_kind,
        account_id,
        region_name,
        happened_at,
        run_id,
        count(*) as finished_count,
        count(*) filter (outcome in ('failed', 'expired')) as failed_count
    from ends
    group by all
),

runs as (
    select run_id, utc_day(min(started_at)) as night
    from observations.listings
    group by all
)

select
    coalesce(night, utc_day(happened_at)) as night,
    job_kind,
    account_id,
    region_name,
    coalesce(sum(listings_count), 0)::bigint as listings_count,
    coalesce(sum(complete_count), 0)::bigint as complete_count,
    coalesce(sum(new_count), 0)::bigint as new_count,
    coalesce(sum(finished_count), 0)::bigint as finished_count,
    coalesce(sum(failed_count), 0)::bigint as failed_count,
    coalesce(sum(vanished_count), 0)::bigint as vanished_count
from news
left join runs using (run_id)
group by all
