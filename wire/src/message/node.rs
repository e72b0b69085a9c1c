//! What nodes are asked and answer: posts, pages, cursors, and followers.

use super::{AreaId, ErrorReply, NodeReport, Seq, ServerStatus, Status};
use uuid::Uuid;

closed! {
    pub enum NodeRequest {
        Check(Check),
        Subscribe(Subscribe),
        Unsubscribe(Unsubscribe),
        Post(PostBatch),
        Delete(Delete),
        Read(Read),
        MarkRead(MarkRead),
        CatchUp(CatchUp),
        Undo(Undo),
        Follow(Follow),
        Verify(Verify),
        Status(Status),
        Report(Report),
    }
}

record! {
    /// A health check by an agent; needs no session and tells only what is public.
    pub struct Check {}
}

record! {
    /// At the head, or before the first kept article with `from_start`.
    pub struct Subscribe {
        pub area_id: AreaId,
        pub from_start: bool,
    }
}

record! {
    pub struct Unsubscribe {
        pub area_id: AreaId,
    }
}

record! {
    /// Each is answered by itself: one bad post never fails its neighbours.
    pub struct PostBatch {
        pub posts: Vec<Post>,
    }
}

record! {
    /// One's own article.
    pub struct Delete {
        pub area_id: AreaId,
        pub seq: Seq,
    }
}

record! {
    /// `shown` acknowledges the page before, in the same round trip.
    pub struct Read {
        pub area_id: AreaId,
        pub from: ReadFrom,
        pub limit: u32,
        pub shown: Option<Shown>,
    }
}

record! {
    pub struct MarkRead {
        pub marks: Vec<Mark>,
    }
}

record! {
    /// Sets the cursor to the head. `operation_id` makes a repeat harmless (I10).
    pub struct CatchUp {
        pub area_id: AreaId,
        pub operation_id: Uuid,
    }
}

record! {
    /// Takes back the last read or catch-up, once.
    pub struct Undo {
        pub area_id: AreaId,
        pub operation_id: Uuid,
    }
}

record! {
    /// Long poll: answers at once if there is something after the given places, else waits up to `wait_ms`.
    pub struct Follow {
        pub areas: Vec<FollowArea>,
        pub wait_ms: u32,
    }
}

record! {
    /// The state of each number after `after`, so that a reader can prove that nothing is missing.
    pub struct Verify {
        pub area_id: AreaId,
        pub after: Seq,
    }
}

record! {
    /// The leader's check, once a second. Its token is the service's own (`service.check_token` in the database), so that
    /// no stranger can make a node believe that it is being checked.
    pub struct Report {}
}

record! {
    pub struct Post {
        pub area_id: AreaId,
        /// Made and saved by the client before it first sends; makes the post repeatable for ever (I1).
        pub id: Uuid,
        pub body: String,
    }
}

choice! {
    pub enum ReadFrom {
        /// After the cursor.
        Unread = 0,
        /// At the first kept article.
        Start = 1,
        /// After this number.
        After(Seq) = 2,
    }
}

record! {
    /// What a reader has shown without a gap: the numbers `from..=upto`. The cursor moves to `upto` only if nothing lies
    /// between it and `from`, only upwards, and only while `generation` is still the subscription's (I3).
    #[derive(Copy, Eq)]
    pub struct Shown {
        pub from: Seq,
        pub upto: Seq,
        pub generation: i64,
        /// One for a whole `read` or `follow` command: undo takes back all of it.
        pub reading_id: Uuid,
    }
}

record! {
    pub struct Mark {
        pub area_id: AreaId,
        pub shown: Shown,
    }
}

record! {
    pub struct FollowArea {
        pub area_id: AreaId,
        /// The reply begins at the number after this one.
        pub after: Seq,
        pub shown: Option<Shown>,
    }
}

closed! {
    pub enum NodeReply {
        Checked(Checked),
        Subscribed(Subscribed),
        Unsubscribed(Unsubscribed),
        Posted(PostedBatch),
        Deleted(Deleted),
        Page(Page),
        Marked(Marked),
        CursorMoved(CursorMoved),
        Followed(Followed),
        Verified(VerifyPage),
        Status(NodeStatus),
        Reported(NodeReport),
    }
}

record! {
    pub struct Subscribed {
        pub cursor: Seq,
        pub already: bool,
    }
}

record! {
    pub struct Unsubscribed {
        pub already: bool,
    }
}

record! {
    /// One result for each post, in the same order.
    pub struct PostedBatch {
        pub results: Vec<Result<Posted, ErrorReply>>,
    }
}

record! {
    pub struct Deleted {
        pub already: bool,
    }
}

record! {
    /// The cursors as they are now, in the order of the marks; an area that is gone keeps its place with an error.
    pub struct Marked {
        pub cursors: Vec<Result<Cursor, ErrorReply>>,
    }
}

record! {
    pub struct CursorMoved {
        pub cursor: Cursor,
        pub already: bool,
    }
}

record! {
    /// Empty when the wait ended with nothing new.
    pub struct Followed {
        pub pages: Vec<Page>,
        pub ended: Vec<FollowEnded>,
    }
}

record! {
    pub struct NodeStatus {
        pub server: ServerStatus,
        pub node_id: Uuid,
        pub draining: bool,
    }
}

record! {
    pub struct Checked {
        pub node_id: Uuid,
        pub version: String,
        pub draining: bool,
    }
}

record! {
    #[derive(Copy, Eq)]
    pub struct Posted {
        pub seq: Seq,
        pub duplicate: bool,
    }
}

record! {
    #[derive(Copy, Eq)]
    pub struct Cursor {
        pub cursor: Seq,
        pub generation: i64,
        pub unread: i64,
    }
}

record! {
    /// An account of every number in `from..=upto`: it is an article, or in `deleted`, or at most `expired_through`.
    /// Empty when `upto < from`.
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
}

record! {
    pub struct Article {
        pub seq: Seq,
        pub id: Uuid,
        pub author: String,
        pub posted_at_us: i64,
        pub body: String,
    }
}

record! {
    /// An area that a follower gets no more: removed, or unsubscribed. The others go on.
    pub struct FollowEnded {
        pub area_id: AreaId,
        pub error: ErrorReply,
    }
}

record! {
    /// The states of `from..`, one for each number, in order.
    pub struct VerifyPage {
        pub from: Seq,
        pub states: Vec<VerifiedState>,
        pub last_seq: Seq,
        pub expired_through: Seq,
    }
}

value! {
    pub enum VerifiedState {
        /// There, and its body hashes to what was acknowledged.
        Kept = "kept",
        Deleted = "deleted",
        Expired = "expired",
        /// No row of this number: I2 is broken.
        Missing = "missing",
        /// The body is not the one that was acknowledged, or its time does not rise with its number.
        Damaged = "damaged",
    }
}
