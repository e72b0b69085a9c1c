//! Subscriptions: a reader's cursor in an area, and the only ways in which it moves (I3).
//!
//! `cursor`: everything up to here was shown. `generation`: raised by catch-up, undo and each new subscription; a mark
//! that carries an older one comes late and changes nothing.

use crate::names::key;
use crate::sessions::{TokenHash, noted_use};
use crate::{Db, Error, Result};
use tokio_postgres::Row;
use uuid::Uuid;

#[derive(Debug)]
pub struct Subscription {
    pub area_id: i64,
    pub name: String,
    pub cursor: i64,
    pub generation: i64,
    pub unread: i64,
    pub last_seq: i64,
    pub expired_through: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub cursor: i64,
    pub generation: i64,
    pub unread: i64,
}

/// What a reader has shown of an area without a gap: `from..=upto`, in the reading `reading_id`.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    pub from: i64,
    pub upto: i64,
    pub generation: i64,
    pub reading_id: Uuid,
}

/// How a mark moves the cursor: only up, only to what is there, only if nothing lies between the cursor (or what has
/// expired) and the first number shown, and only in the same generation. The first mark of a reading remembers where the
/// reading began, so that undo takes back all of it. Used with `m` (the mark), `s` (subscriptions), `h` (heads) in scope.
pub(crate) const MARK_SET: &str = "cursor = m.upto,
       undo_cursor = case when s.undo_by is distinct from m.reading_id then s.cursor else s.undo_cursor end,
       undo_by = m.reading_id";
pub(crate) const MARK_WHERE: &str = "s.ended_at is null and s.generation = m.generation and m.upto > s.cursor
       and m.upto <= h.last_seq and greatest(s.cursor, h.expired_through) >= m.first - 1";

/// The subscribed areas, by name.
pub async fn list(db: &Db, token: &TokenHash, after: Option<&str>, limit: i64) -> Result<Vec<Subscription>> {
    let rows = db
        .query(
            &format!(
                "with {}
             select me.user_id, x.* from (select user_id from live_sessions where token_hash = $1) me
               left join lateral (
                    select a.area_id, a.name, s.cursor, s.generation,
                           unread(a.area_id, s.cursor, h.expired_through, h.last_seq) as unread,
                           h.last_seq, h.expired_through, a.name_key
                      from subscriptions s join areas a using (area_id) join heads h using (area_id)
                     where s.user_id = me.user_id and s.ended_at is null and a.removed_at is null
                       and a.name_key > $2
                     order by a.name_key limit $3) x on true
              order by x.name_key",
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
        .filter(|row| row.get::<_, Option<i64>>("area_id").is_some()) // one row of nothing: logged in, subscribed to nothing
        .map(|row| Subscription {
            area_id: row.get("area_id"),
            name: row.get("name"),
            cursor: row.get("cursor"),
            generation: row.get("generation"),
            unread: row.get("unread"),
            last_seq: row.get("last_seq"),
            expired_through: row.get("expired_through"),
        })
        .collect())
}

/// Subscribes at the head, or before the first kept article. Returns the cursor, and whether it was so already (then
/// nothing moves).
pub async fn subscribe(db: &Db, token: &TokenHash, area_id: i64, from_start: bool) -> Result<(i64, bool)> {
    let row = db
        .query_settled(
            "with me as (select * from live_sessions where token_hash = $1),
                  area as (select a.area_id, case when $3 then h.expired_through else h.last_seq end as cursor
                             from areas a join heads h using (area_id)
                            where a.area_id = $2 and a.removed_at is null),
                  put as (insert into subscriptions as s (user_id, area_id, cursor)
                          select me.user_id, area.area_id, area.cursor from me, area
                          on conflict (user_id, area_id) do update
                             set cursor = excluded.cursor, generation = s.generation + 1, undo_cursor = null,
                                 undo_by = null, subscribed_at = now(), ended_at = null
                           where s.ended_at is not null
                          returning s.cursor)
             select exists (select from me) as logged_in, exists (select from area) as area_found,
                    (select cursor from put) as new_cursor,
                    (select s.cursor from subscriptions s join me using (user_id) where s.area_id = $2) as old_cursor,
                    exists (select from put) as changed",
            &[&token.as_bytes(), &area_id, &from_start],
        )
        .await?;
    require_area(&row)?;
    match (row.get("new_cursor"), row.get("old_cursor")) {
        (Some(cursor), _) => Ok((cursor, false)),
        (None, Some(cursor)) => Ok((cursor, true)),
        (None, None) => {
            Err(Error::Unavailable("subscribed and unsubscribed at the same moment: repeat".into()))
        }
    }
}

/// Ends the subscription; returns whether there was none already. From then on nothing of the area is delivered.
pub async fn unsubscribe(db: &Db, token: &TokenHash, area_id: i64) -> Result<bool> {
    let row = db
        .query_one(
            "with me as (select * from live_sessions where token_hash = $1),
                  area as (select area_id from areas where area_id = $2 and removed_at is null),
                  ended as (update subscriptions s set ended_at = now() from me, area
                             where s.user_id = me.user_id and s.area_id = area.area_id and s.ended_at is null
                            returning 1)
             select exists (select from me) as logged_in, exists (select from area) as area_found,
                    exists (select from ended) as ended",
            &[&token.as_bytes(), &area_id],
        )
        .await?;
    require_area(&row)?;
    Ok(!row.get::<_, bool>("ended"))
}

/// Applies marks and returns the cursors as they are then, in the same order; an area that is gone, or not subscribed,
/// keeps its place with an error.
pub async fn mark(db: &Db, token: &TokenHash, marks: &[(i64, Shown)]) -> Result<Vec<Result<Cursor>>> {
    let cursors = mark_once(db, token, marks).await?;
    // A repeat through another node at the same moment waits for the first one, finds nothing left to do, and judges by a
    // snapshot that is older than what the first did. Asked once more, it sees that.
    let is_behind = |((_, shown), cursor): (&(i64, Shown), &Result<Cursor>)| match cursor {
        Ok(cursor) => {
            cursor.generation == shown.generation && (shown.from - 1..shown.upto).contains(&cursor.cursor)
        }
        Err(_) => false,
    };
    if marks.iter().zip(&cursors).any(is_behind) { mark_once(db, token, marks).await } else { Ok(cursors) }
}

async fn mark_once(db: &Db, token: &TokenHash, marks: &[(i64, Shown)]) -> Result<Vec<Result<Cursor>>> {
    let columns = MarkColumns::new(marks.iter().map(|(area_id, shown)| (*area_id, Some(*shown))));
    let rows = db
        .query(
            &format!(
                "with me as (select * from live_sessions where token_hash = $1),
                      m as (select * from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[])
                                with ordinality as m (area_id, first, upto, generation, reading_id, ord)),
                      marked as (update subscriptions s set {MARK_SET}
                                   from me, m join heads h using (area_id)
                                  where s.user_id = me.user_id and s.area_id = m.area_id and {MARK_WHERE}
                                 returning s.area_id, s.cursor)
                 select exists (select from me) as logged_in, a.area_id is not null as area_found,
                        s.user_id is not null as subscribed, coalesce(k.cursor, s.cursor) as cursor, s.generation,
                        unread(a.area_id, coalesce(k.cursor, s.cursor), h.expired_through, h.last_seq) as unread
                   from m
                   left join areas a on a.area_id = m.area_id and a.removed_at is null
                   left join heads h on h.area_id = a.area_id
                   left join me on true
                   left join subscriptions s
                     on s.user_id = me.user_id and s.area_id = a.area_id and s.ended_at is null
                   left join marked k on k.area_id = m.area_id
                  order by m.ord"
            ),
            &[
                &token.as_bytes(),
                &columns.area_ids,
                &columns.firsts,
                &columns.uptos,
                &columns.generations,
                &columns.reading_ids,
            ],
        )
        .await?;
    if rows.first().is_some_and(|row| !row.get::<_, bool>("logged_in")) {
        return Err(Error::unauthenticated());
    }
    Ok(rows
        .iter()
        .map(|row| match (row.get("area_found"), row.get("subscribed")) {
            (false, _) => Err(Error::no_such_area()),
            (true, false) => Err(Error::not_subscribed()),
            (true, true) => Ok(cursor_of(row)),
        })
        .collect())
}

fn cursor_of(row: &Row) -> Cursor {
    Cursor { cursor: row.get("cursor"), generation: row.get("generation"), unread: row.get("unread") }
}

/// Marks as columns for `unnest`; an area without a mark has nulls, which match nothing.
pub(crate) struct MarkColumns {
    pub area_ids: Vec<i64>,
    pub firsts: Vec<Option<i64>>,
    pub uptos: Vec<Option<i64>>,
    pub generations: Vec<Option<i64>>,
    pub reading_ids: Vec<Option<Uuid>>,
}

impl MarkColumns {
    pub fn new(marks: impl Iterator<Item = (i64, Option<Shown>)>) -> Self {
        let mut columns = Self {
            area_ids: vec![],
            firsts: vec![],
            uptos: vec![],
            generations: vec![],
            reading_ids: vec![],
        };
        for (area_id, shown) in marks {
            let (first, upto, generation, reading_id) = match shown {
                None => (None, None, None, None),
                Some(Shown { from, upto, generation, reading_id }) => {
                    (Some(from), Some(upto), Some(generation), Some(reading_id))
                }
            };
            columns.area_ids.push(area_id);
            columns.firsts.push(first);
            columns.uptos.push(upto);
            columns.generations.push(generation);
            columns.reading_ids.push(reading_id);
        }
        columns
    }
}

/// Catch-ups and undos that a subscription remembers: a client repeats one for some seconds, in which nobody does more.
const RECENT_OPERATIONS_MAX: i32 = 8;

/// Sets the cursor to the head. `already` if this very operation was done before, or nothing was unread. The operation is
/// remembered even then: a late twin of it must not swallow what was posted meanwhile.
pub async fn catch_up(
    db: &Db,
    token: &TokenHash,
    area_id: i64,
    operation_id: Uuid,
) -> Result<(Cursor, bool)> {
    let set = "cursor = greatest(s.cursor, area.last_seq),
               generation = s.generation + (s.cursor < area.last_seq)::integer,
               undo_cursor = case when s.cursor < area.last_seq then s.cursor else s.undo_cursor end,
               undo_by = case when s.cursor < area.last_seq then $3::uuid else s.undo_by end";
    let moved = move_cursor(db, token, area_id, operation_id, set, "true").await?;
    Ok((moved.cursor, !moved.generation_raised))
}

/// Takes the last reading or catch-up back, once. `already` if this very operation was done before.
pub async fn undo(db: &Db, token: &TokenHash, area_id: i64, operation_id: Uuid) -> Result<(Cursor, bool)> {
    let set = "cursor = s.undo_cursor, generation = s.generation + 1, undo_cursor = null, undo_by = $3::uuid";
    let moved = move_cursor(db, token, area_id, operation_id, set, "s.undo_cursor is not null").await?;
    if !moved.generation_raised && !moved.done_before {
        return Err(Error::Conflict(
            "nothing to undo: the last read or catch-up was taken back already, or there was none".into(),
        ));
    }
    Ok((moved.cursor, !moved.generation_raised))
}

struct Moved {
    cursor: Cursor,
    generation_raised: bool,
    /// By this very operation, at another time.
    done_before: bool,
}

/// Moves a cursor otherwise than by reading: `set` (of the subscription `s`, in the area `area`) if `only_if`, unless this
/// operation was done before.
async fn move_cursor(
    db: &Db,
    token: &TokenHash,
    area_id: i64,
    operation_id: Uuid,
    set: &str,
    only_if: &str,
) -> Result<Moved> {
    let row = db
        .query_settled(
            &format!(
                "with me as (select * from live_sessions where token_hash = $1),
                      area as (select a.area_id, h.last_seq, h.expired_through from areas a join heads h using (area_id)
                                where a.area_id = $2 and a.removed_at is null),
                      before as (select s.* from subscriptions s join me using (user_id) join area using (area_id)
                                  where s.ended_at is null),
                      moved as (update subscriptions s
                                   set {set}, recent_operations = ($3::uuid || s.recent_operations)[1:$4]
                                  from me, area
                                 where s.user_id = me.user_id and s.area_id = area.area_id and s.ended_at is null
                                   and $3::uuid <> all (s.recent_operations) and {only_if}
                                returning s.cursor, s.generation)
                 select exists (select from me) as logged_in, exists (select from area) as area_found,
                        exists (select from before) as subscribed, moved.cursor is not null as changed,
                        coalesce(moved.cursor, before.cursor) as cursor,
                        coalesce(moved.generation, before.generation) as generation,
                        unread($2, coalesce(moved.cursor, before.cursor), area.expired_through, area.last_seq) as unread,
                        coalesce(moved.generation > before.generation, false) as generation_raised,
                        coalesce($3::uuid = any (before.recent_operations), false) as done_before
                   from (select 1) one left join area on true left join before on true left join moved on true"
            ),
            &[&token.as_bytes(), &area_id, &operation_id, &RECENT_OPERATIONS_MAX],
        )
        .await?;
    require_area(&row)?;
    if !row.get::<_, bool>("subscribed") {
        return Err(Error::not_subscribed());
    }
    Ok(Moved {
        cursor: cursor_of(&row),
        generation_raised: row.get("generation_raised"),
        done_before: row.get("done_before"),
    })
}

/// The columns `logged_in` and `area_found` of the statements about an area.
pub(crate) fn require_area(row: &Row) -> Result<()> {
    match (row.get("logged_in"), row.get("area_found")) {
        (false, _) => Err(Error::unauthenticated()),
        (true, false) => Err(Error::no_such_area()),
        (true, true) => Ok(()),
    }
}
