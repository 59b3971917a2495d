-- description: Whether a resource has come to its end, so that its outcome is that of something
--   ended; false for an absent status and for one that is not known yet. A plain list for each
--   table, because DuckDB can ask the files themselves for it.
-- grain: a scalar
-- parameters: the table's name, the status as AWS spells it
create macro is_terminal(table_name, status) as
status is not null and case table_name
    when 'model_customization_jobs' then status in ('Completed', 'Failed', 'Stopped')
    when 'custom_models' then status in ('Active', 'Failed')
    when 'model_invocation_jobs' then status in ('Completed', 'PartiallyCompleted', 'Failed', 'Stopped', 'Expired')
    when 'trained_model_inference_jobs' then status in ('ACTIVE', 'CREATE_FAILED', 'INACTIVE')
    else false
end
