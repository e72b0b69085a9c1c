//! What the leader clears away: nodes and agents that were lost, sessions that ended long ago, old events.

use crate::agent::Agent;
use crate::leader::term::{Ending, is_over};
use db::Db;
use db::leader::Term;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// None of it is urgent.
const INTERVAL_MS: u64 = 60_000;
/// Between two steps of what goes in several: each holds the lease, and renewing waits for it.
const STEP_PAUSE_MS: u64 = 100;

pub async fn run(agent: Arc<Agent>, db: Db, term: Term) -> Ending {
    while !is_over(clear(&agent, &db, term).await, "upkeep") {
        sleep(Duration::from_millis(INTERVAL_MS)).await;
    }
    Ending::Lost
}

async fn clear(agent: &Agent, db: &Db, term: Term) -> db::Result<()> {
    db::nodes::forget_lost(db, term).await?;
    db::agents::forget_lost(db, term).await?;
    db::sessions::forget_ended(db, term).await?;
    let settings = agent.live.settings();
    while db::events::forget_old(db, term, settings.event_keep_s).await? {
        sleep(Duration::from_millis(STEP_PAUSE_MS)).await;
    }
    // Many nodes write more in a minute than one step takes away.
    while db::samples::forget_old(db, term, settings.sample_keep_s).await? {
        sleep(Duration::from_millis(STEP_PAUSE_MS)).await;
    }
    Ok(())
}
