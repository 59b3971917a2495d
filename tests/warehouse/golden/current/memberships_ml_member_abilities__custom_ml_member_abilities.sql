-- description: The elements of mlMemberAbilities.customMLMemberAbilities of memberships, one by
--   one; text that is no JSON list gives no rows.
-- grain: one row per element of a resource, as last observed
-- key: account_id, region_name, id, position
-- columns: id, account_id, region_name, position, value
--   id: The unique ID for the membership's collaboration
--   value: AWS's value
select
    "id",
    account_id,
    region_name,
    position,
    element ->> '$' as "value"
from elements_of('current.memberships', "ml_member_abilities__custom_ml_member_abilities")
where coalesce(element ->> '$') is not null
