//! The client's side: one request over one connection. Retrying is the caller's business; [`CallError`] tells what it
//! needs to decide.

use crate::frame::{self, HEADER_BYTES};
use crate::limits::REPLY_BYTES_MAX;
use crate::message::{Reply, Request};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::time::timeout;

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nothing was sent: the request certainly did not happen.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The connection broke after the request was (perhaps partly) sent: the outcome is unknown.
    #[error("connection lost: {0}")]
    Lost(io::Error),
    #[error("no answer in time")]
    Timeout,
    /// The peer speaks something else.
    #[error("the answer is not one of Gaceta's: {0}")]
    Malformed(String),
}

/// Connects, sends `request`, reads the reply; all within `wait`.
pub async fn call(
    address: impl ToSocketAddrs,
    request: &Request,
    wait: Duration,
) -> Result<Reply, CallError> {
    timeout(wait, async { exchange(connect(address).await?, request).await })
        .await
        .unwrap_or(Err(CallError::Timeout))
}

pub async fn connect(address: impl ToSocketAddrs) -> Result<TcpStream, CallError> {
    let stream = TcpStream::connect(address).await.map_err(CallError::Connect)?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Sends `request` over a fresh connection and reads the reply. Bound it with a deadline.
pub async fn exchange(mut stream: TcpStream, request: &Request) -> Result<Reply, CallError> {
    let frame = frame::encode(request).map_err(|e| CallError::Malformed(e.to_string()))?;
    // A server that refuses early has answered already: a failed write is told only if there is no answer either.
    let written = stream.write_all(&frame).await;
    match read_reply(&mut stream).await {
        Err(CallError::Lost(error)) => Err(CallError::Lost(written.err().unwrap_or(error))),
        result => result,
    }
}

async fn read_reply(stream: &mut TcpStream) -> Result<Reply, CallError> {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).await.map_err(CallError::Lost)?;
    let body_bytes =
        frame::body_bytes(&header, REPLY_BYTES_MAX).map_err(|bad| CallError::Malformed(bad.to_string()))?;
    let mut body = Vec::with_capacity(body_bytes);
    stream.take(body_bytes as u64).read_to_end(&mut body).await.map_err(CallError::Lost)?;
    if body.len() < body_bytes {
        return Err(CallError::Lost(io::ErrorKind::UnexpectedEof.into()));
    }
    frame::decode(&body).map_err(|malformed| CallError::Malformed(malformed.to_string()))
}
