//! One short connection: connect, one frame, its reply, and the server closes. The same code for Gaceta's requests and for
//! the bare echo, so that their ratio is the servers'.

use super::closed_loop::Trouble;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::frame::{self, HEADER_BYTES};
use wire::{
    AgentReply, AgentRequest, ErrorCode, NodeReply, NodeRequest, Reply, ReplyBody, Request, RequestBody,
    Token,
};

/// Longer than any deadline of a server: whoever waits so long has found a fault.
const REMAINING_MS: u32 = 30_000;

/// The reply, whole, with its header.
pub async fn exchange(address: SocketAddr, frame: &[u8]) -> Result<Vec<u8>, Trouble> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(frame).await?;
    let mut reply = Vec::with_capacity(1_024);
    loop {
        if stream.read_buf(&mut reply).await? == 0 {
            return Err(Trouble::Failed("closed before the reply".into()));
        }
        if let Some(prefix) = reply.first_chunk::<4>()
            && reply.len() >= 4 + u32::from_be_bytes(*prefix) as usize
        {
            return Ok(reply);
        }
    }
}

pub async fn ask(address: SocketAddr, token: Token, body: NodeRequest) -> Result<NodeReply, Trouble> {
    match ask_any(address, token, RequestBody::Node(body)).await? {
        ReplyBody::Node(reply) => Ok(reply),
        ReplyBody::Agent(_) => Err(Trouble::Failed("an agent answered".into())),
    }
}

pub async fn ask_agent(address: SocketAddr, token: Token, body: AgentRequest) -> Result<AgentReply, Trouble> {
    match ask_any(address, token, RequestBody::Agent(body)).await? {
        ReplyBody::Agent(reply) => Ok(reply),
        ReplyBody::Node(_) => Err(Trouble::Failed("a node answered".into())),
    }
}

async fn ask_any(address: SocketAddr, token: Token, body: RequestBody) -> Result<ReplyBody, Trouble> {
    let request =
        Request { request_id: uuid::Uuid::now_v7(), token: Some(token), remaining_ms: REMAINING_MS, body };
    let reply = exchange(address, &frame::encode(&request)?).await?;
    let reply: Reply = frame::decode(&reply[HEADER_BYTES..])?;
    match reply.result {
        Ok(reply) => Ok(reply),
        Err(error) if error.code == ErrorCode::Busy => Err(Trouble::Busy),
        Err(error) => Err(Trouble::Failed(format!("{}: {}", error.code.name(), error.message))),
    }
}
