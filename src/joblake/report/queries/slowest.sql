-- The slowest jobs of the last 30 days, and how long such jobs take.
with
ended as (
    select *, duration_seconds as seconds
    from told('known_jobs')
    where is_terminal and seconds is not null and is_within(created_at, interval 1 year)
),

usual as (
    select kind, model, median(seconds) as usual_seconds
    from ended
    where outcome in ('succeeded', 'partially_succeeded')
    group by all
    having count(*) >= 5
)

select kind, account, region, listed_account, name, model, outcome, seconds, usual_seconds
from ended
left join usual using (kind, model)
where is_within(created_at, interval 30 days)
window place as (partition by kind, account, region)
qualify row_number() over (place order by seconds desc, job_arn) <= $rows
order by seconds desc, name
