-- Microseconds since 1970 UTC: what the protocol carries.
create or replace function us(at timestamptz) returns bigint language sql stable parallel safe
    return (extract(epoch from at) * 1000000)::bigint;
