-- The oldest release that may serve, three numbers: an agent or node below it does not start, and one that runs drains and
-- ends. Each reads it together with the version of the settings, every second. A later release raises it when it takes away what
-- older ones use; an administrator of the database may, too.
alter table service add column release_min text not null default '0.1.0'
    constraint service_release_min_check check (release_min ~ '^[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}$');
