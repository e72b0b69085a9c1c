//! Every request that a node answers, and the function that answers it.

use crate::{Node, articles, follow, load, subscriptions};
use server::{Caller, Failure};
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;
use wire::{ErrorReply, NodeReply, NodeRequest, RELEASE, Reply, ReplyBody, Request, RequestBody};

/// Answers one request, and logs it once.
pub async fn dispatch(node: Arc<Node>, request: Request, peer: SocketAddr) -> Reply {
    let started = Instant::now();
    let Request { request_id, token, body, remaining_ms: _ } = request; // `wire::serve` keeps the time
    let caller = Caller { request_id, peer, token };
    let result = match body {
        RequestBody::Node(body) => answer(&node, &caller, body).await,
        RequestBody::Agent(_) => {
            Err(ErrorReply::invalid("this is a node: agents answer this request").into())
        }
    };
    node.counts.count(&result);
    let elapsed_ms = started.elapsed().as_millis() as u64;
    match &result {
        Ok(_) => tracing::debug!(%request_id, %peer, elapsed_ms, "answered"),
        Err(Failure(error)) => {
            tracing::debug!(%request_id, %peer, elapsed_ms, code = %error.code, "refused");
        }
    }
    Reply { request_id, result: result.map(ReplyBody::Node).map_err(|failure| failure.0) }
}

/// An answer on its way. Boxed, so that a follower that waits holds its own state and not the room for any other request's.
type Answering<'a> = Pin<Box<dyn Future<Output = Result<NodeReply, Failure>> + Send + 'a>>;

fn answer<'a>(node: &'a Node, caller: &'a Caller, request: NodeRequest) -> Answering<'a> {
    match request {
        NodeRequest::Check(request) => Box::pin(check(node, caller, request)),
        NodeRequest::Subscribe(request) => Box::pin(subscriptions::subscribe(node, caller, request)),
        NodeRequest::Unsubscribe(request) => Box::pin(subscriptions::unsubscribe(node, caller, request)),
        NodeRequest::Post(request) => Box::pin(articles::post(node, caller, request)),
        NodeRequest::Delete(request) => Box::pin(articles::delete(node, caller, request)),
        NodeRequest::Read(request) => Box::pin(articles::read(node, caller, request)),
        NodeRequest::MarkRead(request) => Box::pin(subscriptions::mark_read(node, caller, request)),
        NodeRequest::CatchUp(request) => Box::pin(subscriptions::catch_up(node, caller, request)),
        NodeRequest::Undo(request) => Box::pin(subscriptions::undo(node, caller, request)),
        NodeRequest::Follow(request) => Box::pin(follow::follow(node, caller, request)),
        NodeRequest::Verify(request) => Box::pin(articles::verify(node, caller, request)),
        NodeRequest::Status(request) => Box::pin(status(node, caller, request)),
        NodeRequest::Report(request) => Box::pin(ready(load::report(node, caller, request))),
    }
}

async fn check(node: &Node, _caller: &Caller, request: wire::Check) -> Result<NodeReply, Failure> {
    let wire::Check {} = request;
    Ok(NodeReply::Checked(wire::Checked {
        node_id: node.node_id,
        version: RELEASE.to_string(),
        draining: node.is_draining(),
    }))
}

async fn status(node: &Node, caller: &Caller, request: wire::Status) -> Result<NodeReply, Failure> {
    let wire::Status {} = request;
    let server = server::status::status(&node.db, caller.token, node.serves_since).await?;
    Ok(NodeReply::Status(wire::NodeStatus { server, node_id: node.node_id, draining: node.is_draining() }))
}
