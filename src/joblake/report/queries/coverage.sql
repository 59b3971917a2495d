-- How each scope was last listed, those in trouble first.
with
scopes as (
    select
        *,
        case
            when last_outcome in ('partial', 'denied', 'failed') then last_outcome
            when last_outcome = 'complete' and last_error is not null then 'held'
            when last_listing_at < $as_of::timestamptz - interval 36 hours then 'not_listed'
            when last_outcome = 'unsupported' then null
            when last_complete_at is null then 'never_complete'
            when last_complete_at < $as_of::timestamptz - interval 8 days then 'long_incomplete'
        end as problem
    from reports.listing_coverage
)

select
    case table_name
        when 'model_customization_jobs' then 'customization'
        when 'custom_models' then 'customization'
        when 'model_invocation_jobs' then 'batch_inference'
        when 'trained_model_inference_jobs' then 'clean_rooms_inference'
    end as kind,
    case when list_contains($accounts, account_id) then account_id end as account,
    region_name as region,
    table_name,
    account_id as listed_account,
    membership_identifier as membership,
    last_outcome as outcome,
    problem,
    left(last_error, 300) as error,
    last_listing_at,
    last_complete_at,
    last_complete_listed as listed,
    count(*) over place as scope_count,
    count(problem) over place as problem_count
from scopes
window
    place as (partition by table_name, account, region_name)
qualify
    row_number() over (
        partition by table_name, account, region_name
        order by problem is null, account_id, membership_identifier
    ) <= $rows
order by problem is null, account_id, region_name, table_name, membership_identifier
