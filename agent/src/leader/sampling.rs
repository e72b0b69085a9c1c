//! Samples of the load: what the live nodes reported in the last round, and their sum, written now and then.

use crate::agent::Agent;
use crate::leader::checks::{self, Reports};
use crate::leader::term::{Ending, is_over};
use db::Db;
use db::leader::Term;
use db::samples::{self, Load};
use std::sync::Arc;
use tokio::time::Instant;
use uuid::Uuid;
use wire::NodeReport;

/// Writes samples of the load until the lease is lost.
pub async fn run(agent: Arc<Agent>, db: Db, term: Term, reports: Arc<Reports>) -> Ending {
    loop {
        agent.live.passed(Instant::now(), |settings| settings.sample_interval_ms).await;
        let reports: Vec<(Uuid, NodeReport)> = checks::lock(&reports).clone().into_iter().collect();
        if is_over(sample(&db, term, &reports).await, "sampling the load") {
            return Ending::Lost;
        }
    }
}

/// Writes what the live nodes reported, and their sum.
async fn sample(db: &Db, term: Term, reports: &[(Uuid, NodeReport)]) -> db::Result<()> {
    let loads: Vec<(Uuid, Load)> = reports.iter().map(|(id, report)| (*id, from_wire(report.load))).collect();
    samples::write(db, term, &loads).await
}

fn from_wire(load: wire::Load) -> Load {
    let wire::Load {
        posts_s,
        reads_s,
        follows_s,
        deletes_s,
        others_s,
        deliveries_s,
        followers,
        connections,
        queued_posts,
        memory_bytes,
    } = load;
    Load {
        posts_s,
        reads_s,
        follows_s,
        deletes_s,
        others_s,
        deliveries_s,
        followers,
        connections,
        queued_posts,
        memory_bytes,
    }
}
