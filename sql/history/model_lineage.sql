-- description: The family tree of custom models: from a base model through the customization jobs
--   that start from it to the models they made, to the jobs that use those, and on. Each node has
--   one parent: a customization job the model it starts from, a custom model the job that made it
--   (or, where that job is not known, its base model), a batch job the custom model it calls. Batch
--   jobs on other models are no part of the tree. A parent that no listing shows stands as a node
--   with its identifier alone; a node without a parent is a root of its own. Nodes whose ancestors
--   run in a circle have no root: their depth, root and path are null.
-- grain: one row per base model, custom model, customization job and batch job on a custom model, within an account and region
-- key: account_id, region_name, node_id
-- columns: node_id, account_id, region_name, node_kind, node_name, status, created_at, is_vanished,
--   is_known, parent_id, root_id, depth, generation, path
--   status: as AWS spells it; null for a base model, and where no listing shows it
--   created_at: when it was created; null for a base model, and where no listing shows it
--   is_vanished: whether AWS no longer lists it; false for a base model
with recursive
known as (
    select
        account_id,
        region_name,
        model_arn as node_id,
        'custom_model' as node_kind,
        model_name as node_name,
        status,
        created_at,
        is_vanished,
        coalesce(job_arn, base_model) as parent_id
    from history.models

    union all

    select
        account_id,
        region_name,
        job_arn,
        'customization_job',
        job_name,
        status,
        creation_time,
        is_vanished,
        model_name(base_model_arn)
    from current.model_customization_jobs

    union all

    select
        account_id,
        region_name,
        job_arn,
        'batch_job',
        job_name,
        status,
        submit_time,
        is_vanished,
        model_id
    from current.model_invocation_jobs
    where contains(model_id, ':custom-model/')
),

referred as (
    select distinct account_id, region_name, parent_id as node_id
    from known
    where parent_id is not null
),

nodes as (
    select *, true as is_known from known

    union all by name

    select
        *,
        if(contains(node_id, ':custom-model/'), 'custom_model', 'base_model') as node_kind,
        false as is_vanished,
        node_kind = 'base_model' as is_known
    from referred
    anti join known using (account_id, region_name, node_id)
),

-- Each node has one parent, so no circle hangs below a root, and the recursion ends.
descent as (
    select
        account_id,
        region_name,
        node_id,
        node_id as root_id,
        0 as depth,
        (node_kind = 'custom_model')::integer as generation,
        coalesce(node_name, node_id) as path
    from nodes
    where parent_id is null

    union all

    select
        nodes.account_id,
        nodes.region_name,
        nodes.node_id,
        root_id,
        depth + 1,
        generation + (nodes.node_kind = 'custom_model')::integer,
        path || ' > ' || coalesce(nodes.node_name, nodes.node_id)
    from descent
    inner join nodes
        on
            descent.node_id = nodes.parent_id
            and descent.account_id = nodes.account_id
            and descent.region_name = nodes.region_name
)

select
    node_id,
    account_id,
    region_name,
    node_kind,
    node_name,
    status,
    created_at,
    is_vanished,
    is_known,
    parent_id,
    root_id,
    depth,
    generation,
    path
from nodes
left join descent using (account_id, region_name, node_id)
