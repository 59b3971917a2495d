-- description: The seconds from one instant to another as a double; null where the second lies
--   before the first, since clocks that disagree tell no duration.
-- grain: a scalar
-- parameters: two instants
create macro seconds_between(started_at, ended_at) as
case
    when ended_at >= started_at
        then (epoch_us(ended_at) - epoch_us(started_at)) / 1000000.0::double
end
