-- What became of the jobs of each of the last days.
select
    job_kind as kind,
    case when list_contains($accounts, account_id) then account_id end as account,
    region_name as region,
    day,
    sum(succeeded_count)::bigint as succeeded,
    sum(partially_succeeded_count)::bigint as partially_succeeded,
    sum(failed_count)::bigint as failed,
    sum(expired_count)::bigint as expired,
    sum(stopped_count)::bigint as stopped,
    sum(running_count)::bigint as running,
    sum(lost_count)::bigint as lost,
    sum(unknown_count)::bigint as unknown
from reports.daily_job_counts
where day > utc_day($as_of::timestamptz) - $days and day <= utc_day($as_of::timestamptz)
group by all
order by day, kind, account, region
