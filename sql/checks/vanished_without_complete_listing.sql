-- description: Vanished resources whose run did not list their scope completely, or held its mass
--   vanish for confirmation. A run whose listing row is missing was cut off between two commits and
--   is no fault.
-- grain: one row per vanished observation
-- key: table_name, account_id, region_name, resource_arn, observed_at, run_id
-- columns:
--   table_name: table that holds the observation
--   account_id: account that listed the resource
--   region_name: region that listed the resource
--   resource_arn: identifies the resource within its table, account and region
--   run_id: run that declared it vanished
--   observed_at: when it was declared vanished
--   outcome: outcome of the run's listing
--   error: error of the run's listing
with
observed as (
    select * from history.resource_observations
),

listings as (
    select * from observations.listings
)

select
    observed.table_name,
    observed.account_id,
    observed.region_name,
    observed.resource_arn,
    observed.run_id,
    observed.observed_at,
    listings.outcome,
    listings.error
from observed
inner join listings
    on
        observed.run_id = listings.run_id
        and observed.table_name = listings.table_name
        and observed.account_id = listings.account_id
        and observed.region_name = listings.region_name
        and observed.parent is not distinct from listings.parent
where
    observed.change = 'vanished'
    and (listings.outcome <> 'complete' or listings.held > 0)
