//! Which nodes serve an area, as the leader has decided it. Routing, never safety (I6).

use crate::leader::Term;
use crate::{Db, Result};
use uuid::Uuid;

/// Areas that one statement assigns: it holds the lease, and renewing waits for it.
const CHUNK: usize = 500;

/// An area and the nodes that it has so far, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    pub area_id: i64,
    pub replicas: i32,
    pub node_ids: Vec<Uuid>,
}

/// Another number once areas, their wanted replicas, or their assignments have changed.
pub async fn digest(db: &Db) -> Result<i64> {
    let row = db
        .query_one(
            "select coalesce(bit_xor(hash_record_extended((a.area_id, a.replicas, s.node_ids), 0)), 0)
               from areas a left join assignments s using (area_id) where a.removed_at is null",
            &[],
        )
        .await?;
    Ok(row.get(0))
}

/// All areas that are not removed.
pub async fn list(db: &Db) -> Result<Vec<Area>> {
    let rows = db
        .query(
            "select a.area_id, a.replicas, coalesce(s.node_ids, '{}') as node_ids
               from areas a left join assignments s using (area_id) where a.removed_at is null",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Area {
            area_id: row.get("area_id"),
            replicas: row.get("replicas"),
            node_ids: row.get("node_ids"),
        })
        .collect())
}

/// Stores what has changed, with an event for each statement.
pub async fn write(db: &Db, term: Term, changed: &[(i64, Vec<Uuid>)]) -> Result<()> {
    for chunk in changed.chunks(CHUNK) {
        // An array of arrays has rows of one length only: hence two flat ones.
        let (mut area_ids, mut node_ids) = (vec![], vec![]);
        for (area_id, nodes) in chunk {
            for node_id in nodes {
                area_ids.push(*area_id);
                node_ids.push(*node_id);
            }
        }
        term.write(
            db,
            "given as (select area_id, array_agg(node_id order by rank) as node_ids
                         from unnest($3::bigint[], $4::uuid[]) with ordinality as g (area_id, node_id, rank)
                        group by area_id),
             stored as (insert into assignments as a (area_id, node_ids, epoch)
                        select g.area_id, g.node_ids, lease.epoch
                          from lease, given g join areas using (area_id) where removed_at is null
                        on conflict (area_id) do update
                           set node_ids = excluded.node_ids, epoch = excluded.epoch, assigned_at = now()
                        returning 1),
             told as (insert into events (epoch, kind, subject, detail)
                      select lease.epoch, 'assignment.moved', '',
                             jsonb_build_object('areas', (select count(*) from stored))
                        from lease where exists (select from stored))",
            "1",
            &[&area_ids, &node_ids],
        )
        .await?;
    }
    Ok(())
}
