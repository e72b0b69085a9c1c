//! How agents come to know this node: it writes its own row into the database and announces the row's id to any agent.
//! Agents trust the row, so nobody without the database's password can pose as a node.

use crate::Node;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wire::{AgentRequest, Asker, Request, RequestBody};

/// Without a check for so long, the node announces itself again: the agent that knew it may be gone, or its row.
const CHECK_MISSING_MS: u64 = 10_000;
/// How often that is looked at.
const LOOK_INTERVAL_MS: u64 = 1_000;
/// One announcement; the agent checks the node meanwhile.
const ANNOUNCE_WAIT_MS: u64 = 3_000;
/// Between two rounds through the agents.
const ANNOUNCE_RETRY_MS: u64 = 250;

#[derive(Default)]
pub struct Membership {
    checked_at: Mutex<Option<Instant>>,
    /// Asks agents, and remembers which protocol version each speaks.
    asker: Asker,
}

impl Membership {
    pub fn was_checked(&self) {
        *self.checked_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_missed(&self) -> bool {
        let checked_at = *self.checked_at.lock().unwrap_or_else(PoisonError::into_inner);
        checked_at.is_none_or(|at| at.elapsed() > Duration::from_millis(CHECK_MISSING_MS))
    }
}

/// Where this node is, and whom it tells.
pub struct Announcement {
    pub listen: SocketAddr,
    pub advertise: Option<String>,
    pub agents: Vec<String>,
}

/// Registers, announces, and does so again whenever no agent has checked for long; until `shutdown`. `ready` is called
/// after the first announcement that was accepted.
pub async fn keep(
    node: Arc<Node>,
    announcement: Announcement,
    shutdown: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) {
    let keep = async {
        announce(&node, &announcement).await;
        ready(announcement.listen);
        loop {
            sleep(Duration::from_millis(LOOK_INTERVAL_MS)).await;
            if node.membership.is_missed() {
                announce(&node, &announcement).await;
            }
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = keep => {}
    }
}

/// Tries until an agent has accepted this node.
async fn announce(node: &Node, announcement: &Announcement) {
    let mut told = String::new();
    loop {
        match announce_once(node, announcement).await {
            Ok(()) => return,
            // Every round fails alike while agents or database are away: said once.
            Err(reason) if reason == told => {}
            Err(reason) => {
                tracing::warn!(%reason, "no agent takes this node's announcement");
                told = reason;
            }
        }
        sleep(Duration::from_millis(ANNOUNCE_RETRY_MS)).await;
    }
}

async fn announce_once(node: &Node, announcement: &Announcement) -> Result<(), String> {
    if announcement.agents.is_empty() {
        let address = announcement.advertise.clone().unwrap_or_else(|| announcement.listen.to_string());
        return register(node, &address).await;
    }
    let mut reason = String::new();
    for agent in &announcement.agents {
        let address = match &announcement.advertise {
            Some(address) => address.clone(),
            None => match own_address(agent, announcement.listen).await {
                Ok(address) => address,
                Err(error) => {
                    reason = format!("{agent}: {error}");
                    continue;
                }
            },
        };
        register(node, &address).await?;
        let request = Request {
            request_id: Uuid::now_v7(),
            token: None,
            remaining_ms: ANNOUNCE_WAIT_MS as u32,
            body: RequestBody::Agent(AgentRequest::Announce(wire::Announce { node_id: node.node_id })),
        };
        let wait = Duration::from_millis(ANNOUNCE_WAIT_MS);
        match node.membership.asker.call(agent.as_str(), &request, wait).await {
            Ok(reply) => match reply.result {
                Ok(_) => {
                    node.membership.was_checked();
                    tracing::info!(%agent, %address, "announced");
                    return Ok(());
                }
                Err(error) => reason = format!("{agent}: {error}"),
            },
            Err(error) => reason = format!("{agent}: {error}"),
        }
    }
    Err(reason)
}

async fn register(node: &Node, address: &str) -> Result<(), String> {
    let release = node.release.to_string();
    let registered = db::nodes::register(&node.db, node.node_id, address, &release).await;
    registered.map_err(|error| error.to_string())
}

/// The address to listen on, if it says where; else the one that this host has towards the agent.
async fn own_address(agent: &str, listen: SocketAddr) -> std::io::Result<String> {
    if !listen.ip().is_unspecified() {
        return Ok(listen.to_string());
    }
    let stream =
        tokio::time::timeout(Duration::from_millis(ANNOUNCE_WAIT_MS), TcpStream::connect(agent)).await??;
    Ok(SocketAddr::new(stream.local_addr()?.ip(), listen.port()).to_string())
}
