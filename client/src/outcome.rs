//! What a command found out, as data. [`crate::render`] makes text or JSON of it.

use crate::exit;
use crate::service::outbox::OutboxPost;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;
use wire::{
    AgentDetails, AreaDetails, AreaSummary, Article, AuditEntry, Cursor, Leader, LoadSample, NodeDetails,
    Role, Seq, ServerSettings, ServiceEvent, SessionSummary, SettingDetails, SubscriptionSummary,
    UserSummary, VerifiedState,
};

#[derive(Debug, Clone)]
pub enum Outcome {
    /// Everything was shown on the way.
    Nothing,
    /// A script or a page of help: shown as it is.
    Text(String),
    /// Files that were made.
    Written {
        files: Vec<PathBuf>,
    },
    LoggedIn {
        user: String,
        role: Role,
        context: String,
        registered: bool,
    },
    LoggedOut {
        user: Option<String>,
    },
    Whoami {
        user: String,
        role: Role,
        context: String,
        agents: Vec<String>,
    },
    PasswordChanged,
    Contexts(Vec<ContextSummary>),
    ContextAdded {
        name: String,
        agents: Vec<String>,
        already: bool,
    },
    ContextUsed {
        name: String,
        already: bool,
    },
    ContextRemoved {
        name: String,
        /// Whose session was forgotten.
        user: Option<String>,
    },
    Sessions(Vec<SessionSummary>),
    SessionsEnded {
        sessions: u64,
    },
    Areas(Vec<AreaSummary>),
    Subscriptions(Vec<SubscriptionSummary>),
    Subscribed {
        area: String,
        cursor: Seq,
        already: bool,
    },
    Unsubscribed {
        area: String,
        already: bool,
    },
    Reading(Reading),
    /// `read` without an area, and there is nothing.
    NothingUnread {
        subscriptions: usize,
    },
    Followed {
        area: String,
        /// What came before the items, unread, and has expired.
        expired: Option<Expired>,
        items: Vec<Item>,
    },
    /// `one` when an area was named.
    Moved {
        moved: Vec<Moved>,
        one: bool,
        undone: bool,
    },
    /// `one` unless there were lines or a resume.
    Posted {
        posted: Vec<PostedArticle>,
        one: bool,
    },
    Outbox {
        posts: Vec<OutboxPost>,
        /// The line that sends them.
        resume: String,
    },
    Deleted {
        area: String,
        seq: Seq,
        already: bool,
    },
    Verified(Verification),
    Status(Status),
    AreaChanged {
        area: AreaDetails,
        done: &'static str,
        already: bool,
    },
    AreaRemoved {
        area: String,
        already: bool,
    },
    AreaList(Vec<AreaDetails>),
    UserList(Vec<UserSummary>),
    UserChanged {
        user: String,
        done: &'static str,
        already: bool,
    },
    Audit(Vec<AuditEntry>),
    Settings {
        version: i64,
        settings: Vec<SettingDetails>,
    },
    Setting(SettingDetails),
    SettingChanged {
        name: String,
        /// As it is now.
        value: String,
        /// Else it was put back to its default.
        is_set: bool,
        version: i64,
        already: bool,
    },
    SettingsImported {
        /// How many the file has.
        settings: usize,
        moved: Vec<SettingMoved>,
        version: i64,
        already: bool,
    },
    SettingsExport {
        version: i64,
        settings: Vec<SettingDetails>,
    },
    SettingsStatus {
        version: i64,
        servers: Vec<ServerSettings>,
    },
    /// While they are watched.
    SettingsMoved {
        version: i64,
        moved: Vec<SettingMoved>,
    },
    NodeList {
        nodes: Vec<NodeDetails>,
        events: Vec<ServiceEvent>,
    },
    NodeChanged {
        node: NodeDetails,
        done: &'static str,
        already: bool,
    },
    AgentList {
        agents: Vec<AgentDetails>,
        leader: Option<Leader>,
        events: Vec<ServiceEvent>,
    },
    Load {
        span: Duration,
        samples: Vec<LoadSample>,
        nodes: Vec<NodeDetails>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContextSummary {
    pub name: String,
    /// Those that are asked when no others are given.
    pub agents: Vec<String>,
    /// Who is logged in.
    pub user: Option<String>,
    pub current: bool,
}

/// Consecutive pages of one area, as one.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    pub area: String,
    pub from: Seq,
    pub upto: Seq,
    pub last_seq: Seq,
    /// Where the reader stood before: what comes after it was unread.
    pub cursor: Seq,
    pub deleted: Vec<Seq>,
    pub expired_through: Seq,
    pub articles: Vec<Article>,
    pub more: bool,
}

impl Reading {
    pub fn expired(&self) -> Option<Expired> {
        Expired::among(self.from, self.upto, self.expired_through, self.cursor)
    }

    /// Articles and tombstones in the order of their numbers.
    pub fn items(&self) -> Vec<Item> {
        items(&self.articles, &self.deleted)
    }
}

/// A setting that has another value than before, or was set to what its default was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingMoved {
    pub name: String,
    pub from: String,
    pub to: String,
    /// Else it has its default now.
    #[serde(rename = "set")]
    pub is_set: bool,
}

/// Numbers that have expired, which whoever reads there must be told: no gap is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// The last of them.
    pub through: Seq,
    pub count: i64,
    /// How many of them the reader had not read.
    pub unread: i64,
}

impl Expired {
    /// Among `from..=upto`, for a reader who had read up to `cursor`.
    pub fn among(from: Seq, upto: Seq, expired_through: Seq, cursor: Seq) -> Option<Self> {
        let through = expired_through.min(upto);
        let count = through - from + 1;
        let unread = through - cursor.max(from - 1);
        (count > 0).then_some(Self { through, count, unread: unread.max(0) })
    }

    /// A sentence for a person.
    pub fn text(&self, area: &str) -> String {
        let Self { count, unread, .. } = *self;
        let (articles, have) = if count == 1 { ("article", "has") } else { ("articles", "have") };
        match unread {
            0 => format!("{count} {articles} in {area} {have} expired."),
            all if all == count => {
                format!("{count} {articles} in {area} that you had not read {have} expired.")
            }
            some => format!("{count} {articles} in {area} {have} expired, {some} of which you had not read."),
        }
    }
}

#[derive(Debug, Clone)]
pub enum Item {
    Article(Article),
    Deleted(Seq),
}

impl Item {
    pub fn seq(&self) -> Seq {
        match self {
            Self::Article(article) => article.seq,
            Self::Deleted(seq) => *seq,
        }
    }
}

pub fn items(articles: &[Article], deleted: &[Seq]) -> Vec<Item> {
    let deleted = deleted.iter().copied().map(Item::Deleted);
    let mut items: Vec<Item> = articles.iter().cloned().map(Item::Article).chain(deleted).collect();
    items.sort_by_key(Item::seq);
    items
}

#[derive(Debug, Clone)]
pub struct Moved {
    pub area: String,
    pub cursor: Cursor,
    pub already: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct PostedArticle {
    pub area: String,
    pub seq: Seq,
    pub id: Uuid,
    pub duplicate: bool,
}

/// The states of `1..=last_seq`, each number counted once.
#[derive(Debug, Clone, Default)]
pub struct Verification {
    pub area: String,
    pub last_seq: Seq,
    pub kept: i64,
    pub deleted: i64,
    pub expired: i64,
    pub missing: Vec<Seq>,
    pub damaged: Vec<Seq>,
    /// In a state that only a later release than this client knows.
    pub unknown: Vec<(Seq, VerifiedState)>,
}

impl Verification {
    /// Whether each number is accounted for, as far as this release can tell.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.damaged.is_empty() && self.unknown.is_empty()
    }
}

/// How the service is, as seen from here.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    pub context: String,
    pub user: Option<String>,
    pub agents: Vec<AgentStatus>,
    /// Those that an agent told of.
    pub nodes: Vec<NodeStatus>,
}

#[derive(Debug, Clone, Serialize)]
pub struct AgentStatus {
    #[serde(flatten)]
    pub probe: Probe,
    /// Nodes that it sends clients to, of all that it knows.
    pub nodes_live: Option<u32>,
    pub nodes: Option<u32>,
}

#[derive(Debug, Clone, Serialize)]
pub struct NodeStatus {
    #[serde(flatten)]
    pub probe: Probe,
    pub draining: Option<bool>,
}

/// One server's answer, or why there is none.
#[derive(Debug, Clone, Serialize)]
pub struct Probe {
    pub address: String,
    pub error: Option<String>,
    pub elapsed_ms: u64,
    pub version: Option<String>,
    pub uptime_s: Option<u64>,
    /// How long its database took.
    pub database_ms: Option<u64>,
    /// By how much its clock is ahead of this machine's.
    pub clock_ms: Option<i64>,
}

impl Outcome {
    /// Some things are found out in vain.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Verified(v) if !v.is_whole() => exit::ERROR,
            Self::Status(s) => {
                let agents = s.agents.iter().any(|agent| agent.probe.error.is_none());
                let nodes = s.nodes.iter().any(|node| node.probe.error.is_none());
                if agents && nodes { exit::OK } else { exit::UNAVAILABLE }
            }
            _ => exit::OK,
        }
    }
}
