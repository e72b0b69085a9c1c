//! How much the nodes do, over time.

use crate::Agent;
use server::Failure;
use wire::{AgentReply, ErrorReply, Token};

pub async fn load(_agent: &Agent, _token: Option<Token>, _span_s: u32) -> Result<AgentReply, Failure> {
    Err(ErrorReply::unavailable("not served by this agent yet").into())
}
