-- description: The latest observation of each resource of a table, as known at an instant, with
--   its life in the lake: first_seen_at, last_seen_at, last_changed_at and is_vanished. A living
--   resource was last seen by the newest complete listing of its scope, a vanished one by the
--   newest before the listing that missed it. What AWS listed without an ARN cannot be followed
--   and stands in observations only.
-- grain: one row per account_id, region_name and resource_arn
-- parameters: the table's name, its ARN column, its membership column or null, the instant
create macro resources_as_of(observed_table, arn, membership, as_of) as table
with
-- Read twice, because kept in memory it would be copied with every column that anybody asks for.
observed as not materialized (
    select
        *,
        nullif(arn, '') as resource_arn,
        coalesce(membership, '') as scope_membership
    from query_table('observations.' || observed_table)
    where observed_at <= as_of::timestamptz
),

lives as (
    select
        account_id,
        region_name,
        resource_arn,
        min(observed_at) as first_seen_at,
        max(observed_at) as last_changed_at,
        max(observed_at) filter (where change <> 'vanished') as last_alive_at
    from observed
    group by account_id, region_name, resource_arn
),

latest as (
    select
        observed.*,
        lives.first_seen_at,
        lives.last_changed_at,
        lives.last_alive_at,
        observed.change = 'vanished' as is_vanished,
        case when observed.change = 'vanished' then observed.observed_at end as missed_at,
        case when observed.change = 'vanished' then observed.run_id end as missing_run_id
    from observed
    inner join lives
        on
            observed.resource_arn = lives.resource_arn
            and observed.account_id = lives.account_id
            and observed.region_name = lives.region_name
            and observed.observed_at = lives.last_changed_at
),

complete as (
    select * from complete_listings(observed_table, as_of)
),

-- When each scope was last seen whole: by the instant, and before each night that missed something.
-- These few rows stand in for a join in time over all resources.
sightings as (
    select
        account_id,
        region_name,
        parent,
        null::timestamptz as missed_at,
        null::varchar as missing_run_id,
        max(started_at) as sighted_at
    from complete
    group by account_id, region_name, parent

    union all

    select
        account_id,
        region_name,
        parent,
        observed_at as missed_at,
        run_id as missing_run_id,
        sighted_at
    from sightings_before(observed_table, membership, as_of)
    where change = 'vanished'
)

select
    latest.* exclude (last_alive_at, scope_membership, missed_at, missing_run_id),
    greatest(latest.last_alive_at, sightings.sighted_at) as last_seen_at
from latest
left join sightings
    on
        latest.account_id = sightings.account_id
        and latest.region_name = sightings.region_name
        and latest.scope_membership = sightings.parent
        and latest.missed_at is not distinct from sightings.missed_at
        and latest.missing_run_id is not distinct from sightings.missing_run_id
