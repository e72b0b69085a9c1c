//! Every request that a node answers, and the function that answers it.

use crate::{Node, articles, follow, load, subscriptions};
use server::Failure;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use wire::{ErrorReply, NodeReply, NodeRequest, NodeStatus, Reply, ReplyBody, Request, RequestBody, Token};

/// Answers one request, and logs it once.
pub async fn dispatch(node: Arc<Node>, request: Request, peer: SocketAddr) -> Reply {
    let started = Instant::now();
    let Request { request_id, token, body, .. } = request;
    let result = match body {
        RequestBody::Node(body) => answer(&node, token, body).await,
        RequestBody::Agent(_) => {
            Err(ErrorReply::invalid("this is a node: agents answer this request").into())
        }
    };
    node.counts.count(&result);
    let elapsed_ms = started.elapsed().as_millis() as u64;
    match &result {
        Ok(_) => tracing::debug!(%request_id, %peer, elapsed_ms, "answered"),
        Err(Failure(error)) => {
            tracing::debug!(%request_id, %peer, elapsed_ms, code = error.code.name(), "refused");
        }
    }
    Reply { request_id, result: result.map(ReplyBody::Node).map_err(|failure| failure.0) }
}

async fn answer(node: &Node, token: Option<Token>, request: NodeRequest) -> Result<NodeReply, Failure> {
    match request {
        NodeRequest::Check => Ok(check(node)),
        NodeRequest::Subscribe { area_id, from_start } => {
            subscriptions::subscribe(node, token, area_id, from_start).await
        }
        NodeRequest::Unsubscribe { area_id } => subscriptions::unsubscribe(node, token, area_id).await,
        NodeRequest::Post { posts } => articles::post(node, token, posts).await,
        NodeRequest::Delete { area_id, seq } => articles::delete(node, token, area_id, seq).await,
        NodeRequest::Read { area_id, from, limit, shown } => {
            articles::read(node, token, area_id, from, limit, shown).await
        }
        NodeRequest::MarkRead { marks } => subscriptions::mark_read(node, token, marks).await,
        NodeRequest::CatchUp { area_id, operation_id } => {
            subscriptions::catch_up(node, token, area_id, operation_id).await
        }
        NodeRequest::Undo { area_id, operation_id } => {
            subscriptions::undo(node, token, area_id, operation_id).await
        }
        NodeRequest::Follow { areas, wait_ms } => follow::follow(node, token, areas, wait_ms).await,
        NodeRequest::Verify { area_id, after } => articles::verify(node, token, area_id, after).await,
        NodeRequest::Status => status(node, token).await,
        NodeRequest::Report => load::report(node, token),
    }
}

fn check(node: &Node) -> NodeReply {
    NodeReply::Checked(NodeStatus {
        node_id: node.node_id,
        version: env!("CARGO_PKG_VERSION").to_string(),
        draining: node.is_draining(),
    })
}

async fn status(node: &Node, token: Option<Token>) -> Result<NodeReply, Failure> {
    let server = server::status::status(&node.db, token, node.serves_since).await?;
    Ok(NodeReply::Status { server, node_id: node.node_id, draining: node.is_draining() })
}
