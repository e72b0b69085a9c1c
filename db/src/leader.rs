//! Who leads: a lease in one row, by the database's clock alone. Every write of a leader asks for it in its own statement, so
//! that a leader that was paused, and does not know that its time is over, changes nothing (I7).

use crate::{Db, Error, Result};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// One leadership: who leads, and for the how manieth time anybody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    pub agent_id: Uuid,
    pub epoch: i64,
}

/// Who leads now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    pub agent_id: Uuid,
    pub epoch: i64,
    pub taken_at_us: i64,
    pub expires_at_us: i64,
}

/// Why a leader hands its lease on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is told to stop.
    Stops,
    /// Most of the nodes were lost to it in one moment: perhaps it is the one that is cut off.
    Doubts,
    /// A part of it failed.
    Failed,
}

impl Reason {
    fn event(self) -> &'static str {
        match self {
            Self::Stops | Self::Failed => "leader.released",
            Self::Doubts => "leader.doubts",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Stops => "stops",
            Self::Doubts => "lost most nodes in one moment",
            Self::Failed => "failed",
        }
    }
}

/// Takes the lease where nobody holds it, or for longer than it was given. Also where this agent itself does: whoever asks does not
/// lead, so the answer to an earlier try or renewal was lost, and for the time of a lease nobody would. `address` is for people.
pub async fn take(db: &Db, agent_id: Uuid, address: &str, ttl_ms: i64) -> Result<Option<Term>> {
    let row = db
        .query_opt(
            "with taken as (update leader set holder = $1, epoch = epoch + 1, taken_at = clock_timestamp(),
                                   expires_at = clock_timestamp() + $3 * interval '1 ms'
                             where holder is null or holder = $1 or expires_at <= clock_timestamp()
                            returning epoch),
                  told as (insert into events (epoch, kind, subject, detail)
                           select epoch, 'leader.elected', $2, jsonb_build_object('agent_id', $1::uuid) from taken)
             select epoch from taken",
            &[&agent_id, &address, &(ttl_ms as f64)],
        )
        .await?;
    Ok(row.map(|row| Term { agent_id, epoch: row.get(0) }))
}

/// Extends the lease. `false`: it has been handed on.
pub async fn renew(db: &Db, term: Term, ttl_ms: i64) -> Result<bool> {
    let row = db
        .query_opt(
            "update leader set expires_at = clock_timestamp() + $3 * interval '1 ms'
              where holder = $1 and epoch = $2 returning 1",
            &[&term.agent_id, &term.epoch, &(ttl_ms as f64)],
        )
        .await?;
    Ok(row.is_some())
}

/// Hands the lease on before its time. `false`: it has been handed on already.
pub async fn release(db: &Db, term: Term, address: &str, reason: Reason) -> Result<bool> {
    let row = db
        .query_opt(
            "with released as (update leader set holder = null, expires_at = '-infinity'
                                where holder = $1 and epoch = $2 returning epoch),
                  told as (insert into events (epoch, kind, subject, detail)
                           select epoch, $4, $3,
                                  jsonb_build_object('agent_id', $1::uuid, 'reason', $5::text) from released)
             select 1 from released",
            &[&term.agent_id, &term.epoch, &address, &reason.event(), &reason.text()],
        )
        .await?;
    Ok(row.is_some())
}

/// `None`: nobody leads at this moment.
pub async fn current(db: &Db) -> Result<Option<Leader>> {
    let row = db
        .query_opt(
            "select holder, epoch, us(taken_at) as taken_at_us, us(expires_at) as expires_at_us from leader
              where holder is not null and expires_at > clock_timestamp()",
            &[],
        )
        .await?;
    Ok(row.map(|row| Leader {
        agent_id: row.get("holder"),
        epoch: row.get("epoch"),
        taken_at_us: row.get("taken_at_us"),
        expires_at_us: row.get("expires_at_us"),
    }))
}

/// For who has the database to himself and starts now: whatever it tells of servers is of a time when others ran. They are out,
/// and nobody leads.
pub async fn begin_alone(db: &Db) -> Result<()> {
    db.query(
        "with gone as (update nodes set state = 'out', state_at = now() where state in ('announced', 'live')),
              agents as (delete from agents)
         update leader set holder = null, expires_at = '-infinity'",
        &[],
    )
    .await
    .map(drop)
}

impl Term {
    /// Runs one write of this leader. `parts` are what follows the fence in its `with` (each takes its rows from `lease`, so
    /// that there are none without it), `found` is what they are asked for at the end, each column with a name.
    /// Parameters count from `$3`.
    pub async fn write(
        self,
        db: &Db,
        parts: &str,
        found: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Row> {
        let sql = format!(
            "with lease as (select epoch from lease($1, $2) epoch), {parts}
             select exists (select from lease) as leads, {found}"
        );
        let Self { agent_id, epoch } = &self;
        let mut all: Vec<&(dyn ToSql + Sync)> = vec![agent_id, epoch];
        all.extend_from_slice(params);
        let row = db.query_one(&sql, &all).await?;
        if row.get("leads") { Ok(row) } else { Err(Error::LeaseLost) }
    }
}
