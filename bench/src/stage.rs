//! What is measured: an agent and some nodes as processes, on a database of their own in a PostgreSQL that syncs.

use crate::costs::{Costs, Spent, postgres_s, process_s};
use crate::load::{Load, Measured, Work};
use crate::people::Crowd;
use anyhow::Context;
use db::testing::{OwnCluster, TestDatabase};
use e2e::deployment::{Server, agent, node};
use std::net::SocketAddr;
use std::sync::Arc;

/// Bodies of articles, unless a row says otherwise.
pub const BODY_BYTES: usize = 200;
/// Areas, unless a row says otherwise.
pub const AREAS: usize = 64;

pub struct Stage {
    pub database: Arc<TestDatabase>,
    pub client: tokio_postgres::Client,
    pub crowd: Crowd,
    pub agent: Server,
    pub nodes: Vec<Server>,
    pub postmaster: u32,
}

impl Stage {
    pub async fn start(
        cluster: &OwnCluster,
        nodes: usize,
        people: usize,
        areas: usize,
    ) -> anyhow::Result<Self> {
        let database = Arc::new(cluster.database().await);
        let crowd = Crowd::make(&database.client().await, people, areas).await?;
        Self::on(cluster, database, crowd, nodes).await
    }

    /// On a database that has its people already.
    pub async fn on(
        cluster: &OwnCluster,
        database: Arc<TestDatabase>,
        crowd: Crowd,
        nodes: usize,
    ) -> anyhow::Result<Self> {
        let client = database.client().await;
        // What was written so far must not be checkpointed while something is measured.
        client.batch_execute("checkpoint").await?;
        let agent = Server::start("agent", agent(&database.dsn, "127.0.0.1:0")).await;
        let mut stage = Self {
            nodes: vec![],
            agent,
            crowd,
            client,
            database,
            postmaster: cluster.pid().context("PostgreSQL is down")?,
        };
        for _ in 0..nodes {
            let node = node(&stage.database.dsn, "127.0.0.1:0", stage.agent.address);
            stage.nodes.push(Server::start("node", node).await);
        }
        Ok(stage)
    }

    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.address).collect()
    }

    /// Posts of the usual size, `batch` in a request.
    pub fn posts(&self, batch: usize) -> Work {
        Work::Post { nodes: self.addresses(), crowd: self.crowd, batch, body_bytes: BODY_BYTES }
    }

    /// Runs `load`; what came of it, and what an operation cost.
    pub async fn measure(&self, load: &Load) -> anyhow::Result<(Measured, Costs)> {
        let before = self.spent()?;
        let measured = load.measure().await?.whole()?;
        let servers = self.spent()?.since(before);
        // They worked while it warmed up, too.
        let share = load.measure_ms as f64 / (load.measure_ms + load.warm_ms) as f64;
        let [load, nodes, postgres] =
            [measured.cpu_s, servers.nodes, servers.postgres].map(|seconds| seconds * share);
        let costs = Spent { load, nodes, postgres }.each(measured.operations);
        Ok((measured, costs))
    }

    /// So far, by the servers.
    fn spent(&self) -> anyhow::Result<Spent> {
        let mut spent = Spent { postgres: postgres_s(self.postmaster)?, ..Spent::default() };
        for node in &self.nodes {
            spent.nodes += process_s(node.process.pid().as_raw_nonzero().get() as u32)?;
        }
        Ok(spent)
    }
}
