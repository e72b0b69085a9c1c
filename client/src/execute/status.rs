//! `status`: how every agent and every node is, for whoever wants to know what is wrong. All are asked at once, none
//! is waited for longer than the others.

use crate::exit::Failure;
use crate::outcome::{AgentStatus, NodeStatus, Outcome, Probe, Status};
use crate::service::candidates::{Candidate, resolve};
use crate::service::failure;
use crate::service::session::fresh_nodes;
use crate::service::transport::{self, Ask};
use crate::session::Session;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use wire::{
    AgentReply, AgentRequest, ErrorCode, NodeReply, NodeRequest, ReplyBody, RequestBody, ServerStatus,
};

/// Servers answer within a second, also when their database does not.
const SERVER_WAIT: Duration = Duration::from_secs(3);

pub async fn status(session: &Session) -> Result<Outcome, Failure> {
    let identity = timeout(SERVER_WAIT, session.identity());
    let nodes = async {
        let addresses = fresh_nodes(&session.service, &[]).await.unwrap_or_default();
        probe(session, addresses, RequestBody::Node(NodeRequest::Status(wire::Status {}))).await
    };
    let agents = probe(session, session.agents(), RequestBody::Agent(AgentRequest::Status(wire::Status {})));
    let (identity, agents, nodes) = tokio::join!(identity, agents, nodes);
    // Reachable, and of no use: the person has to log in again first.
    if let Some(failure) = agents.iter().find_map(|(_, answer)| {
        answer.as_ref().err().filter(|failure| failure.code() == Some(ErrorCode::Unauthenticated))
    }) {
        return Err(failure.clone().into());
    }
    Ok(Outcome::Status(Status {
        context: session.settings.context.clone(),
        user: identity.ok().and_then(Result::ok).map(|identity| identity.user),
        agents: agents.into_iter().map(agent).collect(),
        nodes: nodes.into_iter().map(node).collect(),
    }))
}

struct Asked {
    address: String,
    elapsed: Duration,
    /// This machine's, in the middle between question and answer.
    now_us: i64,
}

type Answered = (Asked, Result<ReplyBody, failure::Failure>);

/// Every server behind these addresses, in their order.
async fn probe(session: &Session, addresses: Vec<String>, body: RequestBody) -> Vec<Answered> {
    let deadline = session.deadline().min(Instant::now() + SERVER_WAIT);
    let resolved = in_order(addresses.into_iter().map(|address| async move {
        let found = resolve(&address).await;
        (address, found)
    }));
    let mut servers = Vec::new();
    for (address, found) in resolved.await {
        match found {
            Ok(candidates) => servers.extend(candidates.into_iter().map(Ok)),
            Err(failure) => servers.push(Err((address, failure))),
        }
    }
    in_order(servers.into_iter().map(|server| {
        let (token, body) = (session.token(), body.clone());
        let (asker, tell) = (session.service.asker().clone(), session.service.tell().clone());
        async move {
            match server {
                Ok(candidate) => {
                    exchange(&candidate, &Ask { token, body: &body, deadline, asker: &asker, tell: &tell })
                        .await
                }
                Err((address, failure)) => {
                    (Asked { address, elapsed: Duration::ZERO, now_us: now_us() }, Err(failure))
                }
            }
        }
    }))
    .await
}

async fn exchange(candidate: &Candidate, ask: &Ask<'_>) -> Answered {
    let (started, started_us) = (Instant::now(), now_us());
    let answer = transport::single(candidate, ask).await;
    let now_us = started_us.midpoint(now_us());
    (Asked { address: candidate.address.clone(), elapsed: started.elapsed(), now_us }, answer)
}

/// All of them at once; what they return in the order in which they were given.
async fn in_order<T: Send + 'static>(
    work: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut tasks = JoinSet::new();
    for (at, work) in work.enumerate() {
        tasks.spawn(async move { (at, work.await) });
    }
    let mut done = tasks.join_all().await;
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

fn agent((asked, answer): Answered) -> AgentStatus {
    match answer {
        Ok(ReplyBody::Agent(AgentReply::Status(wire::AgentStatus { server, nodes_live, nodes }))) => {
            AgentStatus { probe: answered(asked, server), nodes_live: Some(nodes_live), nodes: Some(nodes) }
        }
        other => AgentStatus { probe: failed(asked, other), nodes_live: None, nodes: None },
    }
}

fn node((asked, answer): Answered) -> NodeStatus {
    match answer {
        Ok(ReplyBody::Node(NodeReply::Status(wire::NodeStatus { server, draining, .. }))) => {
            NodeStatus { probe: answered(asked, server), draining: Some(draining) }
        }
        other => NodeStatus { probe: failed(asked, other), draining: None },
    }
}

fn answered(asked: Asked, server: ServerStatus) -> Probe {
    Probe {
        address: asked.address,
        error: None,
        elapsed_ms: asked.elapsed.as_millis() as u64,
        version: Some(server.version),
        uptime_s: Some(server.uptime_s),
        database_ms: Some(server.database_us / 1_000),
        clock_ms: Some((server.now_us - asked.now_us) / 1_000),
    }
}

fn failed(asked: Asked, answer: Result<ReplyBody, failure::Failure>) -> Probe {
    let failure = answer.err().unwrap_or_else(failure::Failure::unexpected_reply);
    let prefix = format!("{}: ", asked.address);
    let error = failure.message.strip_prefix(&prefix).unwrap_or(&failure.message).to_owned();
    Probe {
        address: asked.address,
        error: Some(error),
        elapsed_ms: asked.elapsed.as_millis() as u64,
        version: None,
        uptime_s: None,
        database_ms: None,
        clock_ms: None,
    }
}
