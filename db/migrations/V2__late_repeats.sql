-- Catch-ups and undos may be repeated (I10), and a repeat may come late: after the catch-up that it repeats was taken
-- back, or after something else was read. The last few are remembered, newest first, so that it changes nothing then.
alter table subscriptions add column recent_operations uuid[] not null default '{}';
