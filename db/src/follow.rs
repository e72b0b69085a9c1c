//! What followers ask: a first look at all their areas, and one fetch of an area for all who wait for it.

use crate::articles::{ARTICLE, Page, fill, page_window};
use crate::rows::places;
use crate::sessions::{TokenHash, noted_use};
use crate::subscriptions::{MARK_SET, MARK_WHERE, MarkColumns, Shown};
use crate::{Db, Error, Result};
use std::sync::LazyLock;

/// One area of a follower.
#[derive(Debug, Clone)]
pub struct Place {
    pub area_id: i64,
    /// The page begins after this number.
    pub after: i64,
    pub shown: Option<Shown>,
}

/// What a first look finds.
#[derive(Debug)]
pub struct Look {
    pub session_id: i64,
    pub user_id: i64,
    /// Areas with something new. Areas that came after the byte limit are left out; the next look finds them.
    pub pages: Vec<Page>,
    /// Areas that this follower gets no more, and why.
    pub ended: Vec<(i64, Error)>,
}

/// Each look-up of a row is written so that only one plan is left for it, whatever the tables' statistics say.
static LOOK: LazyLock<String> = LazyLock::new(|| {
    format!(
        "with {noted},
              me as (select * from live_sessions where token_hash = $1),
              m as (select * from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[],
                                         $7::bigint[])
                        with ordinality as m (area_id, first, upto, generation, reading_id, after, ord)),
              marked as (update subscriptions s set {MARK_SET}
                           from me, m join heads h using (area_id)
                          where s.user_id = me.user_id and s.area_id = m.area_id and {MARK_WHERE}
                         returning s.area_id, s.cursor),
              places as (select m.ord, m.area_id, m.after, a.area_id is not null as known,
                                s.cursor is not null as subscribed,
                                coalesce(k.cursor, s.cursor) as cursor, s.generation,
                                a.last_seq, a.expired_through
                           from m
                           left join me on true
                           left join lateral (select b.area_id, c.last_seq, c.expired_through
                                                from areas b join heads c using (area_id)
                                               where b.area_id = m.area_id and b.removed_at is null offset 0) a on true
                           left join lateral (select t.cursor, t.generation from subscriptions t
                                               where t.user_id = me.user_id and t.area_id = a.area_id
                                                 and t.ended_at is null offset 0) s on true
                           left join marked k on k.area_id = m.area_id),
              news as (select *, greatest(1, $8 / count(*) over ()) as share from places
                        where subscribed and last_seq > after),
              page as (select p.ord, x.*, {window}
                         from news p cross join lateral (
                              select y.seq, y.id, y.author_id, y.posted_at, y.body from articles y
                               where y.area_id = p.area_id and y.seq <= p.last_seq
                                 and y.seq > greatest(p.after, p.expired_through)
                                 and y.seq <= greatest(p.after, p.expired_through) + p.share) x)
         select me.session_id, me.user_id, p.area_id, p.known, p.subscribed, p.after, p.cursor, p.generation,
                p.last_seq, p.expired_through, {ARTICLE}
           from (select 1) one left join me on true
           left join places p on true
           left join page g on g.ord = p.ord and (g.nth = 1 or g.bytes <= $9)
           left join lateral (select v.name from users v where v.user_id = g.author_id offset 0) u on true
          order by p.ord, g.seq",
        noted = noted_use("token_hash = $1"),
        window = page_window("p.ord, x.seq")
    )
});

/// Applies the marks (they acknowledge what was shown) and returns what stands after the given places: at most
/// `rows_max` numbers (each area with news has its share, at least one) that weigh `bytes_max` (at least one number).
pub async fn look(
    db: &Db,
    token: &TokenHash,
    wanted: &[Place],
    rows_max: i64,
    bytes_max: i64,
) -> Result<Look> {
    let mut afters = vec![];
    let columns = MarkColumns::new(wanted.iter().map(|Place { area_id, after, shown }| {
        afters.push(*after);
        (*area_id, *shown)
    }));
    let rows = db
        .query(
            &LOOK,
            &[
                &token.as_bytes(),
                &columns.area_ids,
                &columns.firsts,
                &columns.uptos,
                &columns.generations,
                &columns.reading_ids,
                &afters,
                &rows_max,
                &bytes_max,
            ],
        )
        .await?;
    let Some(first) = rows.first() else {
        return Err(Error::Unexpected("no row".into()));
    };
    let (Some(session_id), Some(user_id)) = (first.get("session_id"), first.get("user_id")) else {
        return Err(Error::unauthenticated());
    };
    let mut look = Look { session_id, user_id, pages: vec![], ended: vec![] };
    let [area] = places(first, ["area_id"]);
    for of_area in rows.chunk_by(|a, b| a.get::<_, Option<i64>>(area) == b.get::<_, Option<i64>>(area)) {
        let head = &of_area[0];
        let Some(area_id) = head.get(area) else { continue };
        match (head.get("known"), head.get("subscribed")) {
            (false, _) => look.ended.push((area_id, Error::no_such_area())),
            (true, false) => look.ended.push((area_id, Error::not_subscribed())),
            (true, true) => {
                let mut page = Page {
                    area_id,
                    from: head.get::<_, i64>("after") + 1,
                    upto: 0,
                    cursor: head.get("cursor"),
                    generation: head.get("generation"),
                    last_seq: head.get("last_seq"),
                    expired_through: head.get("expired_through"),
                    articles: vec![],
                    deleted: vec![],
                };
                fill(&mut page, of_area);
                if page.upto >= page.from {
                    look.pages.push(page);
                }
            }
        }
    }
    Ok(look)
}

/// Who waits for an area, as a fetch asks for him.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    pub session_id: i64,
    pub user_id: i64,
}

/// May this one have the news, and where does his cursor stand.
#[derive(Debug)]
pub enum Standing {
    Holds { cursor: i64, generation: i64 },
    SessionEnded,
    NotSubscribed,
}

/// One fetch of an area for all who wait for it.
#[derive(Debug)]
pub struct Fetch {
    /// `None`: the area was removed. Cursor and generation of the page are of nobody.
    pub page: Option<Page>,
    /// In the order of those who wait.
    pub standings: Vec<Standing>,
}

static FETCH: LazyLock<String> = LazyLock::new(|| {
    format!(
        "with page as (select x.*, {window}
                         from heads h cross join lateral (
                              select y.seq, y.id, y.author_id, y.posted_at, y.body from articles y
                               where y.area_id = h.area_id and y.seq <= h.last_seq
                                 and y.seq > greatest($2, h.expired_through)
                                 and y.seq <= greatest($2, h.expired_through) + $3) x
                        where h.area_id = $1)
         select h.last_seq, h.expired_through, {ARTICLE}
           from areas a join heads h using (area_id)
           left join page g on g.nth = 1 or g.bytes <= $4
           left join lateral (select v.name from users v where v.user_id = g.author_id offset 0) u on true
          where a.area_id = $1 and a.removed_at is null
          order by g.seq",
        window = page_window("x.seq")
    )
});

/// Reads what stands after `after`, and *then*, in a later snapshot, whose session and subscription still hold: an
/// article posted after a revocation was acknowledged can thus never reach the revoked one (I5).
pub async fn fetch(
    db: &Db,
    area_id: i64,
    after: i64,
    waiting: &[Waiting],
    rows_max: i64,
    bytes_max: i64,
) -> Result<Fetch> {
    let mut connection = db.connection().await?;
    let rows = connection.query(&FETCH, &[&area_id, &after, &rows_max, &bytes_max]).await?;
    let page = rows.first().map(|head| {
        let mut page = Page {
            area_id,
            from: after + 1,
            upto: 0,
            cursor: 0,
            generation: 0,
            last_seq: head.get("last_seq"),
            expired_through: head.get("expired_through"),
            articles: vec![],
            deleted: vec![],
        };
        fill(&mut page, &rows);
        page
    });
    let (session_ids, user_ids): (Vec<i64>, Vec<i64>) =
        waiting.iter().map(|Waiting { session_id, user_id }| (session_id, user_id)).unzip();
    let rows = connection
        .query(
            "select me.session_id is not null as logged_in, s.cursor, s.generation
               from unnest($1::bigint[], $2::bigint[]) with ordinality as w (session_id, user_id, ord)
               left join lateral (select l.session_id from live_sessions l
                                   where l.session_id = w.session_id offset 0) me on true
               left join lateral (select t.cursor, t.generation from subscriptions t
                                   where t.user_id = w.user_id and t.area_id = $3 and t.ended_at is null
                                  offset 0) s on true
              order by w.ord",
            &[&session_ids, &user_ids, &area_id],
        )
        .await?;
    let mut standings = vec![];
    if let Some(first) = rows.first() {
        let [logged_in, cursor, generation] = places(first, ["logged_in", "cursor", "generation"]);
        standings.extend(rows.iter().map(|row| {
            match (row.get(logged_in), row.get(cursor), row.get(generation)) {
                (false, ..) => Standing::SessionEnded,
                (true, Some(cursor), Some(generation)) => Standing::Holds { cursor, generation },
                (true, ..) => Standing::NotSubscribed,
            }
        }));
    }
    Ok(Fetch { page, standings })
}

/// The heads of these areas; a removed area is left out. What followers are polled with, should notifications be lost.
pub async fn heads(db: &Db, area_ids: &[i64]) -> Result<Vec<(i64, i64)>> {
    let rows = db
        .query(
            "select h.area_id, h.last_seq from heads h join areas a using (area_id)
              where h.area_id = any ($1) and a.removed_at is null",
            &[&area_ids],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
