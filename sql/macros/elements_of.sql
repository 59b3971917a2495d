-- description: The rows of a view, once for each element of a list that they hold as JSON text;
--   text that is no JSON list gives no rows.
-- grain: one row per element
-- parameters: the view's name, the list
create macro elements_of(view_name, list) as table
with
listed as (
    select *, case when json_valid(list) then list::json -> '$[*]' end as elements
    from query_table(view_name)
)

select
    * exclude (elements),
    unnest(elements) as element,
    generate_subscripts(elements, 1) as position
from listed
