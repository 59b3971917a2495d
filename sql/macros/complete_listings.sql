-- description: The listings that saw everything in their scope, with the one before each.
--   One whose mass vanish was held for confirmation counts as having seen nothing. Scopes without a membership have '' in its place.
-- grain: one row per complete listing of the table that began by the instant
-- parameters: the table's name, the instant
create macro complete_listings(observed_table, as_of) as table
with
listings as (
    select * from observations.listings
)

select
    listings.account_id,
    listings.region_name,
    coalesce(listings.parent, '') as parent,
    listings.run_id,
    listings.started_at,
    lag(listings.started_at) over (
        partition by listings.account_id, listings.region_name, listings.parent
        order by listings.started_at, listings.run_id
    ) as previous_started_at
from listings
where
    listings.table_name = observed_table
    and listings.outcome = 'complete'
    and coalesce(listings.held, 0) = 0
    and listings.started_at <= as_of::timestamptz
