//! This agent's own row: written each second, taken away when it stops. By it the others know that they are not alone.

use crate::agent::Agent;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

const INTERVAL_MS: u64 = 1_000;
/// How long taking the row away may take: without that it is soon too old to count.
const LEAVE_WAIT_MS: u64 = 1_000;

pub async fn keep(agent: Arc<Agent>, shutdown: CancellationToken) {
    let mut interval = interval(Duration::from_millis(INTERVAL_MS));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let release = agent.release.to_string();
    let write = async {
        loop {
            interval.tick().await;
            let seen = db::agents::seen(&agent.db, agent.agent_id, &agent.address, &release);
            if let Err(error) = seen.await {
                tracing::debug!(%error, "this agent's row is not written");
            }
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = write => {}
    }
    let leave = db::agents::leave(&agent.db, agent.agent_id);
    match timeout(Duration::from_millis(LEAVE_WAIT_MS), leave).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => stays(&agent, &error.to_string()),
        Err(_) => stays(&agent, "no answer in time"),
    }
}

fn stays(agent: &Agent, error: &str) {
    tracing::warn!(agent_id = %agent.agent_id, error, "this agent's row stays for a while");
}

/// What people know this agent by: where it listens, with the host's name where that is everywhere.
pub fn address(listen: SocketAddr) -> String {
    if listen.ip().is_unspecified() {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        return format!("{host}:{}", listen.port());
    }
    listen.to_string()
}
