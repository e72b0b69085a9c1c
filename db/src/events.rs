//! What the service did by itself, for people to read later. What people did is in the audit trail.
//!
//! An event is written by the statement that does what it tells, so that neither is without the other.

use crate::leader::Term;
use crate::sessions::TokenHash;
use crate::{Db, Result, audit};

#[derive(Debug)]
pub struct Event {
    pub event_id: i64,
    pub at_us: i64,
    /// Of the leader that did it.
    pub epoch: Option<i64>,
    pub kind: String,
    pub subject: String,
    /// JSON.
    pub detail: String,
}

/// Forgotten by one statement, which holds the lease meanwhile.
const FORGET_ROWS_MAX: i64 = 10_000;

/// The last events whose kind begins with one of these words, newest first; for administrators.
pub async fn list(db: &Db, token: &TokenHash, families: &[&str], limit: i64) -> Result<Vec<Event>> {
    audit::require_admin(db, token).await?;
    let rows = db
        .query(
            "select e.event_id, us(e.at) as at_us, e.epoch, e.kind, e.subject, e.detail::text
               from unnest($1::text[]) family
              cross join lateral (select * from events where split_part(kind, '.', 1) = family
                                   order by event_id desc limit $2) e
              order by e.event_id desc limit $2",
            &[&families, &limit],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Event {
            event_id: row.get("event_id"),
            at_us: row.get("at_us"),
            epoch: row.get("epoch"),
            kind: row.get("kind"),
            subject: row.get("subject"),
            detail: row.get("detail"),
        })
        .collect())
}

/// Forgets events that are older than `keep_s`, some at a time. `true`: there may be more.
pub async fn forget_old(db: &Db, term: Term, keep_s: i64) -> Result<bool> {
    let row = term
        .write(
            db,
            "gone as (delete from events using lease
                       where event_id in (select event_id from events
                                           where at < now() - $3 * interval '1 s' order by at limit $4)
                      returning 1)",
            "(select count(*) from gone) as rows",
            &[&(keep_s as f64), &FORGET_ROWS_MAX],
        )
        .await?;
    Ok(row.get::<_, i64>("rows") == FORGET_ROWS_MAX)
}
