-- description: Resources observed more than once at the same instant, as when a file of the lake
--   was copied within it.
-- grain: one row per resource and instant
-- key: table_name, account_id, region_name, resource_id, observed_at
-- columns: table_name, account_id, region_name, resource_id, observed_at, observation_count
--   observed_at: the instant
--   observation_count: observations at that instant
select
    table_name,
    account_id,
    region_name,
    resource_id,
    observed_at,
    count(*) as observation_count
from history.resources
group by all
having observation_count > 1
