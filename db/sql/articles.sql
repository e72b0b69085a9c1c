-- unread = last_seq - p - deleted in (p, last_seq], p = max(cursor, expired_through)
create or replace function unread(area bigint, cursor bigint, expired_through bigint, last_seq bigint) returns bigint
    language sql stable parallel safe
    return last_seq - greatest(cursor, expired_through)
           - (select count(*) from articles x
               where x.area_id = area and x.state = 1 and x.seq > greatest(cursor, expired_through));

-- Group commit of posts to any areas by anyone: one call is one round trip and one transaction (called from
-- db/src/articles.rs, `post_group`). A function, not a transaction driven by the node, because a node that is paused
-- half-way would then hold an area's counter for every other node.
--
-- Two statements, and this is the point: the second one's snapshot is taken after the locks are held. As one statement
-- its snapshot would predate the wait, and the same id coming through two nodes would be numbered twice.
--
-- outcome: posted, duplicate (seq of the first one), conflict, unauthenticated, not_found, denied.
--
-- Every look-up of a row is written so that only one plan is left for it (`lateral … offset 0`: a nested loop with the index that
-- has all the columns), whatever the tables' statistics said when the plan was made.
create or replace function post_group(
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
        select g.ord, g.area_id, g.id, g.body, g.body_hash, me.user_id, x.seq as seq_before,
               case when me.user_id is null then 'unauthenticated'
                    when a.area_id is null then 'not_found'
                    when x.body_hash = g.body_hash then 'duplicate' -- before the subscription is asked for
                    when x.seq is not null then 'conflict'
                    when s.user_id is null then 'denied'
                    else 'new' end as verdict
          from given g
          left join lateral (select l.user_id from live_sessions l where l.token_hash = g.token_hash offset 0) me on true
          left join lateral (select b.area_id from areas b
                              where b.area_id = g.area_id and b.removed_at is null offset 0) a on true
          left join lateral (select y.seq, y.body_hash from articles y
                              where y.id = g.id and y.author_id = me.user_id and y.area_id + 0 = g.area_id
                             offset 0) x on true
          left join lateral (select t.user_id from subscriptions t
                              where t.user_id = me.user_id and t.area_id = g.area_id and t.ended_at is null
                             offset 0) s on true
    ), fresh as (                        -- the same id twice in this group: the first one counts
        select j.ord, j.area_id, j.user_id, j.id, j.body, j.body_hash,
               first_value(j.ord) over same as first_ord, first_value(j.body_hash) over same as first_hash
          from judged j where j.verdict = 'new'
        window same as (partition by j.area_id, j.user_id, j.id order by j.ord)
    ), numbered as (                     -- whatever repeats one of this group has the number of the first
        select f.*, h.last_seq + sum((f.ord = f.first_ord)::integer)
                                 over (partition by f.area_id order by f.first_ord, f.ord) as seq_new,
               greatest(h.last_posted_at, locked_at) as posted_at
          from fresh f
         cross join lateral (select k.last_seq, k.last_posted_at from heads k where k.area_id = f.area_id offset 0) h
    ), inserted as (
        insert into articles (area_id, seq, author_id, id, posted_at, body_hash, body)
        select n.area_id, n.seq_new, n.user_id, n.id, n.posted_at, n.body_hash, n.body from numbered n
         where n.ord = n.first_ord
    ), moved as (
        update heads h set last_seq = t.last_seq, last_posted_at = t.posted_at
          from (select n.area_id, max(n.seq_new) as last_seq, max(n.posted_at) as posted_at
                  from numbered n group by n.area_id) t
         where h.area_id = t.area_id
    )
    -- Not joined: whoever plans for ten posts compares each with each, and there may be two thousand.
    select j.ord, j.verdict, j.seq_before from judged j where j.verdict <> 'new'
    union all
    select n.ord,
           case when n.ord = n.first_ord then 'posted'
                when n.body_hash = n.first_hash then 'duplicate'
                else 'conflict' end,
           n.seq_new
      from numbered n;
end $$;
