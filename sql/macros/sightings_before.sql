-- description: For each instant at which anything of a scope was observed, when the newest complete
--   listing before it began: the last that saw things as they were. Null if there was none. The
--   listing that made the observation never counts, whether it began before its rows or after.
-- grain: one row per scope, observed_at, run_id and change
-- parameters: the table's name, its membership column or null, the instant
create macro sightings_before(observed_table, membership, as_of) as table
with
complete as (
    select * from complete_listings(observed_table, as_of)
),

instants as (
    select distinct
        account_id,
        region_name,
        coalesce(membership, '') as parent,
        observed_at,
        run_id,
        change
    from query_table('observations.' || observed_table)
    where observed_at <= as_of::timestamptz
)

select
    instants.account_id,
    instants.region_name,
    instants.parent,
    instants.observed_at,
    instants.run_id,
    instants.change,
    case
        when complete.run_id = instants.run_id then complete.previous_started_at
        else complete.started_at
    end as sighted_at
from instants
asof left join complete
    on
        instants.account_id = complete.account_id
        and instants.region_name = complete.region_name
        and instants.parent = complete.parent
        and instants.observed_at >= complete.started_at
