-- The one definition of a session that holds. Every operation asks it in the statement that does the work (I5).
-- A lifetime that is made shorter holds at once, also for sessions that were begun before; a longer one from their next use on.
create or replace view live_sessions as
    select s.session_id, s.token_hash, s.user_id, u.name as user_name, u.role
      from sessions s join users u using (user_id)
     where s.ended_at is null and s.expires_at > now() and u.disabled_at is null
       and s.last_used_at > now() - (select lifetime from session_lifetime);

-- How long a session holds after its last use, for the statements that it guards. The numbers are those of
-- db/src/settings/definitions.rs; a row that somebody wrote by hand and that is none of them counts as if it were not there. A view
-- and no function, since every operation asks it: planned with the statement it costs a look at one row, a function a tenth of a
-- millisecond.
create or replace view session_lifetime as
    select coalesce((select case when jsonb_typeof(value) = 'number' and (value #>> '{}')::numeric between 900 and 315360000
                                 then (value #>> '{}')::double precision end
                       from settings where name = 'session_lifetime_s'), 7776000) * interval '1 s' as lifetime;
