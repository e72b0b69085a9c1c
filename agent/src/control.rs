//! Nodes and agents as administrators see and steer them.

use crate::agent::Agent;
use db::samples::Load;
use server::{Caller, Failure};
use wire::{AgentDetails, AgentReply, Leader, NodeDetails, NodeState, ServiceEvent};

/// What happened lately: a page on a terminal.
const EVENTS_MAX: i64 = 20;
/// Of what leaders did to areas, beside who led: a service of many areas must not hide that leaders change.
const AREA_EVENTS_MAX: i64 = 5;

pub async fn node_list(
    agent: &Agent,
    caller: &Caller,
    request: wire::NodeList,
) -> Result<AgentReply, Failure> {
    let wire::NodeList {} = request;
    let token = caller.token_hash()?;
    let nodes = db::nodes::details(&agent.db, &token).await?;
    let events = db::events::list(&agent.db, &token, &["node", "assignment"], EVENTS_MAX).await?;
    Ok(AgentReply::NodesListed(wire::NodesListed {
        nodes: nodes.into_iter().map(node_of).collect(),
        events: events.into_iter().map(event_of).collect(),
    }))
}

pub async fn node_drain(
    agent: &Agent,
    caller: &Caller,
    request: wire::NodeDrain,
) -> Result<AgentReply, Failure> {
    let wire::NodeDrain { node } = request;
    let (node, already) = db::nodes::drain(&agent.db, &caller.token_hash()?, &node).await?;
    Ok(AgentReply::NodeChanged(wire::NodeChanged { node: node_of(node), already }))
}

pub async fn node_resume(
    agent: &Agent,
    caller: &Caller,
    request: wire::NodeResume,
) -> Result<AgentReply, Failure> {
    let wire::NodeResume { node } = request;
    let (node, already) = db::nodes::resume(&agent.db, &caller.token_hash()?, &node).await?;
    Ok(AgentReply::NodeChanged(wire::NodeChanged { node: node_of(node), already }))
}

pub async fn agent_list(
    agent: &Agent,
    caller: &Caller,
    request: wire::AgentList,
) -> Result<AgentReply, Failure> {
    let wire::AgentList {} = request;
    let token = caller.token_hash()?;
    let agents = db::agents::list(&agent.db, &token).await?;
    let leader = db::leader::current(&agent.db).await?;
    let mut events = db::events::list(&agent.db, &token, &["leader"], EVENTS_MAX).await?;
    events.extend(db::events::list(&agent.db, &token, &["area"], AREA_EVENTS_MAX).await?);
    events.sort_by_key(|event| std::cmp::Reverse(event.event_id));
    Ok(AgentReply::AgentsListed(wire::AgentsListed {
        agents: agents.into_iter().map(agent_of).collect(),
        leader: leader.map(leader_of),
        events: events.into_iter().map(event_of).collect(),
    }))
}

fn agent_of(agent: db::agents::Agent) -> AgentDetails {
    let db::agents::Agent { agent_id, address, version, started_at_us, seen_at_us, live, settings_version } =
        agent;
    AgentDetails { agent_id, address, version, started_at_us, seen_at_us, live, settings_version }
}

fn leader_of(leader: db::leader::Leader) -> Leader {
    let db::leader::Leader { agent_id, epoch, taken_at_us, expires_at_us } = leader;
    Leader { agent_id, epoch, taken_at_us, expires_at_us }
}

pub(crate) fn node_of(node: db::nodes::Details) -> NodeDetails {
    let db::nodes::Details {
        node_id,
        address,
        version,
        state,
        state_at_us,
        started_at_us,
        drained_at_us,
        areas,
        settings_version,
        load,
        load_at_us,
    } = node;
    NodeDetails {
        node_id,
        address,
        version,
        state: match state.as_str() {
            "announced" => NodeState::Announced,
            "live" => NodeState::Live,
            "left" => NodeState::Left,
            _ => NodeState::Out,
        },
        state_at_us,
        started_at_us,
        drained_at_us,
        areas: areas.unsigned_abs(),
        settings_version,
        load: load.map(load_of),
        load_at_us,
    }
}

pub(crate) fn load_of(load: Load) -> wire::Load {
    let Load {
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
    wire::Load {
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

fn event_of(event: db::events::Event) -> ServiceEvent {
    let db::events::Event { event_id, at_us, epoch, kind, subject, detail } = event;
    ServiceEvent { event_id, at_us, epoch, kind, subject, detail }
}
