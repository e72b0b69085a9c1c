-- Whoever waits for news must learn at once that he may no longer (I5). Only a hint: every delivery asks again (I8).
-- Payloads: session:ID, user:ID, area:ID, subscription:USER:AREA.
create or replace function notify_access() returns trigger language plpgsql as $$
begin
    perform pg_notify('gaceta_access', case tg_table_name
        when 'sessions' then 'session:' || (to_jsonb(new) ->> 'session_id')
        when 'users' then 'user:' || (to_jsonb(new) ->> 'user_id')
        when 'areas' then 'area:' || (to_jsonb(new) ->> 'area_id')
        else 'subscription:' || (to_jsonb(new) ->> 'user_id') || ':' || (to_jsonb(new) ->> 'area_id') end);
    return null;
end $$;
