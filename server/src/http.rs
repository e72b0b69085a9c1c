//! `/healthz`: the process has started, and runs. `/readyz`: it can do its work, which needs the database. And the client
//! side of it, for images that have no other program to ask with.
//!
//! An orchestrator that replaces what is unhealthy asks `/healthz`: a server cannot help it that its database is away, and
//! would serve no better after a restart. It is 503 until the server has said that it is ready, so that a rolling update
//! does not go on to the next one before.

use anyhow::Context;
use axum::http::StatusCode;
use axum::{Router, routing::get};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;

/// An orchestrator asks every few seconds; an answer that takes longer is as good as none.
const READY_WAIT_MS: u64 = 2_000;
/// Connections at once: some orchestrators and a person. More wait in the kernel's queue, and use no files of ours.
const CONNECTIONS_MAX: usize = 32;
/// An answer of ours has some two hundred bytes; what answers more is something else.
const ANSWER_BYTES_MAX: u64 = 4_096;
/// A connection's whole life, idle or not: whoever opens connections and keeps them gets no further.
const CONNECTION_WAIT_MS: u64 = 10_000;

/// Binds at once where an address is given, so that a taken port stops the start. Port 0 picks a free one, which the log
/// then tells.
pub async fn bind(address: Option<SocketAddr>) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    let failed = || format!("cannot serve HTTP on {address}");
    let listener = TcpListener::bind(address).await.with_context(failed)?;
    tracing::info!(address = %listener.local_addr().with_context(failed)?, "HTTP serves /healthz and /readyz");
    Ok(Some(listener))
}

/// Whether a server has said that it is ready. A clone tells the same.
#[derive(Debug, Clone, Default)]
pub struct Started(Arc<AtomicBool>);

impl Started {
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn health(&self) -> (StatusCode, &'static str) {
        match self.0.load(Ordering::Relaxed) {
            true => (StatusCode::OK, "ok\n"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        }
    }
}

/// Serves until `shutdown`; from then on `/readyz` would be a lie, and the port is closed.
pub async fn serve(listener: TcpListener, db: db::Db, started: Started, shutdown: CancellationToken) {
    let router = Router::new()
        .route("/healthz", get(move || async move { started.health() }))
        .route("/readyz", get(move || is_ready(db.clone())));
    let listener = Limited { listener, permits: Arc::new(Semaphore::new(CONNECTIONS_MAX)) };
    let served = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "HTTP ended");
    }
}

async fn is_ready(db: db::Db) -> (StatusCode, &'static str) {
    match tokio::time::timeout(Duration::from_millis(READY_WAIT_MS), db.ping()).await {
        Ok(Ok(())) => (StatusCode::OK, "ready\n"),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}

/// Asks the server at `address` (its `--http`, on this machine) for its health: what the subcommand `healthcheck` does. Fails
/// unless it says that all is well.
pub async fn check(address: Option<SocketAddr>) -> anyhow::Result<()> {
    let address = address.context("where? Give --http HOST:PORT, as the server has it")?;
    let address = reachable(address);
    let wait = Duration::from_millis(READY_WAIT_MS);
    let asked = tokio::time::timeout(wait, ask(address)).await;
    let answer = asked.map_err(|_| anyhow::anyhow!("{address} did not answer within {READY_WAIT_MS} ms"))?;
    let answer = answer.with_context(|| format!("{address} does not answer"))?;
    let word = answer.lines().last().unwrap_or_default();
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200 "), "{address} says: {word}");
    crate::say(word);
    Ok(())
}

async fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await?;
    Ok(answer)
}

/// What somebody on this machine connects to when the server listens everywhere.
pub fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

/// A listener that has only so many connections, each for only so long (I9).
struct Limited {
    listener: TcpListener,
    permits: Arc<Semaphore>,
}

impl axum::serve::Listener for Limited {
    type Io = LimitedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (LimitedStream, SocketAddr) {
        // The semaphore is never closed; without a permit there would only be no limit.
        let permit = self.permits.clone().acquire_owned().await.ok();
        let (stream, peer) = axum::serve::Listener::accept(&mut self.listener).await;
        let deadline = Box::pin(sleep(Duration::from_millis(CONNECTION_WAIT_MS)));
        (LimitedStream { stream, deadline, _permit: permit }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct LimitedStream {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for LimitedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for LimitedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
