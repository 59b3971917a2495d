-- description: The listings that saw everything in their scope, with the one before each.
--   One whose mass vanish was held for confirmation counts as having seen nothing. Scopes without
--   a parent have '' in its place.
-- grain: one row per complete listing
-- parameters: none
create macro complete_listings() as table
select
    table_name,
    account_id,
    region_name,
    coalesce(parent, '') as scope_parent,
    run_id,
    started_at,
    lag(started_at) over (
        partition by table_name, account_id, region_name, parent order by started_at, run_id
    ) as previous_started_at
from observations.listings
where outcome = 'complete' and coalesce(held, 0) = 0
