//! Nodes as clients and nodes themselves meet them: they announce themselves, and are handed out to clients.

use crate::agent::Agent;
use crate::ask::ask;
use crate::leader::placement;
use db::nodes::Node;
use server::{Caller, Failure};
use std::time::Duration;
use wire::limits::AREAS_PER_REQUEST_MAX;
use wire::{AgentReply, AreaId, AreaRef, ErrorReply, NodeReply, NodeRequest};

/// Looking whether a node that announces itself answers.
const CHECK_WAIT_MS: u64 = 900;
/// Nodes named besides the assigned ones: enough to survive a bad moment, few enough for a small reply.
const SPARE_NODES_MAX: usize = 4;

/// Resolves areas and names the nodes that serve the first of them, best first.
pub async fn locate(agent: &Agent, caller: &Caller, request: wire::Where) -> Result<AgentReply, Failure> {
    let wire::Where { areas: names } = request;
    if names.len() > AREAS_PER_REQUEST_MAX {
        let text = format!("at most {AREAS_PER_REQUEST_MAX} areas at a time, not {}", names.len());
        return Err(ErrorReply::new(wire::ErrorCode::TooLarge, text).into());
    }
    let token = caller.token_hash()?;
    let located = db::areas::locate(&agent.db, &token, &names).await?;
    let area_id = located.first().map_or(0, |area| area.area_id);
    let (assigned, others) = db::nodes::serving(&agent.db, area_id).await?;
    let nodes = in_order(area_id, token.as_bytes()[0].into(), assigned, others);
    if nodes.is_empty() {
        return Err(ErrorReply::unavailable("no node is live now: a repeat is safe").into());
    }
    Ok(AgentReply::Located(wire::Located {
        areas: located
            .into_iter()
            .map(|area| AreaRef { area_id: AreaId(area.area_id), name: area.name })
            .collect(),
        nodes: nodes.into_iter().map(|node| node.address).collect(),
    }))
}

/// The assigned nodes, then some others: those that are to have areas before those that are drained. Each session begins at an
/// assigned node of its own (`session` is a number that is), or more replicas would share nothing.
fn in_order(area_id: i64, session: usize, mut assigned: Vec<Node>, mut others: Vec<Node>) -> Vec<Node> {
    let first = session % assigned.len().max(1);
    assigned.rotate_left(first);
    placement::rank(area_id, &mut others, |node| node.node_id);
    others.sort_by_key(|node| node.drained);
    // An area that is not assigned yet, or whose nodes are all gone, has its first one among these.
    let spare = SPARE_NODES_MAX + usize::from(assigned.is_empty());
    others.truncate(spare);
    assigned.into_iter().chain(others).collect()
}

/// A node says that its row is there. The row is what counts; the node must answer at its address, too.
pub async fn announce(
    agent: &Agent,
    _caller: &Caller,
    request: wire::Announce,
) -> Result<AgentReply, Failure> {
    let wire::Announce { node_id } = request;
    let Some(address) = db::nodes::address(&agent.db, node_id).await? else {
        let text = format!("no node {node_id} is in the database: register there first");
        return Err(ErrorReply::new(wire::ErrorCode::NotFound, text).into());
    };
    let check = ask(
        &agent.asker,
        &address,
        None,
        NodeRequest::Check(wire::Check {}),
        Duration::from_millis(CHECK_WAIT_MS),
    );
    let answers = match check.await {
        Some(NodeReply::Checked(status)) => status.node_id == node_id && !status.draining,
        _ => false,
    };
    if !answers {
        let text = format!("node {node_id} does not answer at {address}: is this where agents reach it?");
        return Err(ErrorReply::unavailable(text).into());
    }
    let already = db::nodes::announced(&agent.db, node_id).await?.unwrap_or(false);
    tracing::info!(%node_id, address, already, "node announced itself");
    Ok(AgentReply::Done(wire::Done { already }))
}

/// How this agent is, and the nodes that it knows.
pub async fn status(agent: &Agent, caller: &Caller, request: wire::Status) -> Result<AgentReply, Failure> {
    let wire::Status {} = request;
    let server = server::status::status(&agent.db, caller.token, agent.serves_since).await?;
    let (live, all) = db::nodes::count(&agent.db).await?;
    Ok(AgentReply::Status(wire::AgentStatus {
        server,
        nodes_live: live.unsigned_abs() as u32,
        nodes: all.unsigned_abs() as u32,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn node(number: u128, drained: bool) -> Node {
        let address = number.to_string();
        Node { node_id: Uuid::from_u128(number), address, state: "live".into(), drained, weight: 4 }
    }

    fn names(assigned: &[Node], others: &[Node]) -> Vec<String> {
        in_order(7, 2, assigned.to_vec(), others.to_vec()).into_iter().map(|node| node.address).collect()
    }

    #[test]
    fn assigned_nodes_come_first_then_a_few_others_and_drained_ones_last() {
        let others: Vec<_> = (10..20).map(|number| node(number, number < 18)).collect();
        let named = names(&[node(2, false), node(1, false)], &others);
        assert_eq!(named[..2], ["2", "1"], "in their order");
        assert_eq!(named.len(), 2 + SPARE_NODES_MAX);
        let mut first = named[2..4].to_vec();
        first.sort();
        assert_eq!(first, ["18", "19"], "those that are not drained");
    }

    #[test]
    fn sessions_begin_at_different_ones_of_several_assigned_nodes() {
        let assigned: Vec<_> = (1..=3).map(|number| node(number, false)).collect();
        let first = |session| in_order(7, session, assigned.clone(), vec![])[0].address.clone();
        assert_eq!((0..4).map(first).collect::<Vec<_>>(), ["1", "2", "3", "1"]);
    }

    #[test]
    fn an_area_without_assigned_nodes_has_some_while_any_lives() {
        assert_eq!(names(&[], &[node(1, true)]), ["1"]);
        let others: Vec<_> = (1..10).map(|number| node(number, false)).collect();
        assert_eq!(names(&[], &others).len(), 1 + SPARE_NODES_MAX);
        assert_eq!(names(&[], &[]), Vec::<String>::new());
    }
}
