//! The forms of agents, nodes and their load; the table in [`super`] tells of them.

use super::{object, rfc3339};
use serde_json::{Value, json};
use wire::{AgentDetails, Leader, Load, LoadSample, NodeDetails, ServiceEvent};

pub fn node_list(nodes: &[NodeDetails], events: &[ServiceEvent]) -> Value {
    json!({"nodes": nodes_value(nodes), "events": events_value(events)})
}

pub fn node_changed(changed: &NodeDetails, already: bool) -> Value {
    json!({"node": node(changed), "already": already})
}

pub fn agent_list(agents: &[AgentDetails], leader: Option<&Leader>, events: &[ServiceEvent]) -> Value {
    let leads = |leader: &Leader| {
        json!({
            "id": leader.agent_id, "epoch": leader.epoch, "since": rfc3339(leader.taken_at_us),
            "expires_at": rfc3339(leader.expires_at_us),
        })
    };
    json!({
        "leader": leader.map(leads),
        "agents": agents.iter().map(|one| agent(one, leader)).collect::<Value>(),
        "events": events_value(events),
    })
}

pub fn load(samples: &[LoadSample], nodes: &[NodeDetails]) -> Value {
    let sample = |sample: &LoadSample| {
        json!({
            "at": rfc3339(sample.at_us), "epoch": sample.epoch, "nodes": sample.nodes,
            "sum": figures(&sample.sum), "mean": figures(&sample.mean),
        })
    };
    json!({"samples": samples.iter().map(sample).collect::<Value>(), "nodes": nodes_value(nodes)})
}

fn nodes_value(nodes: &[NodeDetails]) -> Value {
    nodes.iter().map(node).collect()
}

fn node(node: &NodeDetails) -> Value {
    json!({
        "id": node.node_id, "address": node.address,
        "state": node.state.name(),
        "since": rfc3339(node.state_at_us), "started_at": rfc3339(node.started_at_us),
        "drained_at": node.drained_at_us.map(rfc3339), "areas": node.areas, "version": node.version,
        "settings_version": node.settings_version, "load": node.load.as_ref().map(figures),
        "load_at": node.load_at_us.map(rfc3339),
    })
}

fn figures(load: &Load) -> Value {
    json!({
        "posts_s": load.posts_s, "reads_s": load.reads_s, "follows_s": load.follows_s,
        "deletes_s": load.deletes_s, "others_s": load.others_s, "deliveries_s": load.deliveries_s,
        "followers": load.followers, "connections": load.connections, "queued_posts": load.queued_posts,
        "memory_bytes": load.memory_bytes,
    })
}

fn agent(agent: &AgentDetails, leader: Option<&Leader>) -> Value {
    json!({
        "id": agent.agent_id, "address": agent.address, "live": agent.live,
        "leads": leader.is_some_and(|leader| leader.agent_id == agent.agent_id),
        "started_at": rfc3339(agent.started_at_us), "seen_at": rfc3339(agent.seen_at_us),
        "version": agent.version, "settings_version": agent.settings_version,
    })
}

fn events_value(events: &[ServiceEvent]) -> Value {
    let event = |event: &ServiceEvent| {
        json!({
            "id": event.event_id, "at": rfc3339(event.at_us), "epoch": event.epoch, "kind": event.kind,
            "subject": event.subject, "detail": object(&event.detail),
        })
    };
    events.iter().map(event).collect()
}
