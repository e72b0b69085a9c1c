//! Load, from a process of its own: what it costs must not be counted as the service's. The parent writes what to do to the
//! child's standard input and reads what came of it from its standard output.
//!
//! - [`Work`]: every kind of load. - [`closed_loop`]: many clients, each of which asks again once it is answered.
//! - [`follows`]: followers that wait, and posts for them. - [`overload`]: too many clients.
//! - [`exchange`]: one short connection; the same for Gaceta and for the echo that it is held against.
//! - [`peers`]: what one would take instead.

pub mod closed_loop;
pub mod echo;
pub mod exchange;
pub mod follows;
pub mod overload;
pub mod peers;
pub mod posts;
pub mod reads;
pub mod subscriptions;

use crate::people::Crowd;
use anyhow::Context;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Load {
    pub work: Work,
    pub clients: usize,
    /// Before anything counts.
    pub warm_ms: u64,
    pub measure_ms: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Work {
    /// A bare echo: frames of these sizes, over a connection each.
    Echo { address: SocketAddr, request_bytes: usize, reply_bytes: usize },
    /// Posts of `body_bytes`, `batch` in a request; client n posts into area n, modulo their number.
    Post { nodes: Vec<SocketAddr>, crowd: Crowd, batch: usize, body_bytes: usize },
    /// Reads a page of `page` articles; the next request marks it.
    Read { nodes: Vec<SocketAddr>, crowd: Crowd, page: u32 },
    /// What one is subscribed to, asked of an agent by one person after the other.
    Subscriptions { agent: SocketAddr, crowd: Crowd },
    /// Appends to Redis Streams; client n to stream n, modulo their number.
    Redis { addresses: Vec<SocketAddr>, streams: usize, body_bytes: usize },
    /// Publishes into streams of JetStream.
    Jetstream { address: SocketAddr, streams: usize, body_bytes: usize },
}

/// What came of it. Only what ended within the measured time counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Requests that were answered well.
    pub operations: u64,
    /// Articles posted or read by them.
    pub items: u64,
    pub elapsed_s: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub longest_ms: f64,
    /// Requests that were answered `busy`, and how long that took.
    pub busy: u64,
    pub busy_p99_ms: f64,
    pub failed: u64,
    pub first_failure: Option<String>,
    /// Processor time of the process that made the load, in seconds.
    pub cpu_s: f64,
}

impl Measured {
    pub fn operations_s(&self) -> f64 {
        self.operations as f64 / self.elapsed_s
    }

    pub fn items_s(&self) -> f64 {
        self.items as f64 / self.elapsed_s
    }

    /// Nothing may fail where nothing is broken: a figure that counts failures as work would be none.
    pub fn whole(self) -> anyhow::Result<Self> {
        match &self.first_failure {
            None => Ok(self),
            Some(reason) => anyhow::bail!("{} operations failed, the first with: {reason}", self.failed),
        }
    }
}

/// What the child does.
pub fn run(load: &Load) -> anyhow::Result<Measured> {
    match &load.work {
        Work::Echo { address, request_bytes, reply_bytes } => {
            echo::run(load, *address, *request_bytes, *reply_bytes)
        }
        Work::Post { nodes, crowd, batch, body_bytes } => posts::run(load, nodes, crowd, *batch, *body_bytes),
        Work::Read { nodes, crowd, page } => reads::run(load, nodes, crowd, *page),
        Work::Subscriptions { agent, crowd } => subscriptions::run(load, *agent, crowd),
        Work::Redis { addresses, streams, body_bytes } => {
            peers::redis(load, addresses, *streams, *body_bytes)
        }
        Work::Jetstream { address, streams, body_bytes } => {
            peers::jetstream(load, *address, *streams, *body_bytes)
        }
    }
}

impl Load {
    /// Runs it in a process of its own.
    pub async fn measure(&self) -> anyhow::Result<Measured> {
        run_part("load", self).await
    }
}

/// What one part of the work answers, in a process of its own.
pub async fn run_part<A: DeserializeOwned>(part: &str, plan: &impl Serialize) -> anyhow::Result<A> {
    let child = spawn(part, &serde_json::to_vec(plan)?).await?;
    let output = child.wait_with_output().await?;
    let log = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "the {part} failed: {log}");
    serde_json::from_slice(&output.stdout).with_context(|| format!("the answer of the {part}"))
}

/// This program again, for one part of the work. Ends with us.
pub async fn spawn(part: &str, input: &[u8]) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--part", part]).kill_on_drop(true);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().context("a pipe")?;
    stdin.write_all(input).await?;
    Ok(child)
}
