-- description: Resources observed more than once at the same instant, as when a file of the lake
--   was copied within it.
-- grain: one row per resource and instant
-- key: table_name, account_id, region_name, resource_arn, observed_at
-- columns:
--   table_name: table that holds the observations
--   account_id: account that listed the resource
--   region_name: region that listed the resource
--   resource_arn: identifies the resource within its table, account and region
--   observed_at: the instant
--   observation_count: observations at that instant
with
observed as (
    select * from history.resource_observations
)

select
    observed.table_name,
    observed.account_id,
    observed.region_name,
    observed.resource_arn,
    observed.observed_at,
    count(*) as observation_count
from observed
group by
    observed.table_name,
    observed.account_id,
    observed.region_name,
    observed.resource_arn,
    observed.observed_at
having count(*) > 1
