//! The agents that there are: each writes its own row each second and takes it away when it stops.

use crate::leader::Term;
use crate::sessions::TokenHash;
use crate::{Db, Result, audit};
use uuid::Uuid;

/// An agent that has not written for so long is not there: five times what lies between two writings.
pub(crate) const LIVE_S: f64 = 5.0;
/// The row of one that was killed stays for so long, to be seen.
const FORGET_S: f64 = 3_600.0;
/// Rows that are listed: one that dies and is started again all the time leaves hundreds in an hour.
const LIST_MAX: i64 = 1_000;

#[derive(Debug)]
pub struct Agent {
    pub agent_id: Uuid,
    pub address: String,
    pub version: String,
    pub started_at_us: i64,
    pub seen_at_us: i64,
    pub live: bool,
    pub settings_version: Option<i64>,
}

/// An agent writes that it is there. A silent row at its address was of the process before it, which was killed.
pub async fn seen(db: &Db, agent_id: Uuid, address: &str, version: &str) -> Result<()> {
    db.query(
        "with replaced as (delete from agents where address = $2 and agent_id <> $1
                                                and seen_at < now() - $4 * interval '1 s')
         insert into agents (agent_id, address, version) values ($1, $2, $3)
         on conflict (agent_id) do update set seen_at = now()",
        &[&agent_id, &address, &version, &LIVE_S],
    )
    .await
    .map(drop)
}

/// An agent stops.
pub async fn leave(db: &Db, agent_id: Uuid) -> Result<()> {
    db.query("delete from agents where agent_id = $1", &[&agent_id]).await.map(drop)
}

/// Whether there is another agent than this one, which could lead in its place.
pub async fn is_other_live(db: &Db, agent_id: Uuid) -> Result<bool> {
    let row = db
        .query_one(
            "select exists (select from agents
                             where agent_id <> $1 and seen_at > now() - $2 * interval '1 s')",
            &[&agent_id, &LIVE_S],
        )
        .await?;
    Ok(row.get(0))
}

/// For administrators, the oldest first. Should there be too many, those that were seen last.
pub async fn list(db: &Db, token: &TokenHash) -> Result<Vec<Agent>> {
    audit::require_admin(db, token).await?;
    let rows = db
        .query(
            "select agent_id, address, version, us(started_at) as started_at_us, us(seen_at) as seen_at_us,
                    seen_at > now() - $1 * interval '1 s' as live, settings_version
               from (select * from agents order by seen_at desc limit $2) a order by started_at, agent_id",
            &[&LIVE_S, &LIST_MAX],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Agent {
            agent_id: row.get("agent_id"),
            address: row.get("address"),
            version: row.get("version"),
            started_at_us: row.get("started_at_us"),
            seen_at_us: row.get("seen_at_us"),
            live: row.get("live"),
            settings_version: row.get("settings_version"),
        })
        .collect())
}

/// Forgets agents that were killed.
pub async fn forget_lost(db: &Db, term: Term) -> Result<()> {
    term.write(
        db,
        "gone as (delete from agents using lease where seen_at < now() - $3 * interval '1 s')",
        "1",
        &[&FORGET_S],
    )
    .await
    .map(drop)
}
