//! Agents and nodes as administrators see and steer them, and how much they do.

use crate::command::{AdminAgent, AdminNode};
use crate::exit::Failure;
use crate::names;
use crate::outcome::Outcome;
use crate::session::Session;
use std::time::Duration;
use wire::{AdminRequest, AgentReply, AgentRequest, NodeDetails, ServiceEvent};

pub async fn node(session: &Session, command: AdminNode) -> Result<Outcome, Failure> {
    match command {
        AdminNode::List => {
            let (nodes, events) = node_list(session).await?;
            Ok(Outcome::NodeList { nodes, events })
        }
        AdminNode::Drain { node } => {
            node_changed(
                session,
                AdminRequest::NodeDrain(wire::NodeDrain { node }),
                "is drained: its areas go to other nodes",
            )
            .await
        }
        AdminNode::Resume { node } => {
            node_changed(session, AdminRequest::NodeResume(wire::NodeResume { node }), "gets areas again")
                .await
        }
    }
}

pub async fn node_list(session: &Session) -> Result<(Vec<NodeDetails>, Vec<ServiceEvent>), Failure> {
    match session.agent(AgentRequest::Admin(AdminRequest::NodeList(wire::NodeList {}))).await? {
        AgentReply::NodesListed(wire::NodesListed { nodes, events }) => {
            names::note_nodes(&session.settings, &nodes);
            Ok((nodes, events))
        }
        _ => Err(Failure::unexpected_reply()),
    }
}

async fn node_changed(
    session: &Session,
    request: AdminRequest,
    done: &'static str,
) -> Result<Outcome, Failure> {
    match session.agent(AgentRequest::Admin(request)).await? {
        AgentReply::NodeChanged(wire::NodeChanged { node, already }) => {
            Ok(Outcome::NodeChanged { node, done, already })
        }
        _ => Err(Failure::unexpected_reply()),
    }
}

pub async fn agent(session: &Session, command: AdminAgent) -> Result<Outcome, Failure> {
    let AdminAgent::List = command;
    match session.agent(AgentRequest::Admin(AdminRequest::AgentList(wire::AgentList {}))).await? {
        AgentReply::AgentsListed(wire::AgentsListed { agents, leader, events }) => {
            Ok(Outcome::AgentList { agents, leader, events })
        }
        _ => Err(Failure::unexpected_reply()),
    }
}

pub async fn load(session: &Session, span: Duration) -> Result<Outcome, Failure> {
    let span_s = u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
    match session.agent(AgentRequest::Admin(AdminRequest::Load(wire::LoadList { span_s }))).await? {
        AgentReply::LoadListed(wire::LoadListed { samples, nodes }) => {
            Ok(Outcome::Load { span, samples, nodes })
        }
        _ => Err(Failure::unexpected_reply()),
    }
}
