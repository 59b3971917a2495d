-- description: How fresh and how whole the knowledge of each scope is. A scope that was never
--   listed completely has no last_complete_at. A failed discovery of memberships has no membership
--   and is left out once a later listing of a membership in the same account and region exists.
-- grain: one row per scope: table, account, region and membership
-- key: table_name, account_id, region_name, parent
-- columns:
--   table_name: table that the listings fill
--   account_id: account that was listed
--   region_name: region that was listed
--   parent: membership that was listed; null outside Clean Rooms ML
--   last_outcome: outcome of the newest listing
--   last_listing_at: when the newest listing began
--   last_error: what went wrong in the newest listing
--   last_complete_at: when the newest complete listing began; one held for confirmation of a mass vanish does not count
--   hours_since_complete: hours from last_complete_at to now
--   last_complete_listed: resources that the newest complete listing saw
--   listings_count: listings of the scope
with
listings as (
    select * from observations.listings
),

scopes as (
    select
        listings.table_name,
        listings.account_id,
        listings.region_name,
        listings.parent,
        arg_max_null(listings.outcome, listings.started_at) as last_outcome,
        max(listings.started_at) as last_listing_at,
        arg_max_null(listings.error, listings.started_at) as last_error,
        max(listings.started_at) filter (
            where listings.outcome = 'complete' and coalesce(listings.held, 0) = 0
        ) as last_complete_at,
        arg_max(listings.listed, listings.started_at) filter (
            where listings.outcome = 'complete' and coalesce(listings.held, 0) = 0
        ) as last_complete_listed,
        count(*) as listings_count
    from listings
    group by
        listings.table_name,
        listings.account_id,
        listings.region_name,
        listings.parent
),

memberships as (
    select
        scopes.table_name,
        scopes.account_id,
        scopes.region_name,
        max(scopes.last_listing_at) as last_listing_at
    from scopes
    where scopes.parent is not null
    group by scopes.table_name, scopes.account_id, scopes.region_name
)

select
    scopes.table_name,
    scopes.account_id,
    scopes.region_name,
    scopes.parent,
    scopes.last_outcome,
    scopes.last_listing_at,
    scopes.last_error,
    scopes.last_complete_at,
    (epoch_us(now()) - epoch_us(scopes.last_complete_at)) / 3600000000.0::double
        as hours_since_complete,
    scopes.last_complete_listed,
    scopes.listings_count
from scopes
left join memberships
    on
        scopes.parent is null
        and scopes.table_name = memberships.table_name
        and scopes.account_id = memberships.account_id
        and scopes.region_name = memberships.region_name
        and scopes.last_listing_at < memberships.last_listing_at
where memberships.table_name is null
