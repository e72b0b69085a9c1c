//! The agent: the control plane. Accounts and sessions, areas and users, and which node serves what.
//!
//! - [`dispatch`]: every request that an agent answers, one exhaustive match.
//! - [`accounts`], [`areas`], [`users`]: the handlers, one function for one request.
//! - [`registry`]: nodes announce themselves, are checked, and are handed out to clients.
//! - [`placement`]: which nodes serve an area; pure.
//! - [`retention`]: what the leader does about what is old.
//! - [`attempts`]: how guessing a password is slowed; every look at one goes through it.
//! - [`twins`]: a log-in that is asked for twice at the same time is one.
//! - [`settings`]: listed, changed, watched.
//! - [`passwords`]: argon2id, on threads of its own, a bounded number at a time.
//!
//! An agent keeps nothing that another one would miss: all state is in PostgreSQL.

pub mod accounts;
pub mod areas;
pub mod attempts;
pub mod control;
pub mod dispatch;
pub mod load;
pub mod passwords;
pub mod placement;
pub mod registry;
pub mod retention;
pub mod settings;
pub mod twins;
pub mod users;

use db::Db;
use db::settings::{Live, Runs};
use passwords::Passwords;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wire::limits::{AGENT_REQUEST_BYTES_MAX, Limits};
use wire::serve::Connections;

/// The name of the first administrator.
pub const FIRST_ADMIN: &str = "admin";

/// What every handler gets.
pub struct Agent {
    /// A new one at each start.
    pub agent_id: Uuid,
    pub db: Db,
    /// The settings.
    pub live: Live,
    pub service_id: Uuid,
    pub passwords: Passwords,
    pub registry: registry::Registry,
    pub twins: twins::Twins,
    pub serves_since: Instant,
    /// Cancelled when this agent is told to stop.
    pub stopping: CancellationToken,
}

/// What may differ between installations and tests.
pub struct Config {
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self { limits: Limits::new(AGENT_REQUEST_BYTES_MAX) }
    }
}

/// Serves `listener` until `shutdown`. The schema must be there. `ready` is called once requests are answered.
pub async fn run(
    listener: TcpListener,
    db: Db,
    config: Config,
    shutdown: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let (live, settings) = Live::new();
    settings.read(&db).await?;
    let agent = Arc::new(Agent {
        agent_id: Uuid::now_v7(),
        live,
        stopping: shutdown.clone(),
        service_id: db::nodes::service_id(&db).await?,
        passwords: Passwords::default(),
        registry: registry::Registry::default(),
        twins: twins::Twins::default(),
        serves_since: Instant::now(),
        db,
    });
    let settings = settings.keep(agent.db.clone(), Runs::Agent(agent.agent_id), shutdown.clone());
    let settings = tokio::spawn(settings);
    let checks = tokio::spawn(registry::check_nodes(agent.clone(), shutdown.clone()));
    tracing::info!(%address, service_id = %agent.service_id, "agent serves");
    ready(address);
    let connections = Connections::new(&config.limits);
    wire::serve::serve(listener, config.limits, connections, shutdown, move |request, peer| {
        dispatch::dispatch(agent.clone(), request, peer)
    })
    .await;
    checks.await?;
    settings.await?;
    tracing::info!("agent stopped");
    Ok(())
}

/// Makes the first administrator from `password`, where there is none. Returns whether it was made.
pub async fn ensure_admin(db: &Db, password: &str) -> anyhow::Result<bool> {
    let name = db::names::Name::parse(FIRST_ADMIN)?;
    let hash = hash_given(password).await?;
    Ok(db::users::ensure_admin(db, &name, &hash).await?)
}

/// Gives access back: `admin` is an enabled administrator with this password.
pub async fn reset_admin(db: &Db, password: &str) -> anyhow::Result<()> {
    let name = db::names::Name::parse(FIRST_ADMIN)?;
    let hash = hash_given(password).await?;
    Ok(db::users::reset_admin(db, &name, &hash).await?)
}

async fn hash_given(password: &str) -> anyhow::Result<String> {
    Passwords::default()
        .hash(password.to_string())
        .await
        .map_err(|failure| anyhow::anyhow!(failure.0.message))
}
