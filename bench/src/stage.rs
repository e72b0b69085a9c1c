//! What is measured: an agent and some nodes as processes, on a database of their own in a PostgreSQL that syncs.

use crate::load::{Load, Measured, Work};
use crate::people::Crowd;
use anyhow::Context;
use db::testing::{OwnCluster, TestDatabase};
use e2e::deployment::{Server, agent, node};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Bodies of articles, unless a row says otherwise.
pub const BODY_BYTES: usize = 200;
/// Areas, unless a row says otherwise.
pub const AREAS: usize = 64;
/// Clock ticks of `/proc` in a second; a constant of Linux's interface (`USER_HZ`).
const TICKS_S: f64 = 100.0;

pub struct Stage {
    pub database: Arc<TestDatabase>,
    pub client: tokio_postgres::Client,
    pub crowd: Crowd,
    pub agent: Server,
    pub nodes: Vec<Server>,
    postmaster: u32,
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

    /// Runs `load`; what came of it, and the processor time that each kind of process took for an operation, in
    /// microseconds.
    pub async fn measure(&self, load: &Load) -> anyhow::Result<(Measured, BTreeMap<&'static str, f64>)> {
        let before = self.cpu_s()?;
        let measured = load.measure().await?.whole()?;
        let after = self.cpu_s()?;
        // The servers worked while it warmed up, too.
        let share = load.measure_ms as f64 / (load.measure_ms + load.warm_ms) as f64;
        let per_operation = |seconds: f64| seconds * share * 1e6 / measured.operations as f64;
        let mut costs: BTreeMap<_, _> =
            after.into_iter().map(|(name, s)| (name, per_operation(s - before[name]))).collect();
        costs.insert("load", per_operation(measured.cpu_s));
        Ok((measured, costs))
    }

    /// Processor time so far, in seconds, of the nodes and of PostgreSQL.
    fn cpu_s(&self) -> anyhow::Result<BTreeMap<&'static str, f64>> {
        let mut nodes = 0.0;
        for node in &self.nodes {
            nodes += cpu_s(node.process.pid().as_raw_nonzero().get() as u32)?;
        }
        let children = format!("/proc/{0}/task/{0}/children", self.postmaster);
        let mut postgres = cpu_s(self.postmaster)?;
        for child in std::fs::read_to_string(children)?.split_whitespace() {
            postgres += cpu_s(child.parse()?).unwrap_or(0.0); // it may have ended meanwhile
        }
        Ok(BTreeMap::from([("nodes", nodes), ("postgres", postgres)]))
    }
}

/// Of one process and the children that it has waited for.
fn cpu_s(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').context("no process's statistics")?.1;
    let ticks = after_name.split_whitespace().skip(11).take(4).map(|field| field.parse::<f64>());
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_S)
}
