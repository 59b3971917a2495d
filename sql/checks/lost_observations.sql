-- description: Listings that wrote more observations than the lake holds of them, as when a file was
--   lost or put back from an older copy. More than a listing tells of are no fault: a run that was
--   cut off between two commits leaves observations without a listing.
-- grain: one row per run and scope
-- key: run_id, table_name, account_id, region_name, parent
-- columns:
--   run_id: run that listed the scope
--   table_name: table that the listing fills
--   account_id: account that was listed
--   region_name: region that was listed
--   parent: membership that was listed; null outside Clean Rooms ML
--   started_at: when the listing began
--   written_count: observations that the listing wrote: added, changed and vanished
--   found_count: observations of it in the lake
with
listings as (
    select * from observations.listings
),

customization_jobs as (
    select * from observations.model_customization_jobs
),

custom_models as (
    select * from observations.custom_models
),

batch_jobs as (
    select * from observations.model_invocation_jobs
),

clean_rooms_jobs as (
    select * from observations.trained_model_inference_jobs
),

written as (
    select
        listings.run_id,
        listings.table_name,
        listings.account_id,
        listings.region_name,
        listings.parent,
        min(listings.started_at) as started_at,
        sum(
            coalesce(listings.added, 0)
            + coalesce(listings.changed, 0)
            + coalesce(listings.vanished, 0)
        )::bigint as written_count
    from listings
    group by
        listings.run_id,
        listings.table_name,
        listings.account_id,
        listings.region_name,
        listings.parent
),

observed as (
    select
        'model_customization_jobs' as table_name,
        customization_jobs.run_id,
        customization_jobs.account_id,
        customization_jobs.region_name,
        null::varchar as parent
    from customization_jobs

    union all

    select
        'custom_models' as table_name,
        custom_models.run_id,
        custom_models.account_id,
        custom_models.region_name,
        null::varchar as parent
    from custom_models

    union all

    select
        'model_invocation_jobs' as table_name,
        batch_jobs.run_id,
        batch_jobs.account_id,
        batch_jobs.region_name,
        null::varchar as parent
    from batch_jobs

    union all

    select
        'trained_model_inference_jobs' as table_name,
        clean_rooms_jobs.run_id,
        clean_rooms_jobs.account_id,
        clean_rooms_jobs.region_name,
        clean_rooms_jobs.parent
    from clean_rooms_jobs
),

found as (
    select
        observed.run_id,
        observed.table_name,
        observed.account_id,
        observed.region_name,
        observed.parent,
        count(*) as found_count
    from observed
    group by
        observed.run_id,
        observed.table_name,
        observed.account_id,
        observed.region_name,
        observed.parent
)

select
    written.run_id,
    written.table_name,
    written.account_id,
    written.region_name,
    written.parent,
    written.started_at,
    written.written_count,
    coalesce(found.found_count, 0) as found_count
from written
left join found
    on
        written.run_id = found.run_id
        and written.table_name = found.table_name
        and written.account_id = found.account_id
        and written.region_name = found.region_name
        and written.parent is not distinct from found.parent
where written.written_count > coalesce(found.found_count, 0)
