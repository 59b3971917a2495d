-- description: The day of an instant in UTC, whatever the session's time zone; null of null.
-- grain: a scalar
-- parameters: an instant
create macro utc_day(instant) as make_timestamp(epoch_us(instant))::date
