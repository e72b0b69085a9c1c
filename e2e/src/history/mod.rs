//! What happened in a run, as those outside saw it: what they asked and when, what came of it, what they were shown, and
//! what PostgreSQL holds in the end. [`crate::check`] judges it, during the run's own process or later from its file.
//!
//! - [`recorder`]: collects it in memory while the run goes on.
//! - [`mod@file`]: one JSON line for each entry, there and back.
//! - [`ended`]: the final state, read from PostgreSQL straight and through `verify`.
//!
//! Times are microseconds since the run began, by the monotonic clock of the one process that records.

pub mod ended;
pub mod file;
pub mod recorder;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use wire::Seq;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    Run(Run),
    Operation(Operation),
    Reading(Reading),
    Delivery(Delivery),
    Fault(Fault),
    Leader(LeaderSeen),
    Keep(AreaKeep),
    Article(FinalArticle),
    Area(FinalArea),
    Subscription(FinalSubscription),
    LeaderWrite(LeaderWrite),
}

/// The first line of a file: how to have this run again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub name: String,
    pub seed: u64,
}

/// One thing that somebody wanted, with all its repeats: an operation of the client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    pub who: String,
    pub session: i64,
    /// One attempt at one server, which may fail while the service is well: no operation of the client.
    pub is_attempt: bool,
    pub began_us: u64,
    /// `None`: whoever asked was killed, or the run ended.
    pub ended_us: Option<u64>,
    pub asked: Asked,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    Post {
        area: i64,
        id: Uuid,
        hash: u64,
    },
    Delete {
        area: i64,
        seq: Seq,
    },
    Read {
        area: i64,
    },
    Mark {
        area: i64,
        upto: Seq,
    },
    CatchUp {
        area: i64,
    },
    Undo {
        area: i64,
    },
    LogIn,
    /// Of a process that follows: it ended, and nobody had told it to.
    Follow,
    EndSession {
        session: i64,
    },
    /// What is unread when nothing is posted, read or deleted any more.
    QuietUnread {
        area: i64,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Posted {
        seq: Seq,
        duplicate: bool,
    },
    Unread {
        cursor: Seq,
        unread: i64,
        last_seq: Seq,
    },
    Done,
    /// A definite refusal, by its code: it did not happen.
    Failed(String),
    /// It may have happened or not.
    Unknown(String),
}

impl Outcome {
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Posted { .. } | Self::Unread { .. } | Self::Done)
    }
}

/// A reader begins, or begins again, to read an area.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub reader: String,
    pub session: i64,
    pub area: i64,
    pub at_us: u64,
    pub why: Why,
    /// The cursor from which it goes on, as the service told it.
    pub start: Seq,
    /// What the service had acknowledged as marked before: to go back behind it would repeat what was read.
    pub marked: Seq,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    Begin,
    /// It was killed: it may be shown again what was not yet marked, nothing else.
    Crash,
    Undo,
    CatchUp,
    /// He is subscribed and never reads: nothing may be read for him.
    Silent,
}

/// What a reader was shown at once: every number in `from..=upto` is accounted for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    pub reader: String,
    pub session: i64,
    pub by: By,
    pub area: i64,
    /// When this was asked for; of a process that goes on asking, when it was started.
    pub asked_us: u64,
    pub at_us: u64,
    pub from: Seq,
    pub upto: Seq,
    pub expired_through: Seq,
    pub articles: Vec<Given>,
    pub deleted: Vec<Seq>,
}

/// How it came to him.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// He asked when it suited him.
    Read,
    /// He waited for it.
    Follow,
    /// He waited for it with a process of the client, as people do.
    Client,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Given {
    pub seq: Seq,
    pub id: Uuid,
    pub author: String,
    pub hash: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    pub what: String,
    /// The database was away on purpose: operations may say so, within their deadline.
    #[serde(default)]
    pub without_database: bool,
    pub began_us: u64,
    /// When it was over: continued, let through, or serving again.
    pub ended_us: u64,
}

/// Who holds the lease, as PostgreSQL says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeaderSeen {
    pub at_us: u64,
    pub holder: Option<Uuid>,
    pub epoch: i64,
}

/// How many of its newest articles an area must keep, as it was asked for. Of an area without one nothing may expire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AreaKeep {
    pub area: i64,
    pub count: i64,
}

/// A row of the final log. Entries of an area come in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinalArticle {
    pub area: i64,
    pub seq: Seq,
    pub id: Uuid,
    pub author: String,
    pub state: State,
    /// What the service keeps as the hash of the body.
    pub hash: u64,
    /// The hash of the body that is there.
    pub body_hash: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Kept,
    Deleted,
    Expired,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinalArea {
    pub area: i64,
    pub name: String,
    pub last_seq: Seq,
    pub expired_through: Seq,
    /// What `verify` says of each number from 1: `k`ept, `d`eleted, `e`xpired, `m`issing, `x` damaged. `None`: not asked.
    pub verified: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinalSubscription {
    pub user: String,
    pub area: i64,
    pub cursor: Seq,
}

/// Something that only the leader writes, in the order in which its table got it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeaderWrite {
    pub table: String,
    pub row: String,
    pub epoch: i64,
    /// By PostgreSQL's clock, since 1970.
    pub at_us: i64,
}

/// The first eight bytes of the SHA-256 of a body: enough to tell bodies apart, and short in a file.
pub fn hash(body: &str) -> u64 {
    shortened(&Sha256::digest(body))
}

/// Of a whole SHA-256.
pub fn shortened(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}
