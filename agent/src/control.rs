//! Nodes and agents as administrators see and steer them.

use crate::{Agent, load};
use server::{Failure, token_hash};
use wire::{AgentDetails, AgentReply, Leader, NodeDetails, NodeState, ServiceEvent, Token};

/// What happened lately: a page on a terminal.
const EVENTS_MAX: i64 = 20;
/// Of what leaders did to areas, beside who led: a service of many areas must not hide that leaders change.
const AREA_EVENTS_MAX: i64 = 5;

pub async fn node_list(agent: &Agent, token: Option<Token>) -> Result<AgentReply, Failure> {
    let token = token_hash(token)?;
    let nodes = db::nodes::details(&agent.db, &token).await?;
    let events = db::events::list(&agent.db, &token, &["node", "assignment"], EVENTS_MAX).await?;
    Ok(AgentReply::NodeList {
        nodes: nodes.into_iter().map(node_of).collect(),
        events: events.into_iter().map(event_of).collect(),
    })
}

pub async fn node_drain(agent: &Agent, token: Option<Token>, node: String) -> Result<AgentReply, Failure> {
    let (node, already) = db::nodes::drain(&agent.db, &token_hash(token)?, &node).await?;
    Ok(AgentReply::NodeChanged { node: node_of(node), already })
}

pub async fn node_resume(agent: &Agent, token: Option<Token>, node: String) -> Result<AgentReply, Failure> {
    let (node, already) = db::nodes::resume(&agent.db, &token_hash(token)?, &node).await?;
    Ok(AgentReply::NodeChanged { node: node_of(node), already })
}

pub async fn agent_list(agent: &Agent, token: Option<Token>) -> Result<AgentReply, Failure> {
    let token = token_hash(token)?;
    let agents = db::agents::list(&agent.db, &token).await?;
    let leader = db::leader::current(&agent.db).await?;
    let mut events = db::events::list(&agent.db, &token, &["leader"], EVENTS_MAX).await?;
    events.extend(db::events::list(&agent.db, &token, &["area"], AREA_EVENTS_MAX).await?);
    events.sort_by_key(|event| std::cmp::Reverse(event.event_id));
    let agents = agents.into_iter().map(|agent| AgentDetails {
        agent_id: agent.agent_id,
        address: agent.address,
        version: agent.version,
        started_at_us: agent.started_at_us,
        seen_at_us: agent.seen_at_us,
        live: agent.live,
        settings_version: agent.settings_version,
    });
    Ok(AgentReply::AgentList {
        agents: agents.collect(),
        leader: leader.map(|leader| Leader {
            agent_id: leader.agent_id,
            epoch: leader.epoch,
            taken_at_us: leader.taken_at_us,
            expires_at_us: leader.expires_at_us,
        }),
        events: events.into_iter().map(event_of).collect(),
    })
}

pub(crate) fn node_of(node: db::nodes::Details) -> NodeDetails {
    NodeDetails {
        node_id: node.node_id,
        address: node.address,
        version: node.version,
        state: match node.state.as_str() {
            "announced" => NodeState::Announced,
            "live" => NodeState::Live,
            "left" => NodeState::Left,
            _ => NodeState::Out,
        },
        state_at_us: node.state_at_us,
        started_at_us: node.started_at_us,
        drained_at_us: node.drained_at_us,
        areas: node.areas.unsigned_abs(),
        settings_version: node.settings_version,
        load: node.load.map(load::to_wire),
        load_at_us: node.load_at_us,
    }
}

fn event_of(event: db::events::Event) -> ServiceEvent {
    ServiceEvent {
        event_id: event.event_id,
        at_us: event.at_us,
        epoch: event.epoch,
        kind: event.kind,
        subject: event.subject,
        detail: event.detail,
    }
}
