//! Subscribing and the cursor: what a node does with subscriptions.

use crate::Node;
use crate::articles::shown_of;
use db::subscriptions::Cursor;
use server::{Caller, Failure};
use wire::limits::AREAS_PER_REQUEST_MAX;
use wire::{AreaId, ErrorCode, ErrorReply, NodeReply};

pub async fn subscribe(node: &Node, caller: &Caller, request: wire::Subscribe) -> Result<NodeReply, Failure> {
    let wire::Subscribe { area_id, from_start } = request;
    let (cursor, already) =
        db::subscriptions::subscribe(&node.db, &caller.token_hash()?, area_id.0, from_start).await?;
    Ok(NodeReply::Subscribed(wire::Subscribed { cursor, already }))
}

pub async fn unsubscribe(
    node: &Node,
    caller: &Caller,
    request: wire::Unsubscribe,
) -> Result<NodeReply, Failure> {
    let wire::Unsubscribe { area_id } = request;
    let already = db::subscriptions::unsubscribe(&node.db, &caller.token_hash()?, area_id.0).await?;
    Ok(NodeReply::Unsubscribed(wire::Unsubscribed { already }))
}

pub async fn mark_read(node: &Node, caller: &Caller, request: wire::MarkRead) -> Result<NodeReply, Failure> {
    let wire::MarkRead { marks } = request;
    check_distinct(marks.iter().map(|mark| mark.area_id))?;
    let marks: Vec<_> = marks
        .iter()
        .map(|mark| Ok((mark.area_id.0, shown_of(mark.shown)?)))
        .collect::<Result<_, ErrorReply>>()?;
    let cursors = db::subscriptions::mark(&node.db, &caller.token_hash()?, &marks).await?;
    let cursors = cursors
        .into_iter()
        .map(|result| result.map(cursor_of).map_err(|error| Failure::from(error).0))
        .collect();
    Ok(NodeReply::Marked(wire::Marked { cursors }))
}

/// Each area once, and not too many: a statement joins them, and an answer has a place for each.
pub(crate) fn check_distinct(area_ids: impl Iterator<Item = AreaId>) -> Result<(), ErrorReply> {
    let mut area_ids: Vec<AreaId> = area_ids.collect();
    let count = area_ids.len();
    let text = format!("a request names 1 to {AREAS_PER_REQUEST_MAX} areas, not {count}");
    if count == 0 {
        return Err(ErrorReply::invalid(text));
    }
    if count > AREAS_PER_REQUEST_MAX {
        return Err(ErrorReply::new(ErrorCode::TooLarge, text));
    }
    area_ids.sort_unstable();
    area_ids.dedup();
    if area_ids.len() < count {
        return Err(ErrorReply::invalid("an area is named twice"));
    }
    Ok(())
}

pub async fn catch_up(node: &Node, caller: &Caller, request: wire::CatchUp) -> Result<NodeReply, Failure> {
    let wire::CatchUp { area_id, operation_id } = request;
    let (cursor, already) =
        db::subscriptions::catch_up(&node.db, &caller.token_hash()?, area_id.0, operation_id).await?;
    Ok(NodeReply::CursorMoved(wire::CursorMoved { cursor: cursor_of(cursor), already }))
}

pub async fn undo(node: &Node, caller: &Caller, request: wire::Undo) -> Result<NodeReply, Failure> {
    let wire::Undo { area_id, operation_id } = request;
    let (cursor, already) =
        db::subscriptions::undo(&node.db, &caller.token_hash()?, area_id.0, operation_id).await?;
    Ok(NodeReply::CursorMoved(wire::CursorMoved { cursor: cursor_of(cursor), already }))
}

fn cursor_of(cursor: Cursor) -> wire::Cursor {
    let Cursor { cursor, generation, unread } = cursor;
    wire::Cursor { cursor, generation, unread }
}
