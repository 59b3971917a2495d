-- description: What a resource's status amounts to: succeeded, partially_succeeded, failed, stopped
--   or expired where it is terminal, else running; unknown for a status that is not known yet. Null
--   for a table whose statuses have no meaning to joblake.
-- grain: a scalar
-- parameters: the table's name, the status as AWS spells it
create macro outcome(table_name, status) as
case table_name
    when 'model_customization_jobs' then case
        when status in ('Completed') then 'succeeded'
        when status in ('Failed') then 'failed'
        when status in ('Stopped') then 'stopped'
        when status in ('InProgress', 'Stopping') then 'running'
        else 'unknown'
    end
    when 'custom_models' then case
        when status in ('Active') then 'succeeded'
        when status in ('Failed') then 'failed'
        when status in ('Creating') then 'running'
        else 'unknown'
    end
    when 'model_invocation_jobs' then case
        when status in ('Completed') then 'succeeded'
        when status in ('PartiallyCompleted') then 'partially_succeeded'
        when status in ('Failed') then 'failed'
        when status in ('Stopped') then 'stopped'
        when status in ('Expired') then 'expired'
        when status in ('Submitted', 'Validating', 'Scheduled', 'InProgress', 'Stopping') then 'running'
        else 'unknown'
    end
    when 'trained_model_inference_jobs' then case
        when status in ('ACTIVE') then 'succeeded'
        when status in ('CREATE_FAILED') then 'failed'
        when status in ('INACTIVE') then 'stopped'
        when status in ('CREATE_PENDING', 'CREATE_IN_PROGRESS', 'CANCEL_PENDING', 'CANCEL_IN_PROGRESS', 'CANCEL_FAILED') then 'running'
        else 'unknown'
    end
    else null
end
