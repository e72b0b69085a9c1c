//! Settings: listed, changed, watched.

use crate::Agent;
use server::Failure;
use wire::{AgentReply, ErrorReply, SettingChange, Token};

pub async fn list(_agent: &Agent, _token: Option<Token>) -> Result<AgentReply, Failure> {
    Err(ErrorReply::unavailable("not served by this agent yet").into())
}

pub async fn change(
    _agent: &Agent,
    _token: Option<Token>,
    _changes: Vec<SettingChange>,
    _expected_version: Option<i64>,
) -> Result<AgentReply, Failure> {
    Err(ErrorReply::unavailable("not served by this agent yet").into())
}

pub async fn status(_agent: &Agent, _token: Option<Token>) -> Result<AgentReply, Failure> {
    Err(ErrorReply::unavailable("not served by this agent yet").into())
}

pub async fn watch(
    _agent: &Agent,
    _token: Option<Token>,
    _version: i64,
    _wait_ms: u32,
) -> Result<AgentReply, Failure> {
    Err(ErrorReply::unavailable("not served by this agent yet").into())
}
