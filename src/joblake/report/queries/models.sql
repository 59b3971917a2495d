-- The custom models that were made or used last, and what each was made from.
with
lineage as (
    select * from history.model_lineage
    where node_kind = 'custom_model'
),

models as (
    select
        *,
        case when list_contains($accounts, account_id) then account_id end as account,
        coalesce(greatest(created_at, last_used_at), first_seen_at, '-infinity') as active_at
    from history.models
),

ranked as (
    select
        models.*,
        row_number() over (
            partition by models.account, models.region_name
            order by models.active_at desc, models.model_arn
        ) as rank
    from models
    qualify rank <= $rows
)

select
    ranked.account,
    ranked.region_name as region,
    ranked.account_id as listed_account,
    left(md5(concat_ws(' ', ranked.account_id, ranked.region_name, ranked.model_arn)), 12) as id,
    left(md5(concat_ws(' ', ranked.account_id, ranked.region_name, ranked.base_model)), 12)
        as parent_id,
    left(coalesce(ranked.model_name, parse_filename(ranked.model_arn)), 120) as name,
    left(coalesce(lineage.root_id, ranked.base_model), 200) as root,
    lineage.generation,
    left(ranked.customization_type, 40) as customization_type,
    left(ranked.status, 40) as status,
    ranked.is_vanished,
    ranked.is_listed,
    ranked.created_at,
    ranked.last_used_at,
    left(ranked.job_name, 120) as job_name,
    ranked.batch_job_count,
    ranked.customization_job_count
from ranked
left join lineage
    on
        ranked.model_arn = lineage.node_id
        and ranked.account_id = lineage.account_id
        and ranked.region_name = lineage.region_name
order by ranked.rank, ranked.active_at desc, ranked.model_arn
limit $models
