//! Nodes: they announce themselves, are checked every second, and are handed out to clients.

use crate::{Agent, placement};
use db::nodes::Node;
use server::{Failure, token_hash};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wire::limits::AREAS_PER_REQUEST_MAX;
use wire::{
    AgentReply, AreaId, AreaRef, ErrorReply, NodeReply, NodeRequest, ReplyBody, Request, RequestBody, Token,
};

/// Between two rounds of checks.
const CHECK_INTERVAL_MS: u64 = 1_000;
/// One check: below the interval, so that rounds do not pile up.
const CHECK_WAIT_MS: u64 = 900;
/// Misses in a row after which a node is out: one lost packet is none, three seconds are noticed by people.
const MISSES_MAX: u32 = 3;
/// Nodes named besides the assigned ones: enough to survive a bad moment, few enough for a small reply.
const SPARE_NODES_MAX: usize = 4;
/// Rounds between two clean-ups: nodes that were killed and never came back, sessions that ended long ago.
const FORGET_EVERY_ROUNDS: u64 = 600;

/// What this agent remembers between rounds; another agent counts for itself.
#[derive(Default)]
pub struct Registry {
    misses: Mutex<HashMap<Uuid, u32>>,
}

/// Resolves areas and names the nodes that serve the first of them, best first.
pub async fn locate(agent: &Agent, token: Option<Token>, names: Vec<String>) -> Result<AgentReply, Failure> {
    if names.len() > AREAS_PER_REQUEST_MAX {
        let text = format!("at most {AREAS_PER_REQUEST_MAX} areas at a time, not {}", names.len());
        return Err(ErrorReply::new(wire::ErrorCode::TooLarge, text).into());
    }
    let located = db::areas::locate(&agent.db, &token_hash(token)?, &names).await?;
    let mut live = db::nodes::list(&agent.db).await?;
    live.retain(|node| node.state == "live");
    if live.is_empty() {
        return Err(ErrorReply::unavailable("no node is live now: a repeat is safe").into());
    }
    let (area_id, replicas) = located.first().map_or((0, 1), |area| (area.area_id, area.replicas));
    let nodes = placement::rank(area_id, &live, |node| node.node_id);
    let named = replicas.unsigned_abs() as usize + SPARE_NODES_MAX;
    Ok(AgentReply::Located {
        areas: located
            .into_iter()
            .map(|area| AreaRef { area_id: AreaId(area.area_id), name: area.name })
            .collect(),
        nodes: nodes.into_iter().take(named).map(|node| node.address.clone()).collect(),
    })
}

/// A node says that its row is there. The row is what counts; the node must answer at its address, too.
pub async fn announce(agent: &Agent, node_id: Uuid) -> Result<AgentReply, Failure> {
    let nodes = db::nodes::list(&agent.db).await?;
    let Some(node) = nodes.into_iter().find(|node| node.node_id == node_id) else {
        let text = format!("no node {node_id} is in the database: register there first");
        return Err(ErrorReply::new(wire::ErrorCode::NotFound, text).into());
    };
    if !answers(&node).await {
        let text =
            format!("node {node_id} does not answer at {}: is this where agents reach it?", node.address);
        return Err(ErrorReply::unavailable(text).into());
    }
    let already = node.state == "live";
    if !already {
        db::nodes::set_state(&agent.db, node_id, "live").await?;
        tracing::info!(%node_id, address = node.address, "node is live");
    }
    Ok(AgentReply::Done { already })
}

/// How this agent is, and the nodes that it knows.
pub async fn status(agent: &Agent, token: Option<Token>) -> Result<AgentReply, Failure> {
    let server = server::status::status(&agent.db, token, agent.serves_since).await?;
    let nodes = db::nodes::list(&agent.db).await?;
    let nodes_live = nodes.iter().filter(|node| node.state == "live").count() as u32;
    Ok(AgentReply::Status { server, nodes_live, nodes: nodes.len() as u32 })
}

/// Checks every registered node each second until `shutdown`.
pub async fn check_nodes(agent: Arc<Agent>, shutdown: CancellationToken) {
    let mut interval = tokio::time::interval(Duration::from_millis(CHECK_INTERVAL_MS));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 0u64.. {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = interval.tick() => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            result = check_round(&agent, round) => if let Err(error) = result {
                tracing::debug!(%error, "nodes not checked");
            }
        }
    }
}

async fn check_round(agent: &Agent, round: u64) -> db::Result<()> {
    if round.is_multiple_of(FORGET_EVERY_ROUNDS) {
        db::nodes::forget_lost(&agent.db).await?;
        db::sessions::forget_ended(&agent.db).await?;
    }
    let nodes = db::nodes::list(&agent.db).await?;
    let known: Vec<Uuid> = nodes.iter().map(|node| node.node_id).collect();
    let mut checks = JoinSet::new();
    for node in nodes {
        checks.spawn(async move { (answers(&node).await, node) });
    }
    while let Some(check) = checks.join_next().await {
        let Ok((answered, node)) = check else { continue };
        let misses = agent.registry.count(node.node_id, answered);
        let state = match (answered, node.state.as_str()) {
            (true, "announced" | "out") => "live",
            (false, "live") if misses >= MISSES_MAX => "out",
            (false, "announced") if misses >= MISSES_MAX => "out",
            _ => continue,
        };
        tracing::info!(node_id = %node.node_id, address = node.address, state, "node changed");
        db::nodes::set_state(&agent.db, node.node_id, state).await?;
    }
    agent.registry.keep_only(&known);
    Ok(())
}

impl Registry {
    /// The misses in a row, with this one.
    fn count(&self, node_id: Uuid, answered: bool) -> u32 {
        let mut misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = misses.entry(node_id).or_insert(0);
        *count = if answered { 0 } else { *count + 1 };
        *count
    }

    fn keep_only(&self, known: &[Uuid]) {
        self.misses.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| known.contains(id));
    }
}

/// Whether this very node answers at its address; another one there does not count.
async fn answers(node: &Node) -> bool {
    let request = Request {
        request_id: Uuid::now_v7(),
        token: None,
        remaining_ms: CHECK_WAIT_MS as u32,
        body: RequestBody::Node(NodeRequest::Check),
    };
    let reply = wire::call(node.address.as_str(), &request, Duration::from_millis(CHECK_WAIT_MS)).await;
    match reply.map(|reply| reply.result) {
        Ok(Ok(ReplyBody::Node(NodeReply::Checked(status)))) => {
            status.node_id == node.node_id && !status.draining
        }
        _ => false,
    }
}
