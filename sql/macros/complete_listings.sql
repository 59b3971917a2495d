-- description: The listings that saw everything in their scope, each with the start of the one
--   before it. A listing whose mass vanish was held for confirmation is left out. Scopes without a
--   parent have '' in its place, and observed_at repeats started_at, both for joins on equal names.
-- grain: one row per complete listing
-- parameters: none
create macro complete_listings() as table
select
    table_name,
    account_id,
    region_name,
    coalesce(parent, '') as scope_parent,
    run_id as listing_run_id,
    started_at,
    started_at as observed_at,
    lag(started_at) over (
        partition by table_name, account_id, region_name, parent order by started_at, run_id
    ) as previous_started_at
from observations.listings
where outcome = 'complete' and coalesce(held, 0) = 0
