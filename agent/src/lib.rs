//! The agent: the control plane. Accounts and sessions, areas and users, and which node serves what.
//!
//! - [`agent`]: what every handler and task gets.
//! - [`dispatch`]: every request that an agent answers, one exhaustive match.
//! - [`accounts`], [`areas`], [`users`]: the handlers, one function for one request.
//! - [`registry`]: nodes announce themselves, and are handed out to clients.
//! - [`leader`]: what only the agent that leads does: the election, checks of nodes, which node serves what, samples
//!   of the load, what is old.
//! - [`control`], [`load`]: nodes, agents and what they do, for administrators.
//! - [`presence`]: this agent's own row, by which others know of it.
//! - [`attempts`]: how guessing a password is slowed; every look at one goes through it.
//! - [`ask`]: what an agent asks nodes.
//! - [`twins`]: a log-in that is asked for twice at the same time is one.
//! - [`settings`]: listed, changed, watched.
//! - [`passwords`]: argon2id, on threads of its own, a bounded number at a time.
//!
//! An agent keeps nothing that another one would miss: all state is in PostgreSQL.

pub mod accounts;
pub mod agent;
pub mod areas;
pub mod ask;
pub mod attempts;
pub mod control;
pub mod dispatch;
pub mod leader;
pub mod load;
pub mod passwords;
pub mod presence;
pub mod registry;
pub mod settings;
pub mod twins;
pub mod users;

pub use agent::{Agent, FIRST_ADMIN};

use db::settings::{Live, Runs};
use db::{Db, Release};
use passwords::Passwords;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;
use wire::limits::{AGENT_REQUEST_BYTES_MAX, Limits};
use wire::serve::Connections;

/// What may differ between installations and tests.
pub struct Config {
    pub limits: Limits,
    /// Which release this server is; only tests say another one.
    pub release: Release,
}

impl Default for Config {
    fn default() -> Self {
        Self { limits: Limits::new(AGENT_REQUEST_BYTES_MAX), release: Release::THIS }
    }
}

/// Serves `listener` until `shutdown`. The schema must be there. `ready` is called once requests are answered. Where the database
/// asks for a newer release, it does not serve; where it does so later, it cancels `shutdown` itself, drains, and fails.
pub async fn run(
    listener: TcpListener,
    db: Db,
    config: Config,
    shutdown: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    db::release::require(&db, config.release).await?;
    let (live, settings) = Live::new();
    settings.read(&db).await?;
    let agent = Arc::new(Agent {
        agent_id: Uuid::now_v7(),
        live,
        stopping: shutdown.clone(),
        release: config.release,
        address: presence::address(address),
        service_id: db::nodes::service_id(&db).await?,
        passwords: Passwords::default(),
        twins: twins::Twins::default(),
        asker: Arc::default(),
        serves_since: Instant::now(),
        db,
    });
    let connections = leader::election::Connections::new(&agent.db)?;
    let mut tasks = JoinSet::new();
    let runs = Runs::Agent(agent.agent_id);
    let settings = settings.keep(agent.db.clone(), runs, config.release, shutdown.clone());
    let settings = AbortOnDropHandle::new(tokio::spawn(settings));
    tasks.spawn(leader::election::keep(agent.clone(), connections, shutdown.clone()));
    tasks.spawn(presence::keep(agent.clone(), shutdown.clone()));
    tracing::info!(%address, agent_id = %agent.agent_id, service_id = %agent.service_id, "agent serves");
    ready(address);
    let connections = Connections::new(&config.limits);
    wire::serve::serve(listener, config.limits, connections, shutdown, move |request, peer| {
        dispatch::dispatch(agent.clone(), request, peer)
    })
    .await;
    while tasks.join_next().await.is_some() {} // each ends soon after `shutdown`, whatever the database does
    let may_serve = settings.await?;
    tracing::info!("agent stopped");
    Ok(may_serve?)
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
