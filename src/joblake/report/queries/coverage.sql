-- How each scope was last listed, those in trouble first.
with
scopes as (
    select
        *,
        account_of(account_id) as account,
        case
            when last_outcome in ('partial', 'denied', 'failed') then last_outcome
            when last_outcome = 'complete' and last_error is not null then 'held'
            when not is_within(last_listing_at, interval 36 hours) then 'not_listed'
            when last_outcome = 'unsupported' then null
            when last_complete_at is null then 'never_complete'
            when not is_within(last_complete_at, interval 8 days) then 'long_incomplete'
        end as problem
    from reports.listing_coverage
)

select
    job_kind as kind,
    account,
    region_name as region,
    table_name,
    account_id as listed_account,
    parent,
    problem,
    left(last_error, 300) as error,
    last_listing_at,
    last_complete_at,
    count(*) over place as scope_count,
    count(problem) over place as problem_count
from scopes
window place as (partition by table_name, account, region_name)
qualify row_number() over (place order by problem is null, account_id, parent) <= $rows
order by problem is null, account_id, region_name, table_name, parent
