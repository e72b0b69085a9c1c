//! How much the nodes do, over time, as administrators see it. The leader writes it (`leader/sampling.rs`).

use crate::agent::Agent;
use crate::control::{load_of, node_of};
use db::samples::{self, Sample};
use server::{Caller, Failure};
use wire::{AgentReply, LoadSample};

/// Samples in one answer: more than the columns of any terminal.
const SAMPLES_MAX: i64 = 720;

/// The load of the last `span_s` seconds, and of each node now.
pub async fn load(agent: &Agent, caller: &Caller, request: wire::LoadList) -> Result<AgentReply, Failure> {
    let wire::LoadList { span_s } = request;
    let token = caller.token_hash()?;
    let found = samples::list(&agent.db, &token, span_s.into(), SAMPLES_MAX).await?;
    let nodes = db::nodes::details(&agent.db, &token).await?;
    Ok(AgentReply::LoadListed(wire::LoadListed {
        samples: found.into_iter().map(sample_of).collect(),
        nodes: nodes.into_iter().filter(|node| node.state == "live").map(node_of).collect(),
    }))
}

fn sample_of(sample: Sample) -> LoadSample {
    let Sample { at_us, epoch, nodes, sum, mean } = sample;
    let (nodes, sum, mean) = (nodes.unsigned_abs(), load_of(sum), load_of(mean));
    LoadSample { at_us, epoch, nodes, sum, mean }
}
