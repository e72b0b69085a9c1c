//! Reading in pages, many readers and followers at once.

use crate::articles::{Article, Page};
use crate::rows::places;
use crate::sessions::{TokenHash, noted_use};
use crate::subscriptions::{MARK_SET, MARK_WHERE, MarkColumns, Shown};
use crate::{Db, Error, Result};
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_postgres::Row;
use uuid::Uuid;

/// What a page may weigh besides its bodies, for each number: its id, author (up to 64 characters of 4 bytes), time and
/// lengths at the most.
pub(crate) const NUMBER_BYTES: usize = 320;

/// Where a page begins.
#[derive(Debug, Clone, Copy)]
pub enum From {
    Unread,
    Start,
    After(i64),
}

/// One reader's or follower's request for a page of at most `rows_max` numbers, after applying the mark of the page before.
#[derive(Debug, Clone)]
pub struct Read {
    pub token: TokenHash,
    pub area_id: i64,
    pub from: From,
    pub shown: Option<Shown>,
    pub rows_max: i64,
    /// Whether this is noted as a use of the session: by whoever comes to a node alone for as long as he likes.
    pub notes_use: bool,
}

/// A page, and whose it is.
#[derive(Debug)]
pub struct Answer {
    pub session_id: i64,
    pub user_id: i64,
    /// Nothing new: `upto` is before `from`.
    pub page: Page,
}

/// The columns of [`PAGES`], in the order in which [`answer`] takes them.
const COLUMNS: [&str; 13] = [
    "session_id",
    "user_id",
    "area_id",
    "cursor",
    "generation",
    "after",
    "last_seq",
    "expired_through",
    "seqs",
    "ids",
    "authors",
    "times",
    "bodies",
];

/// The pages of a group, one row for each reader, after applying their marks: session, subscription, cursor and articles
/// belong together. Each look-up is written so that only one plan is left for it (`lateral … offset 0`), the right one also
/// where the tables are large.
///
/// Marks are applied in one order, so that groups wait for each other and never in a circle. Where one reader's devices mark
/// the same area, the furthest of the marks that are contiguous counts: as if it had come first.
static PAGES: LazyLock<String> = LazyLock::new(|| {
    let bytes = format!("coalesce(octet_length(y.body), 0) + {NUMBER_BYTES}");
    let numbers =
        |last| format!("articles y where y.area_id = p.area_id and y.seq >= p.first and y.seq <= {last}");
    format!(
        "with {noted},
              g as materialized (
              select g.*, me.session_id, me.user_id, a.area_id as known_id, a.last_seq, a.expired_through,
                     s.cursor, s.generation as own_generation
                from unnest($1::bytea[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[],
                            $6::bigint[], $7::bigint[], $8::bigint[], $9::uuid[])
                     with ordinality as g (token_hash, area_id, kind, after, rows_max,
                                           first, upto, generation, reading_id, ord)
                left join lateral (select l.session_id, l.user_id from live_sessions l
                                    where l.token_hash = g.token_hash offset 0) me on true
                left join lateral (select b.area_id, k.last_seq, k.expired_through from areas b join heads k using (area_id)
                                    where b.area_id = g.area_id and b.removed_at is null offset 0) a on true
                left join lateral (select t.cursor, t.generation from subscriptions t
                                    where t.user_id = me.user_id and t.area_id = a.area_id and t.ended_at is null
                                   offset 0) s on true),
              m as materialized (
              select distinct on (user_id, area_id) user_id, area_id, first, upto, generation, reading_id,
                     last_seq, expired_through
                from g
               where upto > cursor and upto <= last_seq and greatest(cursor, expired_through) >= first - 1
                 and generation = own_generation
               order by user_id, area_id, upto desc),
              marked as (
              update subscriptions s set {MARK_SET}
                from m cross join lateral (select m.last_seq, m.expired_through) h
               where s.user_id = m.user_id and s.area_id = m.area_id and {MARK_WHERE}
              returning s.user_id, s.area_id, s.cursor),
              places as (
              select g.ord, g.session_id, g.user_id, g.known_id as area_id, g.last_seq, g.expired_through, g.own_generation as generation,
                     coalesce(k.cursor, g.cursor) as cursor, g.rows_max,
                     case g.kind when 'unread' then coalesce(k.cursor, g.cursor)
                                 when 'start' then g.expired_through
                                 else g.after end as after
                from g left join marked k on k.user_id = g.user_id and k.area_id = g.area_id)
         select {columns}
           from (select *, greatest(after, expired_through) + 1 as first,
                        least(greatest(after, expired_through) + rows_max, last_seq) as until from places) p
           left join lateral (
              -- All of it, unless it weighs too much; then it is counted how much does not.
              select case when sum({bytes}) <= $10 then p.until
                          else (select max(x.seq)
                                  from (select y.seq, sum({bytes}) over (order by y.seq) as bytes,
                                               row_number() over (order by y.seq) as nth from {until}) x
                                 where x.nth = 1 or x.bytes <= $10) end as last
                from {until}) w on p.cursor is not null
           left join lateral (
              select array_agg(x.seq) as seqs, array_agg(x.id) as ids, array_agg(u.name) as authors,
                     array_agg(x.posted_at) as times, array_agg(x.body) as bodies
                from (select y.seq, y.id, y.author_id, y.posted_at, y.body from {last} order by y.seq offset 0) x
                left join lateral (select v.name from users v where v.user_id = x.author_id offset 0) u on true
              ) page on w.last is not null
          order by p.ord",
        columns = COLUMNS.join(", "),
        noted = noted_use("token_hash = any ($11::bytea[])"),
        until = numbers("p.until"),
        last = numbers("w.last"),
    )
});

/// Reads a page for each of `reads`, each of at most `bytes_max` (at least one number), in one statement. One outcome for
/// each, in order. An `Err` of the whole means that none was answered; marks may have been applied, and a repeat of them
/// changes nothing.
pub async fn read_group(db: &Db, reads: &[Read], bytes_max: i64) -> Result<Vec<Result<Answer>>> {
    let (mut tokens, mut noted, mut kinds, mut afters, mut rows_maxes) =
        (vec![], vec![], vec![], vec![], vec![]);
    let marks = MarkColumns::new(reads.iter().map(|read| {
        let Read { token, area_id, from, shown, rows_max, notes_use } = read;
        tokens.push(token.as_bytes());
        if *notes_use {
            noted.push(token.as_bytes());
        }
        let (kind, after) = match from {
            From::Unread => ("unread", 0),
            From::Start => ("start", 0),
            From::After(seq) => ("after", *seq),
        };
        kinds.push(kind);
        afters.push(after);
        rows_maxes.push(*rows_max);
        (*area_id, *shown)
    }));
    let rows = db
        .query(
            &PAGES,
            &[
                &tokens,
                &marks.area_ids,
                &kinds,
                &afters,
                &rows_maxes,
                &marks.firsts,
                &marks.uptos,
                &marks.generations,
                &marks.reading_ids,
                &bytes_max,
                &noted,
            ],
        )
        .await?;
    if rows.len() != reads.len() {
        return Err(Error::Unexpected(format!("{} pages for {} readers", rows.len(), reads.len())));
    }
    let Some(first) = rows.first() else { return Ok(vec![]) };
    let places = places(first, COLUMNS);
    Ok(rows.iter().map(|row| answer(row, places)).collect())
}

/// `places`: where [`COLUMNS`] stand in the row.
fn answer(row: &Row, places: [usize; COLUMNS.len()]) -> Result<Answer> {
    let [
        session,
        user,
        area,
        cursor,
        generation,
        after,
        last_seq,
        expired,
        seqs,
        ids,
        authors,
        times,
        bodies,
    ] = places;
    let (Some(session_id), Some(user_id)) = (row.get(session), row.get(user)) else {
        return Err(Error::unauthenticated());
    };
    let Some(area_id) = row.get(area) else { return Err(Error::no_such_area()) };
    let Some(cursor) = row.get(cursor) else { return Err(Error::not_subscribed()) };
    let from = row.get::<_, i64>(after) + 1;
    let expired_through = row.get(expired);
    let mut page = Page {
        area_id,
        from,
        // What has expired needs no rows: the page reaches at least to there.
        upto: (from - 1).max(expired_through),
        cursor,
        generation: row.get(generation),
        last_seq: row.get(last_seq),
        expired_through,
        articles: vec![],
        deleted: vec![],
    };
    let Some(seqs) = row.get::<_, Option<Vec<i64>>>(seqs) else {
        return Ok(Answer { session_id, user_id, page });
    };
    let ids: Vec<Uuid> = row.get(ids);
    let authors: Vec<Option<String>> = row.get(authors);
    let times: Vec<SystemTime> = row.get(times);
    let bodies: Vec<Option<String>> = row.get(bodies);
    let numbers = seqs.into_iter().zip(ids).zip(authors).zip(times).zip(bodies);
    for ((((seq, id), author), posted_at), body) in numbers {
        if seq <= page.upto {
            return Err(Error::Unexpected(format!("article {seq} of area {area_id} after {}", page.upto)));
        }
        page.upto = seq;
        match body {
            None => page.deleted.push(seq),
            Some(body) => page.articles.push(Article {
                seq,
                id,
                author: author.unwrap_or_default(),
                posted_at_us: us(posted_at),
                body,
            }),
        }
    }
    Ok(Answer { session_id, user_id, page })
}

/// Microseconds since 1970 UTC. Made here: PostgreSQL would make them by way of decimal numbers, for each article anew.
pub(crate) fn us(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_micros() as i64,
        Err(before) => -(before.duration().as_micros() as i64),
    }
}
