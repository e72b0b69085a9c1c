//! Every request and every reply. Two closed enums of each, one for agents and one for nodes, so that a server's
//! dispatch is one exhaustive match.
//!
//! Order matters: bincode numbers variants and fields by their place. New ones go to the end, and
//! `tests/golden.rs` holds the exact bytes of each. Times are microseconds since 1970 UTC (`…_at_us`).

use crate::error::ErrorReply;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An area for its whole life: a removed area and a later one of the same name have different ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AreaId(pub i64);

/// The place of an article in its area: 1, 2, 3 … without a hole (I2).
pub type Seq = i64;

/// The secret of a session. Only its SHA-256 is stored by the service.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token(pub [u8; 32]);

impl Token {
    /// As people and files carry it: 64 hexadecimal digits.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn from_text(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A password on its way to an agent; never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Ties the logs of both sides together.
    pub request_id: Uuid,
    pub token: Option<Token>,
    /// How long the client still waits. The server gives up then, since nobody would hear the answer.
    pub remaining_ms: u32,
    pub body: RequestBody,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RequestBody {
    Agent(AgentRequest),
    Node(NodeRequest),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    pub request_id: Uuid,
    pub result: Result<ReplyBody, ErrorReply>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ReplyBody {
    Agent(AgentReply),
    Node(NodeReply),
}

// ---- agents -------------------------------------------------------------------------------------------------------

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AgentRequest {
    /// Makes the account and logs it in. The same name with the same password is a log-in (I10).
    Register {
        name: String,
        password: Password,
        label: String,
    },
    /// `label` is how a person recognises the session later: usually the host's name.
    Login {
        name: String,
        password: Password,
        label: String,
    },
    Logout,
    Whoami,
    /// Ends every other session of this user.
    ChangePassword {
        old: Password,
        new: Password,
    },
    /// One's own sessions.
    Sessions,
    EndSession {
        session_id: i64,
    },
    /// Ends all of one's sessions, this one included.
    EndAllSessions,
    /// Every area that is not removed, by name; `after` is the last name of the page before.
    Areas {
        after: Option<String>,
    },
    /// The subscribed areas, by name.
    Subscriptions {
        after: Option<String>,
    },
    /// Which nodes serve these areas (all given by name), best first. Without areas: any nodes.
    Where {
        areas: Vec<String>,
    },
    /// Needs the role `admin`.
    Admin(AdminRequest),
    /// A node says that its row is in the database, and which one.
    Announce {
        node_id: Uuid,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AdminRequest {
    /// `creation_id` is made by the client, so that a repeat is recognised (I10).
    AreaAdd {
        creation_id: Uuid,
        name: String,
        settings: AreaSettings,
    },
    AreaSet {
        name: String,
        settings: AreaSettings,
    },
    /// By id (asked with `Where`), so that a repeat never removes a later area of the same name.
    AreaRemove {
        area_id: AreaId,
    },
    /// Brings the last removed area of this name back, with its articles and subscriptions, until it is purged.
    AreaRestore {
        name: String,
    },
    /// Removed ones included; `after` is the last area id of the page before.
    AreaList {
        after: Option<AreaId>,
    },
    ArticleRemove {
        area: String,
        seq: Seq,
    },
    UserList {
        after: Option<String>,
    },
    UserAdd {
        name: String,
        password: Password,
        role: Role,
    },
    /// Sets another one's password and ends all their sessions.
    UserPassword {
        name: String,
        password: Password,
    },
    UserRole {
        name: String,
        role: Role,
    },
    UserDisable {
        name: String,
    },
    UserEnable {
        name: String,
    },
    UserSessions {
        name: String,
    },
    /// Newest first; `before` is the last audit id of the page before.
    Audit {
        before: Option<i64>,
        limit: u32,
    },
}

/// What an administrator may set of an area. `None` leaves it as it is (or the default for a new area).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AreaSettings {
    pub description: Option<String>,
    /// How many nodes the area is assigned to; more for areas in demand. 1 to 16.
    pub replicas: Option<u32>,
    /// Articles older than this may expire. `Keep::Forever` takes a limit away.
    pub keep_for_s: Option<Keep>,
    /// Only so many newest articles are kept.
    pub keep_count: Option<Keep>,
}

/// A limit of retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    Forever,
    Limit(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    User,
    Admin,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AgentReply {
    LoggedIn(LoggedIn),
    /// For requests that change something and have nothing to tell but whether it was so already (I10).
    Done {
        already: bool,
    },
    Whoami {
        user: String,
        role: Role,
        session_id: i64,
        service_id: Uuid,
    },
    Sessions {
        sessions: Vec<SessionSummary>,
    },
    /// How many sessions were ended (0 on a repeat).
    Ended {
        sessions: u64,
    },
    Areas {
        areas: Vec<AreaSummary>,
        more: bool,
    },
    Subscriptions {
        subscriptions: Vec<SubscriptionSummary>,
        more: bool,
    },
    Located {
        areas: Vec<AreaRef>,
        nodes: Vec<String>,
    },
    AreaChanged {
        area: AreaDetails,
        already: bool,
    },
    AreaList {
        areas: Vec<AreaDetails>,
        more: bool,
    },
    UserList {
        users: Vec<UserSummary>,
        more: bool,
    },
    Audit {
        entries: Vec<AuditEntry>,
        more: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedIn {
    pub token: Token,
    pub session_id: i64,
    /// As written at creation.
    pub user: String,
    pub role: Role,
    /// Which installation this is: a client keeps what it saves apart by it.
    pub service_id: Uuid,
    /// With `Register`: the account was there already, with this password.
    pub already: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionSummary {
    pub session_id: i64,
    pub label: String,
    pub created_at_us: i64,
    /// Exact to five minutes.
    pub last_used_at_us: i64,
    pub expires_at_us: i64,
    /// The one that asks.
    pub current: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AreaRef {
    pub area_id: AreaId,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AreaSummary {
    pub area_id: AreaId,
    pub name: String,
    pub description: String,
    /// `None` when not subscribed.
    pub unread: Option<i64>,
    pub last_seq: Seq,
    pub replicas: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubscriptionSummary {
    pub area_id: AreaId,
    pub name: String,
    pub unread: i64,
    pub cursor: Seq,
    pub generation: i64,
    pub last_seq: Seq,
    pub expired_through: Seq,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AreaDetails {
    pub area_id: AreaId,
    pub name: String,
    pub description: String,
    pub replicas: u32,
    pub keep_for_s: Option<u64>,
    pub keep_count: Option<u64>,
    pub created_at_us: i64,
    pub removed_at_us: Option<i64>,
    pub last_seq: Seq,
    pub expired_through: Seq,
    pub subscribers: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserSummary {
    pub name: String,
    pub role: Role,
    pub created_at_us: i64,
    pub disabled_at_us: Option<i64>,
    pub sessions: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub audit_id: i64,
    pub at_us: i64,
    /// Who did it; empty for the service itself.
    pub actor: String,
    /// Like `area.add`, `user.role`.
    pub action: String,
    pub target: String,
    /// A JSON object with what was set.
    pub detail: String,
}

// ---- nodes --------------------------------------------------------------------------------------------------------

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
