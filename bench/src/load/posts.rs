//! Posting.

use super::closed_loop::{self, Trouble};
use super::exchange::ask;
use super::{Load, Measured};
use crate::people::Crowd;
use std::net::SocketAddr;
use uuid::Uuid;
use wire::{ErrorCode, NodeReply, NodeRequest, Post};

pub fn run(
    load: &Load,
    nodes: &[SocketAddr],
    crowd: &Crowd,
    batch: usize,
    body_bytes: usize,
) -> anyhow::Result<Measured> {
    closed_loop::run(load, |client| {
        let node = nodes[client % nodes.len()];
        let (token, area_id) = (crowd.token(client), crowd.area(client));
        let body = "n".repeat(body_bytes);
        async move || {
            let post = || Post { area_id, id: Uuid::now_v7(), body: body.clone() };
            let posts = (0..batch).map(|_| post()).collect();
            let NodeReply::Posted(wire::PostedBatch { results }) =
                ask(node, token, NodeRequest::Post(wire::PostBatch { posts })).await?
            else {
                return Err(Trouble::Failed("not the answer to a post".into()));
            };
            for result in &results {
                match result {
                    Ok(_) => {}
                    Err(error) if error.code == ErrorCode::Busy => return Err(Trouble::Busy),
                    Err(error) => return Err(Trouble::Failed(error.message.clone())),
                }
            }
            Ok(results.len() as u64)
        }
    })
}
