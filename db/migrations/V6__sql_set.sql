-- The number of the newest set of functions and views (db/sql) that was applied. V1 to V4 made the first ones; since then they are
-- changed there, and migrations neither make nor call any.
alter table service add column sql_set integer not null default 0;
