//! The agent and the nodes, in this process, over real sockets.

use crate::database::DATABASE;
use anyhow::Context;
use db::private::PrivatePostgres;
use db::{Db, Release};
use server::http::{Started, reachable};
use std::net::SocketAddr;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub struct Service {
    pub agent: SocketAddr,
    pub nodes: usize,
    shutdown_nodes: CancellationToken,
    shutdown_agent: CancellationToken,
    node_tasks: JoinSet<anyhow::Result<()>>,
    agent_tasks: JoinSet<anyhow::Result<()>>,
}

/// Returns when everything serves. `stopping` is cancelled when a server ends by itself.
pub async fn start(
    postgres: &PrivatePostgres,
    listen: SocketAddr,
    nodes: u8,
    http: Option<SocketAddr>,
    admin_password: &str,
    stopping: &CancellationToken,
) -> anyhow::Result<Service> {
    let url = postgres.dsn(DATABASE);
    let listener = wire::serve::bind(listen)
        .with_context(|| format!("cannot listen on {listen} (--listen 127.0.0.1:0 picks a free port)"))?;
    let bound = listener.local_addr()?;
    db::migrate::migrate(&url).await.context("the schema cannot be brought up")?;
    let db = Db::new(&url)?;
    db::release::require(&db, Release::THIS).await?; // before anything is written
    db::leader::begin_alone(&db).await?;
    agent::ensure_admin(&db, admin_password).await?;

    let mut service = Service {
        agent: reachable(bound),
        nodes: nodes.into(),
        shutdown_nodes: CancellationToken::new(),
        shutdown_agent: CancellationToken::new(),
        node_tasks: JoinSet::new(),
        agent_tasks: JoinSet::new(),
    };
    let started = Started::default();
    if let Some(listener) = server::http::bind(http).await? {
        let served =
            server::http::serve(listener, db.clone(), started.clone(), service.shutdown_agent.clone());
        service.agent_tasks.spawn(async move {
            served.await;
            Ok(())
        });
    }
    // The limit of open files is this whole process's.
    let servers = 1 + usize::from(nodes);
    let mut config = agent::Config::default();
    config.limits.connections_max /= servers;
    let (sender, agent_ready) = oneshot::channel();
    let run = agent::run(listener, db, config, service.shutdown_agent.clone(), |address| {
        let _ = sender.send(address);
    });
    service.agent_tasks.spawn(run_then(run, stopping.clone()));
    if agent_ready.await.is_err() {
        return Err(service.failure().await);
    }
    let mut ready = vec![];
    for _ in 0..nodes {
        let listener = wire::serve::bind(SocketAddr::new(listen.ip(), 0))?;
        let mut config = node::Config::new(&url, vec![service.agent.to_string()]);
        config.limits.connections_max /= servers;
        config.advertise = (!listen.ip().is_unspecified())
            .then(|| listener.local_addr())
            .transpose()?
            .map(|a| a.to_string());
        let (sender, node_ready) = oneshot::channel();
        let run = node::run(listener, Db::new(&url)?, config, service.shutdown_nodes.clone(), |address| {
            let _ = sender.send(address);
        });
        service.node_tasks.spawn(run_then(run, stopping.clone()));
        ready.push(node_ready);
    }
    for node_ready in ready {
        if node_ready.await.is_err() {
            return Err(service.failure().await);
        }
    }
    started.now();
    Ok(service)
}

/// Runs a server; when it ends, everything stops.
async fn run_then(
    run: impl Future<Output = anyhow::Result<()>>,
    stopping: CancellationToken,
) -> anyhow::Result<()> {
    let result = run.await;
    stopping.cancel();
    result
}

/// Waits for the end of all; the first error.
async fn ended(tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut first = Ok(());
    while let Some(ended) = tasks.join_next().await {
        first = first.and(ended.map_err(Into::into).flatten());
    }
    first
}

impl Service {
    /// Nodes first: they send their followers away while the agent still answers. Fails where a server ended by itself.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown_nodes.cancel();
        let nodes = ended(&mut self.node_tasks).await;
        self.shutdown_agent.cancel();
        let agent = ended(&mut self.agent_tasks).await;
        nodes.and(agent)
    }

    /// Why a server ended that should have become ready.
    async fn failure(mut self) -> anyhow::Error {
        let ended = tokio::select! {
            Some(ended) = self.agent_tasks.join_next() => ended,
            Some(ended) = self.node_tasks.join_next() => ended,
            else => return anyhow::anyhow!("a server ended"),
        };
        match ended {
            Ok(Ok(())) => anyhow::anyhow!("a server ended"),
            Ok(Err(error)) => error.context("a server did not start"),
            Err(panic) => anyhow::anyhow!("a server did not start: {panic}"),
        }
    }
}
