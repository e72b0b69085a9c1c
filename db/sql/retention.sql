-- The last number after `after` whose article is older than `moment`, or `after`. Numbers are dense and their times rise
-- (I2), so that some twenty looks find it among a million.
create or replace function posted_before(area bigint, after bigint, upto bigint, moment timestamptz) returns bigint
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
create or replace function expirable_through(area bigint, keep_for_s bigint, keep_count bigint, keep_unread_s_max bigint)
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
