-- The custom models that were made or used last, each with its origin and the kinds of the jobs that
-- made and used it.
with
models as (
    select
        *,
        account_of(account_id) as account,
        coalesce(greatest(created_at, last_used_at), first_seen_at, '-infinity') as active_at,
        row_number() over (
            partition by account, region_name order by active_at desc, model_arn
        ) as rank
    from history.models
    qualify rank <= $models_of_place
),

lineage as (
    select account_id, region_name, node_id as model_arn, root_id, generation
    from history.model_lineage
    where node_kind = 'custom_model'
),

jobs as (
    select
        account_id,
        region_name,
        model_arn,
        histogram(job_kind) as jobs,
        any_value(job_kind) filter (identifier = models.job_arn) as made_by
    from (select *, unnest([model_arn, job_arn]) as identifier from models) as models
    inner join (
        select account_id, region_name, job_kind, unnest([model, job_arn]) as identifier
        from known_jobs
    ) using (account_id, region_name, identifier)
    group by all
)

select
    account,
    region_name as region,
    account_id as listed_account,
    left(md5(concat_ws(' ', account_id, region_name, model_arn)), 12) as id,
    left(md5(concat_ws(' ', account_id, region_name, base_model)), 12) as parent_id,
    left(coalesce(model_name, parse_filename(model_arn)), 120) as name,
    left(coalesce(root_id, base_model), 200) as root,
    generation,
    left(customization_type, 40) as customization_type,
    left(status, 40) as status,
    is_vanished,
    is_listed,
    created_at,
    left(job_name, 120) as job_name,
    made_by,
    coalesce(jobs, map()) as jobs
from models
left join lineage using (account_id, region_name, model_arn)
left join jobs using (account_id, region_name, model_arn)
order by rank, active_at desc, model_arn
limit $models
