//! The forms of agents, nodes and their load; the table in [`super`] tells of them.

use super::detail::object;
use crate::render::layout::rfc3339;
use serde_json::{Value, json};
use wire::{AgentDetails, Leader, Load, LoadSample, NodeDetails, ServiceEvent};

pub fn node_list(nodes: &[NodeDetails], events: &[ServiceEvent]) -> Value {
    json!({"nodes": nodes_value(nodes), "events": events_value(events)})
}

pub fn node_changed(changed: &NodeDetails, already: bool) -> Value {
    json!({"node": node(changed), "already": already})
}

pub fn agent_list(agents: &[AgentDetails], leader: Option<&Leader>, events: &[ServiceEvent]) -> Value {
    json!({
        "leader": leader.map(leads),
        "agents": agents.iter().map(|one| agent(one, leader)).collect::<Value>(),
        "events": events_value(events),
    })
}

fn leads(leader: &Leader) -> Value {
    let Leader { agent_id, epoch, taken_at_us, expires_at_us } = leader;
    json!({
        "id": agent_id, "epoch": epoch, "since": rfc3339(*taken_at_us), "expires_at": rfc3339(*expires_at_us),
    })
}

pub fn load(samples: &[LoadSample], nodes: &[NodeDetails]) -> Value {
    json!({"samples": samples.iter().map(sample).collect::<Value>(), "nodes": nodes_value(nodes)})
}

fn sample(sample: &LoadSample) -> Value {
    let LoadSample { at_us, epoch, nodes, sum, mean } = sample;
    json!({"at": rfc3339(*at_us), "epoch": epoch, "nodes": nodes, "sum": figures(sum), "mean": figures(mean)})
}

fn nodes_value(nodes: &[NodeDetails]) -> Value {
    nodes.iter().map(node).collect()
}

fn node(node: &NodeDetails) -> Value {
    let NodeDetails {
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
    json!({
        "id": node_id, "address": address, "state": state.name(), "since": rfc3339(*state_at_us),
        "started_at": rfc3339(*started_at_us), "drained_at": drained_at_us.map(rfc3339), "areas": areas,
        "version": version, "settings_version": settings_version, "load": load.as_ref().map(figures),
        "load_at": load_at_us.map(rfc3339),
    })
}

fn figures(load: &Load) -> Value {
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
    json!({
        "posts_s": posts_s, "reads_s": reads_s, "follows_s": follows_s, "deletes_s": deletes_s,
        "others_s": others_s, "deliveries_s": deliveries_s, "followers": followers, "connections": connections,
        "queued_posts": queued_posts, "memory_bytes": memory_bytes,
    })
}

fn agent(agent: &AgentDetails, leader: Option<&Leader>) -> Value {
    let AgentDetails { agent_id, address, version, started_at_us, seen_at_us, live, settings_version } =
        agent;
    json!({
        "id": agent_id, "address": address, "live": live,
        "leads": leader.is_some_and(|leader| leader.agent_id == *agent_id),
        "started_at": rfc3339(*started_at_us), "seen_at": rfc3339(*seen_at_us), "version": version,
        "settings_version": settings_version,
    })
}

fn events_value(events: &[ServiceEvent]) -> Value {
    events.iter().map(event).collect()
}

fn event(event: &ServiceEvent) -> Value {
    let ServiceEvent { event_id, at_us, epoch, kind, subject, detail } = event;
    json!({
        "id": event_id, "at": rfc3339(*at_us), "epoch": epoch, "kind": kind, "subject": subject,
        "detail": object(detail),
    })
}
