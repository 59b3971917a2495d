-- description: How fresh and how whole the knowledge of each scope is. A scope that was never
--   listed completely has no last_complete_at.
-- grain: one row per scope: table, account, region and parent
-- key: table_name, account_id, region_name, parent
-- columns: table_name, job_kind, account_id, region_name, parent, last_outcome, last_listing_at,
--   last_error, last_complete_at, hours_since_complete, last_complete_listed, listings_count
select
    table_name,
    job_kind(table_name) as job_kind,
    account_id,
    region_name,
    parent,
    arg_max_null(outcome, started_at) as last_outcome,
    max(started_at) as last_listing_at,
    arg_max_null(error, started_at) as last_error,
    max(started_at) filter (outcome = 'complete' and coalesce(held, 0) = 0) as last_complete_at,
    (epoch_us(now()) - epoch_us(last_complete_at)) / 3600000000.0::double as hours_since_complete,
    arg_max(listed, started_at) filter (outcome = 'complete' and coalesce(held, 0) = 0)
        as last_complete_listed,
    count(*) as listings_count
from observations.listings
group by all
