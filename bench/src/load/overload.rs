//! More clients than do any good, and somebody who comes when they have gone.

use super::exchange::ask;
use super::{Load, Measured, Work, posts};
use crate::people::Crowd;
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use uuid::Uuid;
use wire::{NodeReply, NodeRequest, Post};

/// Who is not served as quickly as before by then is not waited for any longer.
pub const BACK_WAIT_MS: u64 = 10_000;

#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Posts, through one node.
    pub load: Load,
    /// A post that takes no longer is as quick as without load.
    pub quick_ms: f64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Overloaded {
    pub measured: Measured,
    /// From the end of the load until a single client had an answer that was as quick; at most [`BACK_WAIT_MS`].
    pub back_ms: f64,
}

pub fn run(plan: &Plan) -> anyhow::Result<Overloaded> {
    let Load { work, warm_ms, measure_ms, .. } = &plan.load;
    let Work::Post { nodes, crowd, batch, body_bytes } = work else { bail!("an overload of posts") };
    let node = *nodes.first().context("a node")?;
    let end = Instant::now() + Duration::from_millis(warm_ms + measure_ms);
    std::thread::scope(|scope| {
        let after = scope.spawn(move || come_after(end, plan.quick_ms, node, crowd, *body_bytes));
        let measured = posts::run(&plan.load, nodes, crowd, *batch, *body_bytes)?;
        let back_ms = after.join().map_err(|_| anyhow::anyhow!("whoever came after panicked"))??;
        Ok(Overloaded { measured, back_ms })
    })
}

/// Posts one after the other from `end` on, while what the others had begun is still being answered.
fn come_after(
    end: Instant,
    quick_ms: f64,
    node: SocketAddr,
    crowd: &Crowd,
    body_bytes: usize,
) -> anyhow::Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::time::sleep_until(end.into()).await;
        while end.elapsed() < Duration::from_millis(BACK_WAIT_MS) {
            let post = Post { area_id: crowd.area(0), id: Uuid::now_v7(), body: "n".repeat(body_bytes) };
            let began = Instant::now();
            let answer = ask(node, crowd.token(0), NodeRequest::Post(wire::PostBatch { posts: vec![post] })).await;
            let took_ms = began.elapsed().as_secs_f64() * 1_000.0;
            let is_posted =
                matches!(&answer, Ok(NodeReply::Posted(wire::PostedBatch { results })) if results.iter().all(Result::is_ok));
            if is_posted && took_ms <= quick_ms {
                return Ok(end.elapsed().as_secs_f64() * 1_000.0);
            }
        }
        Ok(BACK_WAIT_MS as f64)
    })
}
