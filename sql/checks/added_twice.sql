-- description: Resources that were added while they had not vanished.
-- grain: one row per observation
-- key: table_name, account_id, region_name, resource_id, observed_at, run_id
-- columns: table_name, account_id, region_name, resource_id, run_id, observed_at, change,
--   previous_change
from changes_in_order()
where change = 'added' and previous_change <> 'vanished'
