//! Retention: what is too old or too many expires, and removed areas are purged. The leader does both, in small steps, each of
//! them one statement behind the fence (I7).
//!
//! What expires is a beginning of the area (I2). First `expired_through` rises: one tiny statement, the only one that touches the
//! counter row, and from then on nobody gets what is before. The bodies go afterwards, some at a time, from rows that no post
//! touches. Number, author, id and hash of each article stay for ever (I1). Deleted ones in the beginning become expired,
//! too: nobody is told the difference any more, and the index of the deleted stays as small as what is kept.

use crate::leader::Term;
use crate::settings::Settings;
use crate::{Db, Result};
use tokio_postgres::Row;

/// Numbers in one step: some milliseconds, so that nobody who deletes one of them waits.
const STEP_ROWS_MAX: i64 = 500;
/// What their bodies may weigh together: the database writes as much again to forget them.
const STEP_BYTES_MAX: i64 = 4 * 1024 * 1024;
/// Areas of one look. Where much is old and unread it asks for all their subscriptions: with 200 in each, some 40 ms.
pub const LOOK_AREAS_MAX: i64 = 100;
/// What expires of an area within such a time is told by one event: where people post all the time, something expires at every look.
const EVENT_S: f64 = 3_600.0;

/// What an area's `keep_for_s` or `keep_count` is, at least, that keeps everything, whatever the service's default says. (`NULL` is
/// that default.) So much that it limits nothing: as many seconds before today there was no time that the database knows.
pub const FOREVER: i64 = 200_000_000_000;

/// What the settings say.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of areas without their own; `None`: no limit.
    pub keep_for_s: Option<i64>,
    /// Of areas without their own; `None`: no limit.
    pub keep_count: Option<i64>,
    pub keep_unread_s_max: i64,
    pub removed_area_keep_s: i64,
}

impl From<Settings> for Limits {
    fn from(settings: Settings) -> Self {
        let Settings { keep_for_s, keep_count, keep_unread_s_max, removed_area_keep_s, .. } = settings;
        Self { keep_for_s, keep_count, keep_unread_s_max, removed_area_keep_s }
    }
}

/// An area of which something has expired by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    pub name: String,
    /// The numbers `from..=through`.
    pub from: i64,
    pub through: i64,
    /// Subscribers who had not read all of it.
    pub unread_by: i64,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub rows: u64,
    pub is_last: bool,
}

/// Areas with something to do, by their ids.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Something in them may expire.
    pub expirable: Vec<i64>,
    /// Something has expired, and its bodies are still there.
    pub uncleared: Vec<i64>,
    /// Removed for so long that they go for ever.
    pub purgeable: Vec<i64>,
}

/// An area's own limit, or the service's. With `a` (areas) in scope.
fn limit(own: &str, default: &str) -> String {
    let either = format!("coalesce(a.{own}, {default}::bigint)");
    format!("(case when {either} < {FOREVER} then {either} end)")
}

/// Up to where the area `a` may expire, by these parameters.
fn through(keep_for_s: &str, keep_count: &str, keep_unread_s_max: &str) -> String {
    let (keep_for_s, keep_count) = (limit("keep_for_s", keep_for_s), limit("keep_count", keep_count));
    format!("expirable_through(a.area_id, {keep_for_s}, {keep_count}, {keep_unread_s_max}::bigint)")
}

/// Looks what there is to do in some areas, those after the id `after`; and the id of the last one that it looked at, `None` when there
/// are no more. Looks at `areas_max` at once, at most at [`LOOK_AREAS_MAX`]. Locks nothing.
pub async fn due(db: &Db, limits: &Limits, after: i64, areas_max: i64) -> Result<(Due, Option<i64>)> {
    let Limits { keep_for_s, keep_count, keep_unread_s_max, removed_area_keep_s } = limits;
    let mut due = Due::default();
    let mut last = None;
    let rows = db
        .query(
            &format!(
                "with a as (select * from areas where area_id > $5 order by area_id limit $6)
                 select 0, max(a.area_id) from a
                 union all
                 select 1, a.area_id from a join heads h using (area_id)
                  where a.removed_at is null and h.last_seq > h.expired_through
                    and coalesce({keep_for_s}, {keep_count}) is not null and {through} > h.expired_through
                 union all
                 select 2, a.area_id from a join heads h using (area_id) left join retention r using (area_id)
                  where a.removed_at is null and h.expired_through > coalesce(r.cleared_through, 0)
                 union all
                 select 3, a.area_id from a
                  where a.purging_at is not null or a.removed_at < now() - $4::bigint * interval '1 s'",
                keep_for_s = limit("keep_for_s", "$1"),
                keep_count = limit("keep_count", "$2"),
                through = through("$1", "$2", "$3")
            ),
            &[
                keep_for_s,
                keep_count,
                keep_unread_s_max,
                removed_area_keep_s,
                &after,
                &areas_max.clamp(1, LOOK_AREAS_MAX),
            ],
        )
        .await?;
    for row in rows {
        let areas = match row.get(0) {
            0 => {
                last = row.get(1);
                continue;
            }
            1 => &mut due.expirable,
            2 => &mut due.uncleared,
            _ => &mut due.purgeable,
        };
        areas.push(row.get(1));
    }
    Ok((due, last))
}

/// Lets the beginning of an area expire, and tells it in an event. `None`: there was nothing to expire.
pub async fn expire(db: &Db, term: Term, area_id: i64, limits: &Limits) -> Result<Option<Expired>> {
    let Limits { keep_for_s, keep_count, keep_unread_s_max, removed_area_keep_s: _ } = limits;
    let row = term
        .write(
            db,
            &format!(
                "area as (select a.area_id, a.name, h.expired_through as before, {through} as through
                             from areas a join heads h using (area_id)
                            where a.area_id = $3 and a.removed_at is null),
                  readers as (select count(*) as unread_by
                                from area join subscriptions s using (area_id)
                               where s.ended_at is null and s.cursor < area.through),
                  raised as (update heads h set expired_through = area.through from lease, area
                              where h.area_id = area.area_id and h.expired_through < area.through
                             returning h.area_id),
                  young as (select event_id from retention join area using (area_id) join events e using (event_id), lease
                             where e.epoch = lease.epoch and e.at > now() - $7::float8 * interval '1 s'),
                  lengthened as (update events e
                                    set detail = e.detail || jsonb_build_object('through', area.through, 'unread_by',
                                            greatest(unread_by, (e.detail ->> 'unread_by')::bigint))
                                   from lease, area, readers, raised, young where e.event_id = young.event_id),
                  told as (insert into events (epoch, kind, subject, detail)
                           select lease.epoch, 'area.expired', area.name,
                                  jsonb_build_object('from', before + 1, 'through', through, 'unread_by', unread_by)
                             from lease, area, readers, raised where not exists (select from young)
                           returning event_id),
                  noted as (insert into retention (area_id, cleared_through, event_id)
                            select area.area_id, 0, told.event_id from area, told
                            on conflict (area_id) do update set event_id = excluded.event_id)",
                through = through("$4", "$5", "$6")
            ),
            "exists (select from raised) as raised, area.name, area.before + 1 as first, area.through, readers.unread_by
               from readers left join area on true",
            &[&area_id, keep_for_s, keep_count, keep_unread_s_max, &EVENT_S],
        )
        .await?;
    Ok(row.get::<_, bool>("raised").then(|| Expired {
        name: row.get("name"),
        from: row.get("first"),
        through: row.get("through"),
        unread_by: row.get("unread_by"),
    }))
}

/// Takes the bodies of some articles that have expired.
pub async fn clear(db: &Db, term: Term, area_id: i64) -> Result<Step> {
    let row = term
        .write(
            db,
            "place as (select h.area_id, coalesce(r.cleared_through, 0) as after, h.expired_through as upto
                          from heads h left join retention r using (area_id) where h.area_id = $3),
              rows as (select x.seq, row_number() over (order by x.seq) as nth,
                              sum(coalesce(octet_length(x.body), 0)) over (order by x.seq) as bytes
                         from place join articles x using (area_id)
                        where x.seq > place.after and x.seq <= least(place.upto, place.after + $4)),
              step as (select max(seq) as upto, count(*) as rows from rows where nth = 1 or bytes <= $5),
              cleared as (update articles x set state = 2, body = null from lease, place, step
                           where x.area_id = place.area_id and x.seq > place.after and x.seq <= step.upto
                             and x.state <> 2),
              noted as (insert into retention (area_id, cleared_through)
                        select place.area_id, step.upto from lease, place, step where step.upto is not null
                        on conflict (area_id) do update set cleared_through = excluded.cleared_through)",
            "step.rows, coalesce(step.upto >= place.upto, true) as is_last from step left join place on true",
            &[&area_id, &STEP_ROWS_MAX, &STEP_BYTES_MAX],
        )
        .await?;
    Ok(step_of(&row))
}

fn step_of(row: &Row) -> Step {
    Step { rows: row.get::<_, i64>("rows").unsigned_abs(), is_last: row.get("is_last") }
}

/// Begins to purge an area that was removed long enough ago: from then on nobody restores it. Returns its name; `None` when it
/// was restored meanwhile.
pub async fn begin_purge(db: &Db, term: Term, area_id: i64, limits: &Limits) -> Result<Option<String>> {
    let row = term
        .write(
            db,
            "begun as (update areas a set purging_at = coalesce(a.purging_at, now()) from lease
                         where a.area_id = $3
                           and (a.purging_at is not null or a.removed_at < now() - $4::bigint * interval '1 s')
                        returning a.name)",
            "(select name from begun) as name",
            &[&area_id, &limits.removed_area_keep_s],
        )
        .await?;
    Ok(row.get("name"))
}

/// Deletes some of an area that is being purged: articles, then subscriptions, and at last the area itself, with an event.
pub async fn purge(db: &Db, term: Term, area_id: i64) -> Result<Step> {
    let row = term
        .write(
            db,
            "area as (select area_id, name from areas where area_id = $3 and purging_at is not null),
              rows as (select x.seq, row_number() over (order by x.seq) as nth,
                              sum(coalesce(octet_length(x.body), 0)) over (order by x.seq) as bytes
                         from area cross join lateral (select y.seq, y.body from articles y
                              where y.area_id = area.area_id order by y.seq limit $4) x),
              articles_gone as (delete from articles x using lease, area
                                 where x.area_id = area.area_id
                                   and x.seq in (select seq from rows where nth = 1 or bytes <= $5) returning 1),
              readers as (select s.user_id from area join subscriptions s using (area_id)
                           where not exists (select from rows) limit $4),
              readers_gone as (delete from subscriptions s using lease, area
                                where s.area_id = area.area_id and s.user_id in (select user_id from readers)
                               returning 1),
              last as (select area.*, lease.epoch from lease, area
                        where not exists (select from rows) and not exists (select from readers)),
              unassigned as (delete from assignments x using last where x.area_id = last.area_id),
              unretained as (delete from retention x using last where x.area_id = last.area_id),
              unheaded as (delete from heads x using last where x.area_id = last.area_id),
              gone as (delete from areas x using last where x.area_id = last.area_id),
              told as (insert into events (epoch, kind, subject, detail)
                       select epoch, 'area.purged', name, jsonb_build_object('area_id', area_id) from last)",
            "(select count(*) from articles_gone) + (select count(*) from readers_gone) as rows,
             exists (select from last) or not exists (select from area) as is_last",
            &[&area_id, &STEP_ROWS_MAX, &STEP_BYTES_MAX],
        )
        .await?;
    Ok(step_of(&row))
}
