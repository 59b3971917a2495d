-- description: Whether a job's status is final, so that it has one of the outcomes of an ended job;
--   false for an absent status and for one that is not known yet. A plain list, because DuckDB can
--   ask the files themselves for it.
-- grain: a scalar
-- parameters: the status, as any source of jobs spells it
create macro is_final(status) as
status is not null
and status in (
    'Completed', 'PartiallyCompleted', 'Failed', 'Stopped', 'Expired',
    'ACTIVE', 'CREATE_FAILED', 'INACTIVE'
)
