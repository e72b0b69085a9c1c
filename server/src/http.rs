//! `/healthz`: the process runs. `/readyz`: it can do its work, which needs the database.

use anyhow::Context;
use axum::http::StatusCode;
use axum::{Router, routing::get};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// An orchestrator asks every few seconds; an answer that takes longer is as good as none.
const READY_WAIT_MS: u64 = 2_000;

/// Binds at once, so that a taken port stops the start. Port 0 picks a free one, which the log then tells.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let failed = || format!("cannot serve HTTP on {address}");
    let listener = TcpListener::bind(address).await.with_context(failed)?;
    tracing::info!(address = %listener.local_addr().with_context(failed)?, "HTTP serves /healthz and /readyz");
    Ok(listener)
}

/// Serves until `shutdown`; from then on `/readyz` would be a lie, and the port is closed.
pub async fn serve(listener: TcpListener, db: db::Db, shutdown: CancellationToken) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(move || ready(db.clone())));
    let served = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "HTTP ended");
    }
}

async fn ready(db: db::Db) -> (StatusCode, &'static str) {
    match tokio::time::timeout(Duration::from_millis(READY_WAIT_MS), db.ping()).await {
        Ok(Ok(())) => (StatusCode::OK, "ready\n"),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
