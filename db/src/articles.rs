//! Articles: posting in groups, deleting, and proving that nothing is missing. Reading is in [`crate::reading`].

use crate::reading::{NUMBER_BYTES, us};
use crate::rows::places;
use crate::sessions::TokenHash;
use crate::subscriptions::require_area;
use crate::{Db, Error, Noun, Result, audit};
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use uuid::Uuid;

/// The columns by which a page is cut, over the rows `x` in the given order: what they weigh up to each, and how many
/// they are. A number weighs its body and [`NUMBER_BYTES`]: so a page of small or deleted articles fits into a reply, too.
pub(crate) fn page_window(order: &str) -> String {
    format!(
        "sum(coalesce(octet_length(x.body), 0) + {NUMBER_BYTES}) over (order by {order}) as bytes,
         row_number() over (order by {order}) as nth"
    )
}

/// Numbers checked by one `verify`: hashing as many bodies of usual size takes some milliseconds.
const VERIFY_NUMBERS_MAX: i64 = 5_000;

/// One post on its way into the database.
#[derive(Debug, Clone)]
pub struct NewPost {
    pub token: TokenHash,
    pub area_id: i64,
    pub id: Uuid,
    pub body: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    pub seq: i64,
    pub duplicate: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    pub seq: i64,
    pub id: Uuid,
    pub author: String,
    pub posted_at_us: i64,
    pub body: String,
}

/// An account of every number in `from..=upto`: an article, deleted, or at most `expired_through`.
#[derive(Debug, Clone)]
pub struct Page {
    pub area_id: i64,
    pub from: i64,
    pub upto: i64,
    pub generation: i64,
    pub cursor: i64,
    pub last_seq: i64,
    pub expired_through: i64,
    pub articles: Vec<Article>,
    pub deleted: Vec<i64>,
}

/// Commits a group of posts in one round trip and one transaction; one outcome for each, in order. One bad post never
/// fails its neighbours. An `Err` of the whole means that nothing is known of any: repeating is safe.
pub async fn post_group(db: &Db, posts: &[NewPost]) -> Result<Vec<Result<Posted>>> {
    let (mut tokens, mut area_ids, mut ids, mut bodies, mut hashes) =
        (vec![], vec![], vec![], vec![], vec![]);
    for NewPost { token, area_id, id, body } in posts {
        tokens.push(token.as_bytes());
        area_ids.push(area_id);
        ids.push(id);
        bodies.push(body);
        hashes.push(Sha256::digest(body).to_vec());
    }
    let rows = db
        .query(
            "select outcome, seq from post_group($1, $2, $3, $4, $5) order by ord",
            &[&tokens, &area_ids, &ids, &bodies, &hashes],
        )
        .await?;
    if rows.len() != posts.len() {
        return Err(Error::Unexpected(format!("{} outcomes for {} posts", rows.len(), posts.len())));
    }
    Ok(rows.iter().map(outcome).collect())
}

fn outcome(row: &Row) -> Result<Posted> {
    match row.get(0) {
        "posted" => Ok(Posted { seq: row.get(1), duplicate: false }),
        "duplicate" => Ok(Posted { seq: row.get(1), duplicate: true }),
        "conflict" => {
            Err(Error::Conflict("this id was used for another text: post the new text with a new id".into()))
        }
        "unauthenticated" => Err(Error::unauthenticated()),
        "not_found" => Err(Error::no_such_area()),
        "denied" => Err(Error::not_subscribed()),
        other => Err(Error::Unexpected(format!("outcome {other}"))),
    }
}

/// Whether this session's user has posted something with this id, whatever became of it.
pub async fn is_posted(db: &Db, token: &TokenHash, area_id: i64, id: Uuid) -> Result<bool> {
    let row = db
        .query_opt(
            // Through the index on ids, never through the area's: see db/migrations/V4__speed.sql.
            "select 1 from articles x join live_sessions me on me.user_id = x.author_id
              where me.token_hash = $1 and x.id = $3 and x.area_id + 0 = $2",
            &[&token.as_bytes(), &area_id, &id],
        )
        .await?;
    Ok(row.is_some())
}

/// Deletes one's own article: the body goes, the number and the identity stay (I1, I4). Returns whether it was gone
/// already.
pub async fn delete(db: &Db, token: &TokenHash, area_id: i64, seq: i64) -> Result<bool> {
    let row = db
        .query_one(
            "with me as (select * from live_sessions where token_hash = $1),
                  area as (select area_id from areas where area_id = $2 and removed_at is null),
                  target as (select x.author_id from articles x join area using (area_id) where x.seq = $3),
                  gone as (update articles x set state = 1, body = null from me, area
                            where x.area_id = area.area_id and x.seq = $3
                              and x.author_id = me.user_id and x.state = 0 returning 1)
             select exists (select from me) as logged_in, exists (select from area) as area_found,
                    exists (select from target) as found,
                    exists (select from target join me on me.user_id = target.author_id) as is_author,
                    exists (select from gone) as gone",
            &[&token.as_bytes(), &area_id, &seq],
        )
        .await?;
    require_area(&row)?;
    match (row.get("found"), row.get("is_author")) {
        (false, _) => Err(no_such_article(seq)),
        (true, false) => Err(Error::Denied("only its author deletes an article".into())),
        (true, true) => Ok(!row.get::<_, bool>("gone")),
    }
}

fn no_such_article(seq: i64) -> Error {
    Error::unknown(Noun::Article, seq, format!("there is no article {seq} in this area"))
}

/// An administrator takes anyone's article out, audited. Returns whether it was gone already.
pub async fn remove(db: &Db, token: &TokenHash, area: &str, seq: i64) -> Result<bool> {
    let row = db
        .query_one(
            "with me as (select * from live_sessions where token_hash = $1),
                  area as (select area_id, name from areas where name_key = $2 and removed_at is null),
                  target as (select x.author_id from articles x join area using (area_id) where x.seq = $3),
                  gone as (update articles x set state = 1, body = null from me, area
                            where x.area_id = area.area_id and x.seq = $3
                              and me.role = 'admin' and x.state = 0 returning x.author_id, x.id),
                  audited as (insert into audit (actor_id, actor, action, target, detail)
                              select me.user_id, me.user_name, 'article.rm', area.name || '#' || $3,
                                     jsonb_build_object('author', u.name, 'id', gone.id)
                                from me, area, gone join users u on u.user_id = gone.author_id)
             select (select role from me), exists (select from area) as area_found,
                    exists (select from target) as found, exists (select from gone) as gone",
            &[&token.as_bytes(), &crate::names::key(area), &seq],
        )
        .await?;
    audit::check_admin(row.get("role"))?;
    match (row.get("area_found"), row.get("found")) {
        (false, _) => Err(Error::unknown(Noun::Area, area, format!("no area {area:?}: `areas` lists them"))),
        (true, false) => Err(no_such_article(seq)),
        (true, true) => Ok(!row.get::<_, bool>("gone")),
    }
}

/// The columns of an article for [`fill`], of the rows `g` of a page and the author `u`.
pub(crate) const ARTICLE: &str = "g.seq, g.id, u.name as author, g.posted_at, g.body";

/// Puts the rows of one result that have an article (or the place of a deleted one) into a page whose `from` is set.
pub(crate) fn fill(page: &mut Page, rows: &[Row]) {
    // What has expired needs no rows: the page reaches at least to there.
    page.upto = (page.from - 1).max(page.expired_through);
    let Some(first) = rows.first() else { return };
    let [seq, id, author, posted_at, body] = places(first, ["seq", "id", "author", "posted_at", "body"]);
    for row in rows {
        let Some(number) = row.get(seq) else { continue };
        page.upto = number;
        match row.get(body) {
            None => page.deleted.push(number),
            Some(body) => page.articles.push(Article {
                seq: number,
                id: row.get(id),
                author: row.get(author),
                posted_at_us: us(row.get(posted_at)),
                body,
            }),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Kept,
    Deleted,
    Expired,
    Missing,
    Damaged,
}

#[derive(Debug)]
pub struct Verified {
    /// One for each number from the one asked for, in order.
    pub states: Vec<State>,
    pub last_seq: i64,
    pub expired_through: i64,
}

/// The state of each number after `after`: is it there, is its body the one that was acknowledged, does its time rise.
pub async fn verify(db: &Db, token: &TokenHash, area_id: i64, after: i64) -> Result<Verified> {
    let rows = db
        .query(
            "with me as (select * from live_sessions where token_hash = $1),
                  area as (select a.area_id, h.last_seq, h.expired_through from areas a join heads h using (area_id)
                            where a.area_id = $2 and a.removed_at is null),
                  sub as (select s.cursor from subscriptions s join me using (user_id) join area using (area_id)
                           where s.ended_at is null)
             select exists (select from me) as logged_in, area.area_id is not null as area_found,
                    exists (select from sub) as subscribed, area.last_seq, area.expired_through, n.seq,
                    case when n.seq <= area.expired_through then 'expired'
                         when x.seq is null then 'missing'
                         when x.state = 1 then 'deleted'
                         when x.state = 2 then 'damaged'
                         when sha256(convert_to(x.body, 'UTF8')) <> x.body_hash then 'damaged'
                         when x.posted_at < lag(x.posted_at) over (order by n.seq) then 'damaged'
                         else 'kept' end as state
               from (select 1) one
               left join area on true
               left join generate_series($3::bigint + 1, least(area.last_seq, $3 + $4)) n (seq) on true
               left join articles x on x.area_id = area.area_id and x.seq = n.seq
              order by n.seq",
            &[&token.as_bytes(), &area_id, &after, &VERIFY_NUMBERS_MAX],
        )
        .await?;
    let Some(head) = rows.first() else {
        return Err(Error::Unexpected("no row".into()));
    };
    require_area(head)?;
    if !head.get::<_, bool>("subscribed") {
        return Err(Error::not_subscribed());
    }
    let [seq, state] = places(head, ["seq", "state"]);
    let numbers = rows.iter().filter(|row| row.get::<_, Option<i64>>(seq).is_some());
    Ok(Verified {
        states: numbers.map(|row| state_of(row.get(state))).collect(),
        last_seq: head.get("last_seq"),
        expired_through: head.get("expired_through"),
    })
}

fn state_of(name: &str) -> State {
    match name {
        "kept" => State::Kept,
        "deleted" => State::Deleted,
        "expired" => State::Expired,
        "missing" => State::Missing,
        _ => State::Damaged,
    }
}
