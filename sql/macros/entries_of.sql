-- description: The rows of a view, once for each entry of a map that they hold as JSON text; text
--   that is no JSON object gives no rows.
-- grain: one row per entry
-- parameters: the view's name, the map
create macro entries_of(view_name, entries) as table
with
mapped as (
    select
        *,
        unnest(map_entries(
            case
                when json_type(case when json_valid(entries) then entries end) = 'OBJECT'
                    then entries::json::map(varchar, json)
            end
        )) as entry
    from query_table(view_name)
)

select * exclude (entry), entry.key as entry_key, entry.value as element
from mapped
