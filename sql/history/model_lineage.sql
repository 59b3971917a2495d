-- description: The family tree of custom models: from a base model through the customization jobs
--   that start from it to the models they made, to the jobs that use those, and on. Each node has
--   one parent: a customization job the model it starts from, a custom model the job that made it
--   (or, where that job is not known, its base model), a batch job the custom model it calls. Batch
--   jobs on other models are no part of the tree. A parent that no listing shows stands as a node
--   with its identifier alone; a node without a parent is a root of its own. Nodes whose ancestors
--   run in a circle have no root: their depth, root and path are null.
-- grain: one row per base model, custom model, customization job and batch job on a custom model, within an account and region
-- key: account_id, region_name, node_id
-- columns:
--   node_id: ARN of the job or custom model; the bare id of a foundation model
--   account_id: account that listed it
--   region_name: region that listed it
--   node_kind: base_model, customization_job, custom_model or batch_job
--   node_name: the name its creator gave it; null for a base model and what no listing shows
--   status: as AWS spells it; null for a base model and what no listing shows
--   created_at: when it was created; null for a base model and what no listing shows
--   is_vanished: whether AWS no longer lists it; false for a base model
--   is_known: whether a listing showed it or a job says it made it; false for what is only referred to, true for a base model
--   parent_id: node it comes from; null for a root
--   root_id: node that the line starts from, as a rule the base model; null in a circle
--   depth: steps from the root, which has 0; null in a circle
--   generation: custom models on the way from the root to the node, itself included; null in a circle
--   path: names, or else identifiers, from the root to the node, joined by ' > '; null in a circle
with recursive
customization_jobs as (
    select * from current.model_customization_jobs
),

batch_jobs as (
    select * from current.model_invocation_jobs
),

models as (
    select * from history.models
),

known as (
    select
        models.account_id,
        models.region_name,
        models.model_arn as node_id,
        'custom_model' as node_kind,
        models.model_name as node_name,
        models.status,
        models.created_at,
        models.is_vanished,
        coalesce(models.job_arn, models.base_model) as parent_id
    from models

    union all

    select
        customization_jobs.account_id,
        customization_jobs.region_name,
        customization_jobs.job_arn as node_id,
        'customization_job' as node_kind,
        customization_jobs.job_name as node_name,
        customization_jobs.status,
        customization_jobs.creation_time as created_at,
        customization_jobs.is_vanished,
        model_name(customization_jobs.base_model_arn) as parent_id
    from customization_jobs

    union all

    select
        batch_jobs.account_id,
        batch_jobs.region_name,
        batch_jobs.job_arn as node_id,
        'batch_job' as node_kind,
        batch_jobs.job_name as node_name,
        batch_jobs.status,
        batch_jobs.submit_time as created_at,
        batch_jobs.is_vanished,
        batch_jobs.model_id as parent_id
    from batch_jobs
    where contains(batch_jobs.model_id, ':custom-model/')
),

referred as (
    select distinct
        known.account_id,
        known.region_name,
        known.parent_id as node_id
    from known
    where known.parent_id is not null
),

nodes as (
    select
        known.account_id,
        known.region_name,
        known.node_id,
        known.node_kind,
        known.node_name,
        known.status,
        known.created_at,
        known.is_vanished,
        true as is_known,
        known.parent_id
    from known

    union all

    select
        referred.account_id,
        referred.region_name,
        referred.node_id,
        case
            when contains(referred.node_id, ':custom-model/') then 'custom_model'
            else 'base_model'
        end as node_kind,
        null::varchar as node_name,
        null::varchar as status,
        null::timestamptz as created_at,
        false as is_vanished,
        not contains(referred.node_id, ':custom-model/') as is_known,
        null::varchar as parent_id
    from referred
    anti join known
        on
            referred.node_id = known.node_id
            and referred.account_id = known.account_id
            and referred.region_name = known.region_name
),

-- A node has one parent, so what hangs below a root holds no circle, and this ends.
descent as (
    select
        nodes.account_id,
        nodes.region_name,
        nodes.node_id,
        nodes.node_id as root_id,
        0 as depth,
        (nodes.node_kind = 'custom_model')::integer as generation,
        coalesce(nodes.node_name, nodes.node_id) as path
    from nodes
    where nodes.parent_id is null

    union all

    select
        nodes.account_id,
        nodes.region_name,
        nodes.node_id,
        descent.root_id,
        descent.depth + 1 as depth,
        descent.generation + (nodes.node_kind = 'custom_model')::integer as generation,
        descent.path || ' > ' || coalesce(nodes.node_name, nodes.node_id) as path
    from descent
    inner join nodes
        on
            descent.node_id = nodes.parent_id
            and descent.account_id = nodes.account_id
            and descent.region_name = nodes.region_name
)

select
    nodes.node_id,
    nodes.account_id,
    nodes.region_name,
    nodes.node_kind,
    nodes.node_name,
    nodes.status,
    nodes.created_at,
    nodes.is_vanished,
    nodes.is_known,
    nodes.parent_id,
    descent.root_id,
    descent.depth,
    descent.generation,
    descent.path
from nodes
left join descent
    on
        nodes.node_id = descent.node_id
        and nodes.account_id = descent.account_id
        and nodes.region_name = descent.region_name
