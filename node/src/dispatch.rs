//! Every request that a node answers, and the function that answers it.

use crate::{Node, articles, follow, load, subscriptions};
use server::Failure;
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::pin::Pin;
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

/// An answer on its way. Boxed, so that a follower that waits holds its own state and not the room for any other request's.
type Answering<'a> = Pin<Box<dyn Future<Output = Result<NodeReply, Failure>> + Send + 'a>>;

fn answer(node: &Node, token: Option<Token>, request: NodeRequest) -> Answering<'_> {
    match request {
        NodeRequest::Check => Box::pin(ready(Ok(check(node)))),
        NodeRequest::Subscribe { area_id, from_start } => {
            Box::pin(subscriptions::subscribe(node, token, area_id, from_start))
        }
        NodeRequest::Unsubscribe { area_id } => Box::pin(subscriptions::unsubscribe(node, token, area_id)),
        NodeRequest::Post { posts } => Box::pin(articles::post(node, token, posts)),
        NodeRequest::Delete { area_id, seq } => Box::pin(articles::delete(node, token, area_id, seq)),
        NodeRequest::Read { area_id, from, limit, shown } => {
            Box::pin(articles::read(node, token, area_id, from, limit, shown))
        }
        NodeRequest::MarkRead { marks } => Box::pin(subscriptions::mark_read(node, token, marks)),
        NodeRequest::CatchUp { area_id, operation_id } => {
            Box::pin(subscriptions::catch_up(node, token, area_id, operation_id))
        }
        NodeRequest::Undo { area_id, operation_id } => {
            Box::pin(subscriptions::undo(node, token, area_id, operation_id))
        }
        NodeRequest::Follow { areas, wait_ms } => Box::pin(follow::follow(node, token, areas, wait_ms)),
        NodeRequest::Verify { area_id, after } => Box::pin(articles::verify(node, token, area_id, after)),
        NodeRequest::Status => Box::pin(status(node, token)),
        NodeRequest::Report => Box::pin(ready(load::report(node, token))),
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
