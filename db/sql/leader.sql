-- The fence: the epoch, and the lease row locked against whoever would take over, or no row. Every write of a leader is
-- one statement that begins with `with lease as (select epoch from lease($1, $2) epoch)` and writes from it.
create or replace function lease(agent uuid, held_epoch bigint) returns setof bigint language sql volatile as $$
    select l.epoch from leader l where l.holder = agent and l.epoch = held_epoch for share
$$;
