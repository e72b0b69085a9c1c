//! The client's side: one request over one connection, in a version that the server speaks. Retrying is the caller's
//! business; [`CallError`] tells what it needs to decide.

use crate::frame::{self, HEADER_BYTES, Header, VERSIONS};
use crate::limits::REPLY_BYTES_MAX;
use crate::message::{Reply, Request, Versions};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::time::timeout;

/// Addresses whose version is remembered: more than one service has servers. Beyond, all are forgotten, which costs each of
/// them one more exchange.
const REMEMBERED_MAX: usize = 1_024;

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

/// Who asks servers: the versions that it speaks, and what it has learned about those of the servers. One for each program that
/// asks, for as long as it runs.
#[derive(Debug)]
pub struct Asker {
    versions: RangeInclusive<u16>,
    /// Servers that do not speak our highest version, and what they are asked in.
    lower: Mutex<HashMap<SocketAddr, u16>>,
}

impl Default for Asker {
    fn default() -> Self {
        Self::new(VERSIONS)
    }
}

impl Asker {
    /// For tests: who speaks other versions than this release.
    pub fn new(versions: RangeInclusive<u16>) -> Self {
        Self { versions, lower: Mutex::default() }
    }

    /// Connects, sends `request`, reads the reply; all within `wait`.
    pub async fn call(
        &self,
        address: impl ToSocketAddrs,
        request: &Request,
        wait: Duration,
    ) -> Result<Reply, CallError> {
        timeout(wait, async { self.exchange(connect(address).await?, request).await })
            .await
            .unwrap_or(Err(CallError::Timeout))
    }

    /// Sends `request` over a fresh connection and reads the reply. A server that refuses the version is asked once more, in one that
    /// it speaks, and from then on always in that one. Bound it with a deadline.
    pub async fn exchange(&self, stream: TcpStream, request: &Request) -> Result<Reply, CallError> {
        let server = stream.peer_addr().map_err(CallError::Connect)?;
        let version = self.version_for(server);
        let reply = self.exchange_as(stream, request, version).await?;
        let Some(other) = refused_version(&reply).and_then(|theirs| self.common(theirs)) else {
            return Ok(reply);
        };
        if other == version {
            return Ok(reply);
        }
        self.remember(server, other);
        self.exchange_as(connect(server).await?, request, other).await
    }

    async fn exchange_as(
        &self,
        mut stream: TcpStream,
        request: &Request,
        version: u16,
    ) -> Result<Reply, CallError> {
        let frame = frame::encode_as(request, version).map_err(|e| CallError::Malformed(e.to_string()))?;
        // A server that refuses early has answered already: a failed write is told only if there is no answer either.
        let written = stream.write_all(&frame).await;
        match read_reply(&mut stream, &self.versions).await {
            Err(CallError::Lost(error)) => Err(CallError::Lost(written.err().unwrap_or(error))),
            result => result,
        }
    }

    fn version_for(&self, server: SocketAddr) -> u16 {
        self.lower().get(&server).copied().unwrap_or(*self.versions.end())
    }

    /// The highest version that both speak.
    fn common(&self, theirs: &Versions) -> Option<u16> {
        let highest = u16::try_from(theirs.max).unwrap_or(u16::MAX).min(*self.versions.end());
        (self.versions.contains(&highest) && u32::from(highest) >= theirs.min).then_some(highest)
    }

    fn remember(&self, server: SocketAddr, version: u16) {
        let mut lower = self.lower();
        if lower.len() >= REMEMBERED_MAX {
            lower.clear();
        }
        lower.insert(server, version);
    }

    fn lower(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, u16>> {
        self.lower.lock().unwrap_or_else(PoisonError::into_inner) // whole after each statement
    }
}

fn refused_version(reply: &Reply) -> Option<&Versions> {
    reply.result.as_ref().err()?.versions.as_ref()
}

/// Asks once, by somebody who remembers nothing.
pub async fn call(
    address: impl ToSocketAddrs,
    request: &Request,
    wait: Duration,
) -> Result<Reply, CallError> {
    Asker::default().call(address, request, wait).await
}

/// As [`Asker::exchange`], by somebody who remembers nothing.
pub async fn exchange(stream: TcpStream, request: &Request) -> Result<Reply, CallError> {
    Asker::default().exchange(stream, request).await
}

pub async fn connect(address: impl ToSocketAddrs) -> Result<TcpStream, CallError> {
    let stream = TcpStream::connect(address).await.map_err(CallError::Connect)?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn read_reply(stream: &mut TcpStream, versions: &RangeInclusive<u16>) -> Result<Reply, CallError> {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).await.map_err(CallError::Lost)?;
    let Header { body_bytes, .. } = Header::read(&header, REPLY_BYTES_MAX, versions)
        .map_err(|bad| CallError::Malformed(bad.to_string()))?;
    let mut body = Vec::with_capacity(body_bytes);
    stream.take(body_bytes as u64).read_to_end(&mut body).await.map_err(CallError::Lost)?;
    if body.len() < body_bytes {
        return Err(CallError::Lost(io::ErrorKind::UnexpectedEof.into()));
    }
    frame::decode(&body).map_err(|malformed| CallError::Malformed(malformed.to_string()))
}
