//! `/healthz`: the process runs. `/readyz`: it can do its work, which needs the database.

use anyhow::Context;
use axum::http::StatusCode;
use axum::{Router, routing::get};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;

/// An orchestrator asks every few seconds; an answer that takes longer is as good as none.
const READY_WAIT_MS: u64 = 2_000;
/// Connections at once: some orchestrators and a person. More wait in the kernel's queue, and use no files of ours.
const CONNECTIONS_MAX: usize = 32;
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

/// Serves until `shutdown`; from then on `/readyz` would be a lie, and the port is closed.
pub async fn serve(listener: TcpListener, db: db::Db, shutdown: CancellationToken) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
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
