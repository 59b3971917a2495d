-- What the lake holds of each account, and whether the page tells it apart: the largest are, as
-- long as they stand for few places (account and region together). The others stand as one.
with
places as (
    select
        account_id,
        region_name,
        count(*) as jobs,
        min(created_at) as created_at,
        max(last_seen_at) as listed_at
    from known_jobs
    group by all

    union all

    select account_id, region_name, 0, null, max(started_at)
    from observations.listings
    group by all
),

accounts as (
    select
        account_id,
        sum(jobs)::bigint as job_count,
        min(created_at) as first_created_at,
        max(listed_at) as last_listing_at,
        count(distinct region_name) as region_count
    from places
    group by account_id
)

select
    * exclude (region_count),
    sum(region_count) over (order by job_count desc, account_id) <= $places as is_kept
from accounts
order by job_count desc, account_id
