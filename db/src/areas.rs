//! Areas: what there is to read, and its administration. A removed area keeps its rows until it is purged.

use crate::names::{Name, key};
use crate::retention::FOREVER;
use crate::sessions::{TokenHash, noted_use};
use crate::{Db, Error, Noun, Result, audit};
use uuid::Uuid;

/// An area as one reader sees it.
#[derive(Debug)]
pub struct Area {
    pub area_id: i64,
    pub name: String,
    pub description: String,
    pub replicas: i32,
    pub last_seq: i64,
    /// `None` when not subscribed.
    pub unread: Option<i64>,
}

/// An area as administrators see it.
#[derive(Debug)]
pub struct Details {
    pub area_id: i64,
    pub name: String,
    pub description: String,
    pub replicas: i32,
    /// Its own: `None` is the service's default, [`FOREVER`] or more is no limit.
    pub keep_for_s: Option<i64>,
    pub keep_count: Option<i64>,
    pub created_at_us: i64,
    pub removed_at_us: Option<i64>,
    pub last_seq: i64,
    pub expired_through: i64,
    pub subscribers: i64,
}

/// What to change; `None` leaves it. Of a limit, the inner `None` is the service's default, and [`FOREVER`] none at all.
#[derive(Debug, Default)]
pub struct Change {
    pub description: Option<String>,
    pub replicas: Option<i32>,
    pub keep_for_s: Option<Option<i64>>,
    pub keep_count: Option<Option<i64>>,
}

/// A page of all areas by name.
pub async fn list(db: &Db, token: &TokenHash, after: Option<&str>, limit: i64) -> Result<Vec<Area>> {
    let rows = db
        .query(
            &format!(
                "with {}
                 select me.user_id, a.area_id, a.name, a.description, a.replicas, h.last_seq,
                        case when s.user_id is not null
                             then unread(a.area_id, s.cursor, h.expired_through, h.last_seq) end as unread
                   from (select user_id from live_sessions where token_hash = $1) me
                   left join (select * from areas where removed_at is null and name_key > $2
                               order by name_key limit $3) a on true
                   left join heads h using (area_id)
                   left join subscriptions s
                     on s.area_id = a.area_id and s.user_id = me.user_id and s.ended_at is null
                  order by a.name_key",
                noted_use("token_hash = $1")
            ),
            &[&token.as_bytes(), &key(after.unwrap_or_default()), &limit],
        )
        .await?;
    if rows.is_empty() {
        return Err(Error::unauthenticated());
    }
    Ok(rows
        .iter()
        .filter(|row| row.get::<_, Option<i64>>("area_id").is_some()) // one row of nothing: logged in, and no area
        .map(|row| Area {
            area_id: row.get("area_id"),
            name: row.get("name"),
            description: row.get("description"),
            replicas: row.get("replicas"),
            last_seq: row.get("last_seq"),
            unread: row.get("unread"),
        })
        .collect())
}

/// An area that was asked for by name.
#[derive(Debug)]
pub struct Located {
    pub area_id: i64,
    /// As written at creation.
    pub name: String,
    pub replicas: i32,
}

/// These areas, in their order. Fails on the first that does not exist.
pub async fn locate(db: &Db, token: &TokenHash, names: &[String]) -> Result<Vec<Located>> {
    let keys: Vec<String> = names.iter().map(|name| key(name)).collect();
    let rows = db
        .query(
            &format!(
                "with {}
                 select exists (select from live_sessions where token_hash = $1) as logged_in,
                        a.area_id, a.name, a.replicas
                   from (select 1) one
                   left join unnest($2::text[]) with ordinality as k (name_key, ord) on true
                   left join areas a on a.name_key = k.name_key and a.removed_at is null
                  order by k.ord",
                noted_use("token_hash = $1")
            ),
            &[&token.as_bytes(), &keys],
        )
        .await?;
    if !rows.first().is_some_and(|row| row.get("logged_in")) {
        return Err(Error::unauthenticated());
    }
    names
        .iter()
        .zip(&rows)
        .map(|(name, row)| match row.get("area_id") {
            Some(area_id) => Ok(Located { area_id, name: row.get("name"), replicas: row.get("replicas") }),
            None => Err(Error::unknown(Noun::Area, name, format!("no area {name:?}: `areas` lists them"))),
        })
        .collect()
}

/// Adds an area. `true` with it if this very creation was done before.
pub async fn add(
    db: &Db,
    token: &TokenHash,
    creation_id: Uuid,
    name: &Name,
    change: &Change,
) -> Result<(Details, bool)> {
    let Change { description, replicas, keep_for_s, keep_count } = change;
    let row = db
        .query_one(
            "with me as (select * from live_sessions where token_hash = $1),
                  added as (insert into areas (creation_id, name, name_key, description, replicas, keep_for_s, keep_count)
                            select $2, $3, $4, coalesce($5, ''), coalesce($6, 1), $7, $8
                              from me where me.role = 'admin'
                            on conflict do nothing returning area_id, name),
                  head as (insert into heads (area_id) select area_id from added),
                  audited as (insert into audit (actor_id, actor, action, target)
                              select me.user_id, me.user_name, 'area.add', added.name from me, added)
             select (select role from me), (select area_id from added)",
            &[
                &token.as_bytes(),
                &creation_id,
                &name.text,
                &name.key,
                description,
                replicas,
                &keep_for_s.flatten(),
                &keep_count.flatten(),
            ],
        )
        .await?;
    audit::check_admin(row.get(0))?;
    if let Some(area_id) = row.get(1) {
        return Ok((details(db, area_id).await?, false));
    }
    // A statement of its own: the other one's snapshot may predate whoever took the name.
    let sql = "select area_id from areas where creation_id = $1 and name_key = $2";
    match db.query_opt(sql, &[&creation_id, &name.key]).await? {
        Some(row) => Ok((details(db, row.get(0)).await?, true)),
        None => Err(Error::Conflict(format!("there is an area {:?} already", name.text))),
    }
}

/// Changes an area's settings. `true` with it if nothing had to be changed.
pub async fn set(db: &Db, token: &TokenHash, name: &str, change: &Change) -> Result<(Details, bool)> {
    let Change { description, replicas, keep_for_s, keep_count } = change;
    let row = db
        .query_one(
            &format!(
                "with me as (select * from live_sessions where token_hash = $1),
                  target as (select a.area_id,
                                    coalesce($3, a.description) as description,
                                    coalesce($4, a.replicas) as replicas,
                                    case when $5 then $6 else a.keep_for_s end as keep_for_s,
                                    case when $7 then $8 else a.keep_count end as keep_count
                               from areas a where a.name_key = $2 and a.removed_at is null),
                  changed as (update areas a
                                 set description = t.description, replicas = t.replicas,
                                     keep_for_s = t.keep_for_s, keep_count = t.keep_count
                                from me, target t
                               where me.role = 'admin' and a.area_id = t.area_id and a.removed_at is null
                                 and (a.description, a.replicas, a.keep_for_s, a.keep_count)
                                     is distinct from (t.description, t.replicas, t.keep_for_s, t.keep_count)
                              returning a.name, a.description, a.replicas, a.keep_for_s, a.keep_count),
                  audited as (insert into audit (actor_id, actor, action, target, detail)
                              select me.user_id, me.user_name, 'area.set', c.name,
                                     to_jsonb(c) - 'name' || jsonb_strip_nulls(jsonb_build_object(
                                         'keep_for_s', case when c.keep_for_s >= {FOREVER} then 'forever' end,
                                         'keep_count', case when c.keep_count >= {FOREVER} then 'forever' end))
                                from me, changed c)
             select (select role from me), (select area_id from target), exists (select from changed) as changed"
            ),
            &[
                &token.as_bytes(),
                &key(name),
                description,
                replicas,
                &keep_for_s.is_some(),
                &keep_for_s.flatten(),
                &keep_count.is_some(),
                &keep_count.flatten(),
            ],
        )
        .await?;
    audit::check_admin(row.get("role"))?;
    match row.get("area_id") {
        Some(area_id) => Ok((details(db, area_id).await?, !row.get::<_, bool>("changed"))),
        None => {
            let text = format!("no area {name:?}: `admin area list` lists them");
            Err(Error::unknown(Noun::Area, name, text))
        }
    }
}

/// Removes an area: once this returns no post enters it and nothing of it is delivered. Its counter row is locked first,
/// so that every post is either before (and numbered) or after (and refused).
pub async fn remove(db: &Db, token: &TokenHash, area_id: i64) -> Result<bool> {
    let row = db
        .query_one(
            "with me as (select * from live_sessions where token_hash = $1),
                  locked as (select h.area_id from heads h, me
                              where h.area_id = $2 and me.role = 'admin' for update of h),
                  removed as (update areas a set removed_at = now() from locked
                               where a.area_id = locked.area_id and a.removed_at is null returning a.name),
                  audited as (insert into audit (actor_id, actor, action, target, detail)
                              select me.user_id, me.user_name, 'area.rm', removed.name,
                                     jsonb_build_object('area_id', $2::bigint) from me, removed)
             select (select role from me), exists (select from locked) as found, exists (select from removed) as removed",
            &[&token.as_bytes(), &area_id],
        )
        .await?;
    audit::check_admin(row.get("role"))?;
    if row.get("found") { Ok(!row.get::<_, bool>("removed")) } else { Err(Error::no_such_area()) }
}

/// Brings the last removed area of this name back, unless its purge has begun. `true` with it if it was brought back before.
pub async fn restore(db: &Db, token: &TokenHash, name: &str) -> Result<(Details, bool)> {
    let row = db
        .query_one(
            "with me as (select * from live_sessions where token_hash = $1),
                  live as (select area_id, restored_at from areas where name_key = $2 and removed_at is null),
                  target as (select area_id from areas
                              where name_key = $2 and removed_at is not null and purging_at is null
                              order by removed_at desc, area_id desc limit 1),
                  restored as (update areas a set removed_at = null, restored_at = now() from me, target t
                                where me.role = 'admin' and a.area_id = t.area_id
                                  and a.removed_at is not null and a.purging_at is null
                                  and not exists (select from live) returning a.area_id, a.name),
                  audited as (insert into audit (actor_id, actor, action, target, detail)
                              select me.user_id, me.user_name, 'area.restore', restored.name,
                                     jsonb_build_object('area_id', restored.area_id) from me, restored)
             select (select role from me), (select area_id from restored) as restored_id,
                    (select area_id from live where restored_at is not null) as restored_before_id,
                    exists (select from live) as in_use, (select area_id from target) as target_id",
            &[&token.as_bytes(), &key(name)],
        )
        .await?;
    audit::check_admin(row.get("role"))?;
    let (restored_id, restored_before_id) = (row.get("restored_id"), row.get("restored_before_id"));
    match (restored_id, restored_before_id, row.get("in_use"), row.get("target_id")) {
        (Some(area_id), _, _, _) => Ok((details(db, area_id).await?, false)),
        (None, Some(area_id), _, _) => Ok((details(db, area_id).await?, true)),
        // After our snapshot was taken a twin of this request brought it back, or its purge began.
        (None, None::<i64>, false, Some(area_id)) => match details(db, area_id).await? {
            area if area.removed_at_us.is_none() => Ok((area, true)),
            _ => Err(no_removed_area(name)),
        },
        (None, None, true, _) => Err(Error::Conflict(format!(
            "the name {name:?} is in use by a newer area: remove that one first"
        ))),
        (None, None, false, None) => Err(no_removed_area(name)),
    }
}

fn no_removed_area(name: &str) -> Error {
    Error::not_found(format!(
        "no removed area {name:?} that could be restored: `admin area list` shows what is there"
    ))
}

const DETAILS: &str = "select a.area_id, a.name, a.description, a.replicas, a.keep_for_s, a.keep_count,
       us(a.created_at) as created_at_us, us(a.removed_at) as removed_at_us, h.last_seq, h.expired_through,
       (select count(*) from subscriptions s where s.area_id = a.area_id and s.ended_at is null) as subscribers
  from areas a join heads h using (area_id)";

async fn details(db: &Db, area_id: i64) -> Result<Details> {
    let row = db.query_opt(&format!("{DETAILS} where a.area_id = $1"), &[&area_id]).await?;
    row.map(|row| details_of(&row)).ok_or_else(Error::no_such_area)
}

/// A page of all areas, oldest first; removed ones too, for as long as they can be restored.
pub async fn list_all(db: &Db, token: &TokenHash, after: i64, limit: i64) -> Result<Vec<Details>> {
    audit::require_admin(db, token).await?;
    let rows = db
        .query(
            &format!("{DETAILS} where a.area_id > $1 and a.purging_at is null order by a.area_id limit $2"),
            &[&after, &limit],
        )
        .await?;
    Ok(rows.iter().map(details_of).collect())
}

fn details_of(row: &tokio_postgres::Row) -> Details {
    Details {
        area_id: row.get("area_id"),
        name: row.get("name"),
        description: row.get("description"),
        replicas: row.get("replicas"),
        keep_for_s: row.get("keep_for_s"),
        keep_count: row.get("keep_count"),
        created_at_us: row.get("created_at_us"),
        removed_at_us: row.get("removed_at_us"),
        last_seq: row.get("last_seq"),
        expired_through: row.get("expired_through"),
        subscribers: row.get("subscribers"),
    }
}
