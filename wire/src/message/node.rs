//! What nodes are asked and answer: posts, pages, cursors, and followers.

use super::{AreaId, NodeReport, Seq, ServerStatus};
use crate::error::ErrorReply;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum NodeRequest {
    /// A health check by an agent; needs no session and tells only what is public.
    Check,
    /// At the head, or before the first kept article with `from_start`.
    Subscribe {
        area_id: AreaId,
        from_start: bool,
    },
    Unsubscribe {
        area_id: AreaId,
    },
    /// Each is answered by itself: one bad post never fails its neighbours.
    Post {
        posts: Vec<Post>,
    },
    /// One's own article.
    Delete {
        area_id: AreaId,
        seq: Seq,
    },
    /// `shown` acknowledges the page before, in the same round trip.
    Read {
        area_id: AreaId,
        from: ReadFrom,
        limit: u32,
        shown: Option<Shown>,
    },
    MarkRead {
        marks: Vec<Mark>,
    },
    /// Sets the cursor to the head. `operation_id` makes a repeat harmless (I10).
    CatchUp {
        area_id: AreaId,
        operation_id: Uuid,
    },
    /// Takes back the last read or catch-up, once.
    Undo {
        area_id: AreaId,
        operation_id: Uuid,
    },
    /// Long poll: answers at once if there is something after the given places, else waits up to `wait_ms`.
    Follow {
        areas: Vec<FollowArea>,
        wait_ms: u32,
    },
    /// The state of each number after `after`, so that a reader can prove that nothing is missing.
    Verify {
        area_id: AreaId,
        after: Seq,
    },
    /// How this node is, for whoever wants to know what is wrong. Answered within a second or so.
    Status,
    /// The leader's check, once a second. Its token is the service's own (`service.check_token` in the database), so that
    /// no stranger can make a node believe that it is being checked.
    Report,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Post {
    pub area_id: AreaId,
    /// Made and saved by the client before it first sends; makes the post repeatable for ever (I1).
    pub id: Uuid,
    pub body: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadFrom {
    /// After the cursor.
    Unread,
    /// At the first kept article.
    Start,
    /// After this number.
    After(Seq),
}

/// What a reader has shown without a gap: the numbers `from..=upto`. The cursor moves to `upto` only if nothing lies
/// between it and `from`, only upwards, and only while `generation` is still the subscription's (I3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    pub from: Seq,
    pub upto: Seq,
    pub generation: i64,
    /// One for a whole `read` or `follow` command: undo takes back all of it.
    pub reading_id: Uuid,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    pub area_id: AreaId,
    pub shown: Shown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FollowArea {
    pub area_id: AreaId,
    /// The reply begins at the number after this one.
    pub after: Seq,
    pub shown: Option<Shown>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum NodeReply {
    Checked(NodeStatus),
    Subscribed {
        cursor: Seq,
        already: bool,
    },
    Unsubscribed {
        already: bool,
    },
    /// One result for each post, in the same order.
    Posted {
        results: Vec<Result<Posted, ErrorReply>>,
    },
    Deleted {
        already: bool,
    },
    Page(Page),
    /// The cursors as they are now, in the order of the marks; an area that is gone keeps its place with an error.
    Marked {
        cursors: Vec<Result<Cursor, ErrorReply>>,
    },
    CursorMoved {
        cursor: Cursor,
        already: bool,
    },
    /// Empty when the wait ended with nothing new.
    Followed {
        pages: Vec<Page>,
        ended: Vec<FollowEnded>,
    },
    Verified(VerifyPage),
    Status {
        server: ServerStatus,
        node_id: Uuid,
        draining: bool,
    },
    Reported(NodeReport),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    pub node_id: Uuid,
    pub version: String,
    pub draining: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    pub seq: Seq,
    pub duplicate: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    pub cursor: Seq,
    pub generation: i64,
    pub unread: i64,
}

/// An account of every number in `from..=upto`: it is an article, or in `deleted`, or at most `expired_through`.
/// Empty when `upto < from`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    pub area_id: AreaId,
    pub from: Seq,
    pub upto: Seq,
    pub generation: i64,
    pub cursor: Seq,
    pub last_seq: Seq,
    pub expired_through: Seq,
    pub articles: Vec<Article>,
    pub deleted: Vec<Seq>,
    /// There is something after `upto` already.
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Article {
    pub seq: Seq,
    pub id: Uuid,
    pub author: String,
    pub posted_at_us: i64,
    pub body: String,
}

/// An area that a follower gets no more: removed, or unsubscribed. The others go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FollowEnded {
    pub area_id: AreaId,
    pub error: ErrorReply,
}

/// The states of `from..`, one for each number, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerifyPage {
    pub from: Seq,
    pub states: Vec<VerifiedState>,
    pub last_seq: Seq,
    pub expired_through: Seq,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum VerifiedState {
    /// There, and its body hashes to what was acknowledged.
    Kept,
    Deleted,
    Expired,
    /// No row of this number: I2 is broken.
    Missing,
    /// The body is not the one that was acknowledged, or its time does not rise with its number.
    Damaged,
}
