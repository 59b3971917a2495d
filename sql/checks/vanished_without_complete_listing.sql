-- description: Vanished resources whose run did not list their scope completely, or held its mass
--   vanish for confirmation. A run whose listing row is missing was cut off between two commits and
--   is no fault.
-- grain: one row per vanished observation
-- key: table_name, account_id, region_name, resource_id, observed_at, run_id
-- columns: table_name, account_id, region_name, resource_id, run_id, observed_at, outcome, error
--   run_id: run that declared it vanished
--   observed_at: when it was declared vanished
--   outcome: outcome of the run's listing
select
    observed.table_name,
    observed.account_id,
    observed.region_name,
    resource_id,
    observed.run_id,
    observed_at,
    listings.outcome,
    error
from history.resources as observed
inner join observations.listings as listings
    on
        observed.run_id = listings.run_id
        and observed.table_name = listings.table_name
        and observed.account_id = listings.account_id
        and observed.region_name = listings.region_name
        and observed.parent is not distinct from listings.parent
where change = 'vanished' and (listings.outcome <> 'complete' or held > 0)
