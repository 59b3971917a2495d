-- description: What a job's status amounts to: succeeded, partially_succeeded, failed, stopped or
--   expired where it is terminal, else running; unknown for a status that is not known yet.
--   CANCEL_FAILED says that a job could not be cancelled, so it counts as running.
-- grain: a scalar
-- parameters: the status, as any source of jobs spells it
create macro job_outcome(status) as
case
    when status in ('Completed', 'ACTIVE') then 'succeeded'
    when status in ('PartiallyCompleted') then 'partially_succeeded'
    when status in ('Failed', 'CREATE_FAILED') then 'failed'
    when status in ('Stopped', 'INACTIVE') then 'stopped'
    when status in ('Expired') then 'expired'
    when
        status in (
            'Submitted', 'Validating', 'Scheduled', 'InProgress', 'Stopping',
            'CREATE_PENDING', 'CREATE_IN_PROGRESS',
            'CANCEL_PENDING', 'CANCEL_IN_PROGRESS', 'CANCEL_FAILED'
        )
        then 'running'
    else 'unknown'
end
