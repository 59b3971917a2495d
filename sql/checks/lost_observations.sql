-- description: Listings that wrote more observations than the lake holds of them, as when a file was
--   lost or put back from an older copy. More than a listing tells of are no fault: a run that was
--   cut off between two commits leaves observations without a listing.
-- grain: one row per run and scope
-- key: run_id, table_name, account_id, region_name, parent
-- columns: run_id, table_name, account_id, region_name, parent, started_at, written_count,
--   found_count
--   started_at: when the listing began
with
written as (
    select
        run_id,
        table_name,
        account_id,
        region_name,
        parent,
        min(started_at) as started_at,
        sum(coalesce(added, 0) + coalesce(changed, 0) + coalesce(vanished, 0))::bigint
            as written_count
    from observations.listings
    group by all
)

select written.*, coalesce(observation_count, 0) as found_count
from written
left join history.observation_counts as found
    on
        written.run_id = found.run_id
        and written.table_name = found.table_name
        and written.account_id = found.account_id
        and written.region_name = found.region_name
        and written.parent is not distinct from found.parent
where written_count > found_count
