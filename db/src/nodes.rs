//! The register of nodes. A node writes its own row, so that nobody without the database's password can pose as one;
//! agents check it and write its state.

use crate::{Db, Error, Result};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub node_id: Uuid,
    pub address: String,
    /// `announced`, `live` or `out`.
    pub state: String,
}

/// Writes the row of a node that has just started. An older row of the same address was a node that is no more.
pub async fn register(db: &Db, node_id: Uuid, address: &str, version: &str) -> Result<()> {
    db.query(
        "with gone as (delete from nodes where address = $2 and node_id <> $1)
         insert into nodes (node_id, address, version) values ($1, $2, $3)
         on conflict (node_id) do update set state = 'announced', state_at = now() where nodes.state = 'out'",
        &[&node_id, &address, &version],
    )
    .await
    .map(drop)
}

/// A node leaves: agents send nobody there any more.
pub async fn leave(db: &Db, node_id: Uuid) -> Result<()> {
    db.query("delete from nodes where node_id = $1", &[&node_id]).await.map(drop)
}

pub async fn list(db: &Db) -> Result<Vec<Node>> {
    let rows = db.query("select node_id, address, state from nodes order by node_id", &[]).await?;
    Ok(rows.iter().map(|row| Node { node_id: row.get(0), address: row.get(1), state: row.get(2) }).collect())
}

/// Sets the state that a check found. Returns whether the row is still there.
pub async fn set_state(db: &Db, node_id: Uuid, state: &str) -> Result<bool> {
    let row = db
        .query_opt(
            "update nodes set state = $2, state_at = now() where node_id = $1 returning 1",
            &[&node_id, &state],
        )
        .await?;
    Ok(row.is_some())
}

/// Forgets nodes that have been out for an hour: killed ones whose address nobody took over.
pub async fn forget_lost(db: &Db) -> Result<()> {
    db.query("delete from nodes where state = 'out' and state_at < now() - interval '1 hour'", &[])
        .await
        .map(drop)
}

/// The id of this installation.
pub async fn service_id(db: &Db) -> Result<Uuid> {
    Ok(db.query_one("select service_id from service", &[]).await?.get(0))
}

/// What the leader shows nodes when it checks them: 32 bytes that only those with the database's password know.
pub async fn check_token(db: &Db) -> Result<[u8; 32]> {
    let token: Vec<u8> = db.query_one("select check_token from service", &[]).await?.get(0);
    token.try_into().map_err(|_| Error::Unexpected("the check token has not 32 bytes".into()))
}
