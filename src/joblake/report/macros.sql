-- The macros that the questions of the page share. The variable `accounts` holds the accounts that the page
-- tells apart, `as_of` the instant of the newest listing. `known_jobs` and `known_models` are
-- history.jobs and current.custom_models, worked out once because many questions read them.

create temp macro account_of(account_id) as
    case when list_contains(getvariable('accounts'), account_id) then account_id else 'other' end;

create temp macro is_within(instant, span) as instant > getvariable('as_of') - span;

create temp macro is_last_night(instant) as utc_day(instant) = utc_day(getvariable('as_of'));

-- The rows of a view of jobs, with the kind, place, name and model that the page shows.
create temp macro told(jobs) as table
    select
        * exclude (model, model_name) replace (left(status, 40) as status),
        job_kind as kind,
        account_of(account_id) as account,
        region_name as region,
        account_id as listed_account,
        left(coalesce(job_name, parse_filename(job_arn)), 120) as name,
        left(coalesce(model_name, model), 120) as model
    from query_table(jobs)
    left join (
        select account_id, region_name, model_arn as model, model_name from known_models
    ) using (account_id, region_name, model);
