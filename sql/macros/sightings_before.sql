-- description: For each instant at which a scope has observations, sighted_at is the start of the
--   newest complete listing before it; null if there was none. The listing that
--   made the observation never counts, whether it began before its rows or after.
-- grain: one row per scope, observed_at, run_id and change
-- parameters: the table's name
create macro sightings_before(observed_table) as table
with
instants as (
    select distinct
        observed_table as table_name,
        account_id,
        region_name,
        coalesce(parent, '') as scope_parent,
        observed_at,
        run_id,
        change
    from query_table('observations.' || observed_table)
)

select
    * exclude (table_name, listing_run_id, started_at, previous_started_at),
    if(listing_run_id = run_id, previous_started_at, started_at) as sighted_at
from instants
asof left join complete_listings()
    using (table_name, account_id, region_name, scope_parent, observed_at)
