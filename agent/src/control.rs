//! Nodes and agents as administrators see and steer them.

use crate::Agent;
use server::Failure;
use wire::{AgentReply, ErrorReply, Token};

pub async fn node_list(_agent: &Agent, _token: Option<Token>) -> Result<AgentReply, Failure> {
    Err(ErrorReply::unavailable("not served by this agent yet").into())
}

pub async fn node_drain(_agent: &Agent, _token: Option<Token>, _node: String) -> Result<AgentReply, Failure> {
    Err(ErrorReply::unavailable("not served by this agent yet").into())
}

pub async fn node_resume(
    _agent: &Agent,
    _token: Option<Token>,
    _node: String,
) -> Result<AgentReply, Failure> {
    Err(ErrorReply::unavailable("not served by this agent yet").into())
}

pub async fn agent_list(_agent: &Agent, _token: Option<Token>) -> Result<AgentReply, Failure> {
    Err(ErrorReply::unavailable("not served by this agent yet").into())
}
