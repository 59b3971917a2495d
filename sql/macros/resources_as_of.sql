-- description: The latest observation of each resource of a table, as known at an instant, with
--   its life in the lake: first_seen_at, last_seen_at, last_changed_at and is_vanished. A living
--   resource was last seen by the newest complete listing of its scope, a vanished one by the
--   newest before the listing that missed it. What AWS listed without an ARN cannot be followed
--   and stands in observations only.
-- grain: one row per account_id, region_name and resource_arn
-- parameters: the table's name, its ARN column, its membership column or null, the instant
create macro resources_as_of(observed_table, arn, membership, as_of) as table
with
observed as (
    select
        *,
        arn as resource_arn,
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
        case
            when observed.change = 'vanished' then observed.observed_at
            else as_of::timestamptz
        end as seen_until
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
)

select
    latest.* exclude (last_alive_at, seen_until, scope_membership),
    greatest(
        latest.last_alive_at,
        case
            when latest.is_vanished and complete.run_id = latest.run_id
                then complete.previous_started_at
            else complete.started_at
        end
    ) as last_seen_at
from latest
asof left join complete
    on
        latest.account_id = complete.account_id
        and latest.region_name = complete.region_name
        and latest.scope_membership = complete.membership_identifier
        and latest.seen_until >= complete.started_at
