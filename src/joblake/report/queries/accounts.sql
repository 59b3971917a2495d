-- What the lake holds of each account, and whether the page tells it apart: the largest are, as long
-- as they stand for few places (account and region together). The others are one account, named
-- null, in each of their regions.
with
places as (
    select
        account_id,
        region_name,
        count(*) as job_count,
        min(created_at) as first_created_at,
        max(last_seen_at) as last_listing_at
    from history.jobs
    group by account_id, region_name

    union all

    select
        account_id,
        region_name,
        0 as job_count,
        null as first_created_at,
        max(started_at) as last_listing_at
    from observations.listings
    group by account_id, region_name
),

accounts as (
    select
        account_id,
        sum(job_count)::bigint as job_count,
        min(first_created_at) as first_created_at,
        max(last_listing_at) as last_listing_at,
        count(distinct region_name) as region_count
    from places
    group by account_id
)

select
    account_id,
    job_count,
    first_created_at,
    last_listing_at,
    sum(region_count) over (order by job_count desc, account_id) <= $places as is_kept
from accounts
order by job_count desc, account_id
