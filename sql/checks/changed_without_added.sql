-- description: Resources that changed or vanished though they had never been added, or had vanished.
-- grain: one row per observation
-- key: table_name, account_id, region_name, resource_id, observed_at, run_id
-- columns: table_name, account_id, region_name, resource_id, run_id, observed_at, change,
--   previous_change
from changes_in_order()
where change <> 'added' and coalesce(previous_change, 'vanished') = 'vanished'
