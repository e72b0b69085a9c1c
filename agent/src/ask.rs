//! What an agent asks nodes: one request, one answer, no second try.

use std::time::Duration;
use uuid::Uuid;
use wire::{Asker, NodeReply, NodeRequest, ReplyBody, Request, RequestBody, Token};

/// A node's answer, if it gives one.
pub async fn ask(
    asker: &Asker,
    address: &str,
    token: Option<Token>,
    request: NodeRequest,
    wait: Duration,
) -> Option<NodeReply> {
    let request = Request {
        request_id: Uuid::now_v7(),
        token,
        remaining_ms: wait.as_millis() as u32,
        body: RequestBody::Node(request),
    };
    match asker.call(address, &request, wait).await.ok()?.result {
        Ok(ReplyBody::Node(reply)) => Some(reply),
        _ => None,
    }
}
