-- description: The change that each observation tells of its resource, with the one told before it.
-- grain: one row per observation
-- parameters: none
create macro changes_in_order() as table
select
    table_name,
    account_id,
    region_name,
    resource_id,
    run_id,
    observed_at,
    change,
    lag(change) over (
        partition by table_name, account_id, region_name, resource_id order by observed_at, run_id
    ) as previous_change
from history.resources
