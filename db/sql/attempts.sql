-- How long somebody who failed so often still has to wait, in milliseconds; 0 or less: not at all. The wait doubles with
-- each failure beyond the free ones.
create or replace function attempt_wait_ms(
    failures integer, counted_at timestamptz, at timestamptz,
    failures_free integer, wait_ms_min integer, wait_ms_max integer, forget_ms bigint
) returns double precision language sql immutable parallel safe
    return case
        when failures < failures_free or counted_at is null or counted_at < at - forget_ms * interval '1 ms' then 0
        else least(wait_ms_max, wait_ms_min * power(2, least(failures - failures_free, 30)))
             - extract(epoch from at - counted_at) * 1000 end;

-- Admits an attempt and counts it, before the password is looked at, or says how long to wait. One transaction that locks
-- its rows: however many attempts come at once, through however many agents, each sees those before it. All lock in the
-- same order: source first, then the pair or the account.
create or replace function admit_attempt(
    account_key bytea, source_key bytea,
    failures_free integer, wait_ms_min integer, wait_ms_max integer, forget_ms bigint, purge_rows integer
) returns table (
    wait_ms integer,                     -- 0: admitted
    known boolean,                       -- judged by the pair, not by the account
    admitted_at timestamptz,
    source_before timestamptz,           -- counted_at as they were, for giving back
    other_before timestamptz
) language plpgsql
    set enable_seqscan = off             -- a plan that is kept from when the table was small must be right when it is large
as $$
declare
    by_source attempts;
    other attempts;
    is_known boolean;
    at timestamptz;
    wait double precision;
begin
    -- Locks the row, whether it was there or not. A new one says nothing before an attempt is counted in it.
    insert into attempts as a (account, source, expires_at) values ('', source_key, clock_timestamp())
    on conflict (account, source) do update set failures = a.failures
    returning * into by_source;
    at := clock_timestamp();             -- after the lock
    wait := attempt_wait_ms(by_source.failures, by_source.counted_at, at,
                            failures_free, wait_ms_min, wait_ms_max, forget_ms);
    if wait > 0 then                     -- here, so that who must wait leaves no rows of names that he invents
        return query select ceil(wait)::integer, false, at, null::timestamptz, null::timestamptz;
        return;
    end if;
    -- Somebody else's guesses do not keep a person out of the account where that person usually is.
    select * into other from attempts a
     where a.account = account_key and a.source = source_key and a.expires_at > clock_timestamp() for update;
    is_known := found;
    if not is_known then
        insert into attempts as a (account, source, expires_at) values (account_key, '', clock_timestamp())
        on conflict (account, source) do update set failures = a.failures
        returning * into other;
    end if;
    at := clock_timestamp();
    wait := attempt_wait_ms(other.failures, other.counted_at, at,
                            failures_free, wait_ms_min, wait_ms_max, forget_ms);
    if wait <= 0 then
        update attempts a
           set failures = case when a.counted_at < at - forget_ms * interval '1 ms' then 1 else a.failures + 1 end,
               counted_at = at,
               -- A pair says more than its failures: it stays as long as it was to stay.
               expires_at = greatest(a.expires_at, at + forget_ms * interval '1 ms')
         where (a.account = '' and a.source = source_key)
            or (a.account = account_key and a.source = other.source);
    end if;
    -- What is stale goes on the way, more rows than came: strangers cannot make the table grow without end.
    delete from attempts a using (
        select s.account, s.source from attempts s where s.expires_at < at
         order by s.expires_at limit purge_rows for update skip locked) stale
     where a.account = stale.account and a.source = stale.source;
    return query select greatest(0, ceil(wait))::integer, is_known, at, by_source.counted_at, other.counted_at;
end $$;

-- Takes one attempt back, as if it had not been made. Another one may have been counted since.
create or replace function give_attempt_back(
    account_key bytea, source_key bytea, admitted_at timestamptz, before timestamptz
) returns void language sql as $$
    update attempts a
       set failures = greatest(a.failures - 1, 0),
           counted_at = case when a.counted_at = admitted_at then before else a.counted_at end
     where a.account = account_key and a.source = source_key;
$$;

-- The password was right. The source gets its own attempt back and no more: who knows one password must not buy free guesses
-- at others with it. What was held against the account (or the pair) is forgotten, and the source is known from now on.
create or replace function attempt_succeeded(
    account_key bytea, source_key bytea, was_known boolean, admitted_at timestamptz, source_before timestamptz,
    known_ms bigint, known_max integer
) returns void language plpgsql
    set enable_seqscan = off
as $$
begin
    perform give_attempt_back('', source_key, admitted_at, source_before);
    if not was_known then
        delete from attempts a where a.account = account_key and a.source = '';
    end if;
    insert into attempts as a (account, source, expires_at)
    values (account_key, source_key, clock_timestamp() + known_ms * interval '1 ms')
    on conflict (account, source) do update
       set failures = 0, counted_at = null, expires_at = excluded.expires_at;
    delete from attempts a using (
        select s.account, s.source from attempts s where s.account = account_key and s.source <> ''
         order by s.expires_at desc offset known_max for update skip locked) oldest
     where a.account = oldest.account and a.source = oldest.source;
end $$;
