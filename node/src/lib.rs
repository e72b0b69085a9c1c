//! The node: the data plane. Subscribing, posting, deleting, reading and following; any node serves any area.
//!
//! - [`dispatch`]: every request that a node answers, one exhaustive match.
//! - [`articles`], [`subscriptions`], [`follow`]: the handlers, one function for one request.
//! - [`commit`]: lanes that commit posts in groups.
//! - [`readers`]: pages for many readers at once.
//! - [`hub`]: followers that wait, and the one fetch that serves all of them.
//! - [`watch`]: what wakes the hub: notifications, and polling for when they are lost.
//! - [`load`]: how much this node does, as the leader asks it.
//! - [`membership`]: how agents come to know this node.
//!
//! A node keeps nothing that another one would miss: no cursor, session or limit lives in its memory only (I6).

pub mod articles;
pub mod commit;
pub mod dispatch;
pub mod follow;
pub mod hub;
pub mod load;
pub mod membership;
pub mod readers;
pub mod subscriptions;
pub mod watch;

use commit::Lanes;
use db::settings::{Live, Runs};
use db::{Db, Release, TokenHash};
use hub::Hub;
use membership::Membership;
use readers::Readers;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;
use wire::limits::{Limits, NODE_REQUEST_BYTES_MAX};
use wire::serve::Connections;

/// Lanes of group commit. Two keep the database's two cores busy: one group is written while the next gathers.
const LANES: usize = 2;
/// How long leaving the register may take: agents notice by themselves after three missed checks.
const LEAVE_WAIT_MS: u64 = 1_000;
/// How long the tasks beside the server may take to end.
const TASKS_WAIT_MS: u64 = 1_500;

/// What every handler gets.
pub struct Node {
    pub node_id: Uuid,
    pub db: Db,
    /// The settings.
    pub live: Live,
    pub lanes: Lanes,
    pub readers: Readers,
    pub hub: Arc<Hub>,
    pub membership: Membership,
    pub connections: Connections,
    pub counts: load::Counts,
    pub serves_since: Instant,
    /// Which release this is.
    pub release: Release,
    /// What the leader shows when it checks this node.
    check_token: TokenHash,
    draining: AtomicBool,
}

impl Node {
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// What may differ between installations and tests.
pub struct Config {
    pub limits: Limits,
    /// Where LISTEN gets a connection of its own; `None` lives from polling alone.
    pub listen_url: Option<String>,
    /// The agents that are told of this node, as `HOST:PORT`. Without any it is only registered: agents find its row when
    /// they next check the nodes.
    pub agents: Vec<String>,
    /// What clients connect to; `None`: the address that this host has towards the agent.
    pub advertise: Option<String>,
    /// How long to wait at the start for the database and its schema.
    pub schema_wait: Duration,
    /// Which release this server is; only tests say another one.
    pub release: Release,
}

impl Config {
    pub fn new(database_url: &str, agents: Vec<String>) -> Self {
        Self {
            limits: Limits::new(NODE_REQUEST_BYTES_MAX),
            listen_url: Some(database_url.to_string()),
            agents,
            advertise: None,
            schema_wait: db::migrate::SCHEMA_WAIT,
            release: Release::THIS,
        }
    }
}

/// Serves `listener` until `shutdown`. Waits for the schema. `ready` is called once an agent sends clients here. Where the database
/// asks for a newer release, it does not serve; where it does so later, it cancels `shutdown` itself, drains, and fails.
pub async fn run(
    listener: TcpListener,
    db: Db,
    config: Config,
    shutdown: CancellationToken,
    ready: impl FnOnce(SocketAddr) + Send + 'static,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    tokio::select! {
        waited = db::migrate::wait_for_schema(&db, config.schema_wait) => waited?,
        () = shutdown.cancelled() => return Ok(()),
    }
    db::release::require(&db, config.release).await?;
    let (live, settings) = Live::new();
    if let Err(error) = settings.read(&db).await {
        tracing::warn!(%error, "settings not read yet: the defaults are used");
    }
    let node_id = Uuid::now_v7();
    let hub = Hub::new(db.clone());
    let mut tasks = JoinSet::new();
    let node = Arc::new(Node {
        node_id,
        live,
        membership: Membership::default(),
        connections: Connections::new(&config.limits),
        counts: load::Counts::default(),
        check_token: load::check_token(&db).await?,
        serves_since: Instant::now(),
        release: config.release,
        draining: AtomicBool::new(false),
        lanes: Lanes::start(LANES, &db.apart(LANES)?, &hub, &mut tasks),
        readers: Readers::start(&db, &mut tasks),
        hub,
        db,
    });
    // The hub outlives `shutdown`, so that it can tell its followers to go elsewhere.
    let stop = CancellationToken::new();
    tasks.spawn(hub::fan_out(node.hub.clone(), stop.clone()));
    tasks.spawn(watch::notify(node.hub.clone(), stop.clone()));
    tasks.spawn(watch::poll(node.hub.clone(), stop.clone()));
    if let Some(url) = config.listen_url {
        tasks.spawn(watch::listen(node.hub.clone(), url, stop.clone()));
    }
    let runs = Runs::Node(node_id);
    let settings = settings.keep(node.db.clone(), runs, config.release, shutdown.clone());
    let settings = AbortOnDropHandle::new(tokio::spawn(settings));
    tasks.spawn(membership::keep(
        node.clone(),
        membership::Announcement { listen: address, advertise: config.advertise, agents: config.agents },
        shutdown.clone(),
        ready,
    ));
    tasks.spawn(drain_at(node.clone(), shutdown.clone()));
    tracing::info!(%address, %node_id, "node serves");

    let handled = node.clone();
    wire::serve::serve(listener, config.limits, node.connections.clone(), shutdown, move |request, peer| {
        dispatch::dispatch(handled.clone(), request, peer)
    })
    .await;

    stop.cancel();
    node.lanes.close();
    node.readers.close();
    let ended = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_millis(TASKS_WAIT_MS), ended).await.is_err() {
        tracing::warn!(%node_id, elapsed_ms = TASKS_WAIT_MS, "gave up waiting for tasks");
    }
    let may_serve = settings.await?;
    tracing::info!(%node_id, "node stopped");
    Ok(may_serve?)
}

fn stays(node_id: Uuid, error: &str) {
    tracing::warn!(%node_id, error, "this node stays in the register; agents will find it gone");
}

/// From the moment of `shutdown` on followers are sent elsewhere, and agents send nobody here.
async fn drain_at(node: Arc<Node>, shutdown: CancellationToken) {
    shutdown.cancelled().await;
    node.draining.store(true, Ordering::Relaxed);
    node.hub.drain();
    let leave = db::nodes::leave(&node.db, node.node_id);
    match tokio::time::timeout(Duration::from_millis(LEAVE_WAIT_MS), leave).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => stays(node.node_id, &error.to_string()),
        Err(_) => stays(node.node_id, "no answer in time"),
    }
}
