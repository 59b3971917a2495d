-- description: The latest observation of each resource of a table, as known at an instant, with
--   its life in the lake: first_seen_at, last_seen_at, last_changed_at and is_vanished. A living
--   resource was last seen by the newest complete listing of its scope, a vanished one by the
--   newest before the listing that missed it. A resource that AWS listed without its key cannot be
--   followed; it stands in observations only. first_end_at is the value of end_seen in the first
--   observation that has one.
-- grain: one row per account_id, region_name and resource_id
-- parameters: the table's name, the expression of the resource's key, the instant; the expression
--   of an end where an observation shows one
create macro resources_as_of(observed_table, key, as_of, end_seen := null::timestamptz) as table
with
-- Read twice, because kept in memory it would be copied with every column that anybody asks for.
observed as not materialized (
    select *, key as resource_id, coalesce(parent, '') as scope_parent
    from query_table('observations.' || observed_table)
    where observed_at <= as_of::timestamptz
),

lives as (
    select
        account_id,
        region_name,
        resource_id,
        min(observed_at) as first_seen_at,
        max(observed_at) as observed_at,
        max(observed_at) filter (change <> 'vanished') as last_alive_at,
        arg_min(end_seen, observed_at) as first_end_at
    from observed
    group by all
),

-- What is alive is missed by no run: '' and infinity stand for it, and find a scope's newest sight.
latest as (
    select
        *,
        observed_at as last_changed_at,
        change = 'vanished' as is_vanished,
        if(change = 'vanished', observed_at, 'infinity') as missed_at,
        if(change = 'vanished', run_id, '') as missing_run_id
    from observed
    inner join lives using (account_id, region_name, resource_id, observed_at)
),

-- When each scope was last seen whole: by the instant, and before each night that missed something.
-- These few rows stand in for a join in time over all resources.
sightings as (
    select
        account_id,
        region_name,
        scope_parent,
        'infinity'::timestamptz as missed_at,
        '' as missing_run_id,
        max(started_at) as sighted_at
    from complete_listings()
    where table_name = observed_table and started_at <= as_of::timestamptz
    group by all

    union all

    select account_id, region_name, scope_parent, observed_at, run_id, sighted_at
    from sightings_before(observed_table)
    where change = 'vanished'
)

select
    * exclude (last_alive_at, sighted_at, scope_parent, missed_at, missing_run_id),
    greatest(last_alive_at, sighted_at) as last_seen_at
from latest
left join sightings using (account_id, region_name, scope_parent, missed_at, missing_run_id)
