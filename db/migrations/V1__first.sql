-- Gaceta's schema. Expand, then contract: two releases run side by side during a rolling upgrade, so a migration only
-- adds what the older release can ignore, and takes away what the older release no longer uses.

-- Microseconds since 1970 UTC: what the protocol carries.
create function us(at timestamptz) returns bigint language sql stable parallel safe
    return (extract(epoch from at) * 1000000)::bigint;

-- Which installation this is; one row. Clients keep what they save apart by it.
create table service (
    service_id uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    single boolean primary key default true check (single)
);
insert into service default values;

create table users (
    user_id bigint generated always as identity primary key,
    name text not null,                  -- as written at registration
    name_key text not null unique,       -- NFC, lower case; made in Rust, since lower() depends on the locale
    password_hash text not null,         -- argon2id, PHC string
    role text not null default 'user' check (role in ('user', 'admin')),
    created_at timestamptz not null default now(),
    disabled_at timestamptz
);

create table sessions (
    session_id bigint generated always as identity primary key,
    token_hash bytea not null unique,    -- SHA-256 of the token; the token itself is stored nowhere
    user_id bigint not null references users,
    label text not null,
    created_at timestamptz not null default now(),
    last_used_at timestamptz not null default now(),
    expires_at timestamptz not null,
    ended_at timestamptz
);
create index on sessions (user_id);

-- The one definition of a session that holds. Every operation asks it in the statement that does the work (I5).
create view live_sessions as
    select s.session_id, s.token_hash, s.user_id, u.name as user_name, u.role
      from sessions s join users u using (user_id)
     where s.ended_at is null and s.expires_at > now() and u.disabled_at is null;

create table areas (
    area_id bigint generated always as identity primary key,
    creation_id uuid not null unique,    -- made by the client that added it, so that a repeat is recognised
    name text not null,
    name_key text not null,
    description text not null default '',
    replicas integer not null default 1 check (replicas between 1 and 16),
    keep_for_s bigint check (keep_for_s > 0),
    keep_count bigint check (keep_count > 0),
    created_at timestamptz not null default now(),
    removed_at timestamptz,
    restored_at timestamptz
);
create unique index on areas (name_key) where removed_at is null;

-- The counter row of an area: locked by every post, so that numbers are dense and in commit order (I2). Narrow, apart
-- from `areas` and half empty, so that each update stays on its page and touches no index.
create table heads (
    area_id bigint primary key references areas,
    last_seq bigint not null default 0,
    expired_through bigint not null default 0,
    last_posted_at timestamptz not null default '-infinity'
) with (fillfactor = 50);

-- state: 0 kept, 1 deleted, 2 expired. Identities stay for ever, bodies do not (I1).
create table articles (
    area_id bigint not null references areas,
    seq bigint not null,
    author_id bigint not null references users,
    id uuid not null,                    -- made by the client; one for ever within (area, author)
    posted_at timestamptz not null,
    state smallint not null default 0 check (state between 0 and 2),
    body_hash bytea not null,            -- SHA-256 of the body as posted
    body text,
    primary key (area_id, seq),
    unique (area_id, author_id, id),
    check ((state = 0) = (body is not null))
);
create index articles_deleted on articles (area_id, seq) where state = 1;

create table subscriptions (
    user_id bigint not null references users,
    area_id bigint not null references areas,
    cursor bigint not null,              -- everything up to here was shown
    generation bigint not null default 1,-- raised by catch-up, undo and each new subscription; older marks change nothing
    undo_cursor bigint,                  -- where the last reading or catch-up began
    undo_by uuid,                        -- which reading or operation set undo_cursor or took it back
    -- The last few catch-ups and undos, newest first: a repeat of one may come late, and must change nothing then.
    recent_operations uuid[] not null default '{}',
    subscribed_at timestamptz not null default now(),
    ended_at timestamptz,                -- the row stays, so that generations never repeat
    primary key (user_id, area_id)
) with (fillfactor = 80);
create index on subscriptions (area_id) where ended_at is null;

-- unread = last_seq - p - deleted in (p, last_seq], p = max(cursor, expired_through)
create function unread(area bigint, cursor bigint, expired_through bigint, last_seq bigint) returns bigint
    language sql stable parallel safe
    return last_seq - greatest(cursor, expired_through)
           - (select count(*) from articles x
               where x.area_id = area and x.state = 1 and x.seq > greatest(cursor, expired_through));

create table nodes (
    node_id uuid primary key,            -- a new one at each start
    address text not null,               -- what clients connect to
    version text not null,
    state text not null default 'announced' check (state in ('announced', 'live', 'out')),
    started_at timestamptz not null default now(),
    state_at timestamptz not null default now()
);

create table settings (
    name text primary key,
    value jsonb not null,
    changed_at timestamptz not null default now()
);

create table audit (
    audit_id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    actor_id bigint references users,    -- null: the service itself
    actor text not null,
    action text not null,
    target text not null,
    detail jsonb not null default '{}'
);

-- Whoever waits for news must learn at once that he may no longer (I5). Only a hint: every delivery asks again (I8).
-- Payloads: session:ID, user:ID, area:ID, subscription:USER:AREA.
create function notify_access() returns trigger language plpgsql as $$
begin
    perform pg_notify('gaceta_access', case tg_table_name
        when 'sessions' then 'session:' || (to_jsonb(new) ->> 'session_id')
        when 'users' then 'user:' || (to_jsonb(new) ->> 'user_id')
        when 'areas' then 'area:' || (to_jsonb(new) ->> 'area_id')
        else 'subscription:' || (to_jsonb(new) ->> 'user_id') || ':' || (to_jsonb(new) ->> 'area_id') end);
    return null;
end $$;
create trigger session_ended after update of ended_at on sessions
    for each row when (new.ended_at is not null) execute function notify_access();
create trigger user_disabled after update of disabled_at on users
    for each row when (new.disabled_at is not null) execute function notify_access();
create trigger area_removed after update of removed_at on areas
    for each row when (new.removed_at is not null) execute function notify_access();
create trigger subscription_ended after update of ended_at on subscriptions
    for each row when (new.ended_at is not null) execute function notify_access();

-- Group commit of posts to any areas by anyone: one call is one round trip and one transaction (called from
-- db/src/articles.rs, `post_group`). A function, not a transaction driven by the node, because a node that is paused
-- half-way would then hold an area's counter for every other node.
--
-- Two statements, and this is the point: the second one's snapshot is taken after the locks are held. As one statement
-- its snapshot would predate the wait, and the same id coming through two nodes would be numbered twice.
--
-- outcome: posted, duplicate (seq of the first one), conflict, unauthenticated, not_found, denied.
create function post_group(
    token_hashes bytea[], area_ids bigint[], ids uuid[], bodies text[], body_hashes bytea[]
) returns table (ord bigint, outcome text, seq bigint) language plpgsql
    -- Somebody who holds a counter for long holds back a group for no longer than this; the node then tries area by area.
    set lock_timeout = '1s'
    -- A plan that is made and kept while the tables are small must still be right when they are large.
    set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    locked_at timestamptz;
begin
    perform 1 from heads h where h.area_id = any (area_ids) order by h.area_id for update;
    locked_at := clock_timestamp();      -- after the locks, so that posted_at rises with seq
    return query
    with given as (
        select g.* from unnest(token_hashes, area_ids, ids, bodies, body_hashes)
                        with ordinality as g (token_hash, area_id, id, body, body_hash, ord)
    ), judged as (
        select g.*, me.user_id, x.seq as seq_before,
               case when me.user_id is null then 'unauthenticated'
                    when a.area_id is null then 'not_found'
                    when x.body_hash = g.body_hash then 'duplicate' -- before the subscription is asked for
                    when x.seq is not null then 'conflict'
                    when s.user_id is null then 'denied'
                    else 'new' end as verdict
          from given g
          left join live_sessions me on me.token_hash = g.token_hash
          left join areas a on a.area_id = g.area_id and a.removed_at is null
          left join articles x on x.area_id = g.area_id and x.author_id = me.user_id and x.id = g.id
          left join subscriptions s on s.user_id = me.user_id and s.area_id = g.area_id and s.ended_at is null
    ), fresh as (                        -- the same id twice in this group: the first one counts
        select j.*, first_value(j.ord) over same as first_ord, first_value(j.body_hash) over same as first_hash
          from judged j where j.verdict = 'new'
        window same as (partition by j.area_id, j.user_id, j.id order by j.ord)
    ), numbered as (
        select f.*, h.last_seq + row_number() over (partition by f.area_id order by f.ord) as seq_new,
               greatest(h.last_posted_at, locked_at) as posted_at
          from fresh f join heads h using (area_id) where f.ord = f.first_ord
    ), inserted as (
        insert into articles (area_id, seq, author_id, id, posted_at, body_hash, body)
        select n.area_id, n.seq_new, n.user_id, n.id, n.posted_at, n.body_hash, n.body from numbered n
    ), moved as (
        update heads h set last_seq = t.last_seq, last_posted_at = t.posted_at
          from (select n.area_id, max(n.seq_new) as last_seq, max(n.posted_at) as posted_at
                  from numbered n group by n.area_id) t
         where h.area_id = t.area_id
    )
    select j.ord,
           case when j.verdict <> 'new' then j.verdict
                when f.ord = f.first_ord then 'posted'
                when f.body_hash = f.first_hash then 'duplicate'
                else 'conflict' end,
           coalesce(j.seq_before, n.seq_new)
      from judged j
      left join fresh f on f.ord = j.ord
      left join numbered n on n.ord = f.first_ord;
end $$;
