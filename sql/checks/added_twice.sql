-- description: Resources that were added while they had not vanished.
-- grain: one row per observation
-- key: table_name, account_id, region_name, resource_arn, observed_at, run_id
-- columns:
--   table_name: table that holds the observation
--   account_id: account that listed the resource
--   region_name: region that listed the resource
--   resource_arn: identifies the resource within its table, account and region
--   run_id: run that observed it
--   observed_at: when it was observed
--   change: what the observation says
--   previous_change: what the one before says; null if there is none
with
observed as (
    select * from history.resource_observations
)

select
    observed.table_name,
    observed.account_id,
    observed.region_name,
    observed.resource_arn,
    observed.run_id,
    observed.observed_at,
    observed.change,
    observed.previous_change
from observed
where
    observed.change = 'added'
    and observed.previous_change <> 'vanished'
