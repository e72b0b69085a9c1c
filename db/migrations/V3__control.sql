-- What many agents and nodes need: who leads, who serves what, how it goes, what was done about it, and the version of
-- the settings.

-- Who leads: one row, by the database's clock. A leader that is paused does not know that its time is over, so each of
-- its writes asks for its epoch in the statement itself (I7). Not an advisory lock: those are lost when a database fails
-- over, and outlive a connection whose client has gone.
create table leader (
    single boolean primary key default true check (single),
    holder uuid,                         -- an agent; null: nobody leads
    epoch bigint not null default 0,     -- one more at each take-over
    taken_at timestamptz,
    expires_at timestamptz not null default '-infinity'
) with (fillfactor = 50);
insert into leader default values;

-- The fence: the epoch, and the lease row locked against whoever would take over, or no row. Every write of a leader is
-- one statement that begins with `with lease as (select epoch from lease($1, $2) epoch)` and writes from it.
create function lease(agent uuid, held_epoch bigint) returns setof bigint language sql volatile as $$
    select l.epoch from leader l where l.holder = agent and l.epoch = held_epoch for share
$$;

-- What the leader shows nodes when it checks them: strangers must not be able to make a node believe that it is checked.
alter table service add column check_token bytea not null
    default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()); -- from the system's strong source: 244 random bits

create table agents (
    agent_id uuid primary key,           -- a new one at each start
    address text not null,               -- where it listens, for people to recognise it
    version text not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now(), -- it writes this each second
    settings_version bigint              -- the version that it runs
) with (fillfactor = 50);

alter table nodes
    drop constraint nodes_state_check,
    -- left: it said good-bye. Its row stays a while, to be seen, and for what an administrator wants of its address.
    add constraint nodes_state_check check (state in ('announced', 'live', 'out', 'left')),
    add column drained_at timestamptz,   -- an administrator wants it to have no areas; a later node of the address, too
    -- Its share of the areas, in quarters: the leader takes some from a node that has far more to do than the others.
    add column weight smallint not null default 4 check (weight between 1 and 4),
    add column settings_version bigint;

-- Which nodes serve an area, best first: routing, never safety (I6). An area without a row is served by any node.
create table assignments (
    area_id bigint primary key references areas,
    node_ids uuid[] not null,
    epoch bigint not null,
    assigned_at timestamptz not null default now()
);

-- What live nodes reported, every few seconds, kept for a day.
create table node_samples (
    at timestamptz not null,
    node_id uuid not null,
    epoch bigint not null,
    posts_s double precision not null,   -- articles posted a second
    reads_s double precision not null,
    follows_s double precision not null,
    deletes_s double precision not null,
    others_s double precision not null,  -- every other request
    deliveries_s double precision not null, -- articles given to readers and followers a second
    followers double precision not null,
    connections double precision not null,
    queued_posts double precision not null,
    memory_bytes double precision not null,
    primary key (at, node_id)
);
create index on node_samples (node_id, at);

-- Their sums, and the means that follow from them.
create table load_samples (
    at timestamptz primary key,
    epoch bigint not null,
    nodes integer not null,              -- live ones that reported
    posts_s double precision not null,
    reads_s double precision not null,
    follows_s double precision not null,
    deletes_s double precision not null,
    others_s double precision not null,
    deliveries_s double precision not null,
    followers double precision not null,
    connections double precision not null,
    queued_posts double precision not null,
    memory_bytes double precision not null,
    mean_posts_s double precision generated always as (posts_s / nullif(nodes, 0)) stored,
    mean_reads_s double precision generated always as (reads_s / nullif(nodes, 0)) stored,
    mean_follows_s double precision generated always as (follows_s / nullif(nodes, 0)) stored,
    mean_deletes_s double precision generated always as (deletes_s / nullif(nodes, 0)) stored,
    mean_others_s double precision generated always as (others_s / nullif(nodes, 0)) stored,
    mean_deliveries_s double precision generated always as (deliveries_s / nullif(nodes, 0)) stored,
    mean_followers double precision generated always as (followers / nullif(nodes, 0)) stored,
    mean_connections double precision generated always as (connections / nullif(nodes, 0)) stored,
    mean_queued_posts double precision generated always as (queued_posts / nullif(nodes, 0)) stored,
    mean_memory_bytes double precision generated always as (memory_bytes / nullif(nodes, 0)) stored
);

-- What the service did by itself; what people did is in `audit`.
create table events (
    event_id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    epoch bigint,                        -- of the leader that did it; null: not a leader
    kind text not null,                  -- like node.out, leader.elected
    subject text not null,               -- an address or a name
    detail jsonb not null default '{}'
);
create index on events (at);
create index on events (split_part(kind, '.', 1), event_id); -- the last ones of a few families, among millions of others

-- Retention. `heads.expired_through` says what has expired; the bodies go afterwards, in small steps, up to `cleared_through`.
create table retention (
    area_id bigint primary key references areas,
    cleared_through bigint not null,
    event_id bigint                      -- the event that tells what has expired lately; the next one may only lengthen it
);

-- The last number after `after` whose article is older than `moment`, or `after`. Numbers are dense and their times rise
-- (I2), so that some twenty looks find it among a million.
create function posted_before(area bigint, after bigint, upto bigint, moment timestamptz) returns bigint
    language plpgsql stable set enable_seqscan = off as $$
declare
    low bigint := after;
    high bigint := upto;
    middle bigint;
begin
    while low < high loop
        middle := low + (high - low + 1) / 2;
        if (select x.posted_at < moment from articles x where x.area_id = area and x.seq = middle) then
            low := middle;
        else
            high := middle - 1;
        end if;
    end loop;
    return low;
end $$;

-- Up to where an area may expire: what is too old (null: nothing is) or too many (null: nothing is), and what of that every
-- subscriber has read, or is older than even the unread is kept. Each of these is a beginning of the area, so the result is.
create function expirable_through(area bigint, keep_for_s bigint, keep_count bigint, keep_unread_s_max bigint)
    returns bigint language plpgsql stable set enable_seqscan = off as $$
declare
    head heads;
    due bigint;
    seen bigint;
begin
    select * into head from heads h where h.area_id = area;
    due := greatest(head.last_seq - keep_count,
                    posted_before(area, head.expired_through, head.last_seq, now() - keep_for_s * interval '1 s'));
    if due is null or due <= head.expired_through then
        return head.expired_through;
    end if;
    select min(s.cursor) into seen from subscriptions s where s.area_id = area and s.ended_at is null;
    if seen is null or seen >= due then
        return due;
    end if;
    return least(due, greatest(seen, posted_before(area, head.expired_through, due,
        now() - greatest(keep_unread_s_max, keep_for_s) * interval '1 s')));
end $$;

-- What is purged is found by its area, ended subscriptions too.
create index subscriptions_of_area on subscriptions (area_id);
drop index subscriptions_area_id_idx;

-- An area that is being purged is gone for everybody: it cannot be restored any more.
alter table areas add column purging_at timestamptz;

-- The version of all settings together: raised by each change, in the same statement.
create table settings_state (
    single boolean primary key default true check (single),
    version bigint not null default 1,
    changed_at timestamptz not null default now()
);
insert into settings_state default values;

-- How long a session holds after its last use, for the statements that it guards. The numbers are those of
-- db/src/settings/definitions.rs; a row that somebody wrote by hand and that is none of them counts as if it were not there. A view
-- and no function, since every operation asks it: planned with the statement it costs a look at one row, a function a tenth of a
-- millisecond.
create view session_lifetime as
    select coalesce((select case when jsonb_typeof(value) = 'number' and (value #>> '{}')::numeric between 900 and 315360000
                                 then (value #>> '{}')::double precision end
                       from settings where name = 'session_lifetime_s'), 7776000) * interval '1 s' as lifetime;

-- A lifetime that is made shorter holds at once, also for sessions that were begun before; a longer one from their next use on.
create or replace view live_sessions as
    select s.session_id, s.token_hash, s.user_id, u.name as user_name, u.role
      from sessions s join users u using (user_id)
     where s.ended_at is null and s.expires_at > now() and u.disabled_at is null
       and s.last_used_at > now() - (select lifetime from session_lifetime);
