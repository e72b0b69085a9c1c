//! How much the nodes do, over time, as administrators see it. The leader writes it (`leader/sampling.rs`).

use crate::Agent;
use crate::control::node_of;
use db::samples::{self, Load, Sample};
use server::{Failure, token_hash};
use wire::{AgentReply, LoadSample, Token};

/// Samples in one answer: more than the columns of any terminal.
const SAMPLES_MAX: i64 = 720;

/// The load of the last `span_s` seconds, and of each node now.
pub async fn load(agent: &Agent, token: Option<Token>, span_s: u32) -> Result<AgentReply, Failure> {
    let token = token_hash(token)?;
    let found = samples::list(&agent.db, &token, span_s.into(), SAMPLES_MAX).await?;
    let nodes = db::nodes::details(&agent.db, &token).await?;
    Ok(AgentReply::Load {
        samples: found.into_iter().map(sample_of).collect(),
        nodes: nodes.into_iter().filter(|node| node.state == "live").map(node_of).collect(),
    })
}

fn sample_of(sample: Sample) -> LoadSample {
    LoadSample {
        at_us: sample.at_us,
        epoch: sample.epoch,
        nodes: sample.nodes.unsigned_abs(),
        sum: to_wire(sample.sum),
        mean: to_wire(sample.mean),
    }
}

pub(crate) fn to_wire(load: Load) -> wire::Load {
    wire::Load {
        posts_s: load.posts_s,
        reads_s: load.reads_s,
        follows_s: load.follows_s,
        deletes_s: load.deletes_s,
        others_s: load.others_s,
        deliveries_s: load.deliveries_s,
        followers: load.followers,
        connections: load.connections,
        queued_posts: load.queued_posts,
        memory_bytes: load.memory_bytes,
    }
}
