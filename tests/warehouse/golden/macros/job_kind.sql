-- description: The kind of job that the resources of a table are; null where they are none.
-- grain: a scalar
-- parameters: the table's name
create macro job_kind(table_name) as
case table_name
    when 'model_customization_jobs' then 'customization'
    when 'model_invocation_jobs' then 'batch_inference'
    when 'trained_model_inference_jobs' then 'clean_rooms_inference'
    else null
end
