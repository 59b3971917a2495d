-- The size of each account, and whether the page tells it apart: it tells the largest apart, as long
-- as their places (account and region together) are few. The others stand as one.
with
seen as (
    select account_id, region_name, 1 as jobs, created_at, last_seen_at as listed_at
    from known_jobs

    union all

    select account_id, region_name, 0, null, started_at
    from observations.listings
)

select
    account_id,
    sum(jobs)::bigint as job_count,
    min(created_at) as first_created_at,
    max(listed_at) as last_listing_at,
    sum(count(distinct region_name)) over (order by sum(jobs) desc, account_id) <= $places
        as is_kept
from seen
group by account_id
order by job_count desc, account_id
