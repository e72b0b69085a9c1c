//! What can go wrong in the database, in the words of the service. SQLSTATEs are read here only.

use crate::Release;
use tokio_postgres::error::SqlState;

/// Each variant is one answer to a peer; the message is a sentence for a person.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Unauthenticated(String),
    #[error("{0}")]
    Denied(String),
    #[error("{0}")]
    NotFound(Missing),
    /// Of the settings to be changed some are unknown or wrong: nothing was changed.
    #[error("{}", sentences(.0))]
    Settings(Vec<WrongSetting>),
    #[error("{0}")]
    Conflict(String),
    /// All connections of this process are in use.
    #[error("the database is busy")]
    Busy,
    /// No answer, or none that tells the outcome: a write may or may not have happened, and its repeat is safe (I1, I10).
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// It takes no connections yet: it starts, or recovers.
    #[error("the database is starting: {0}")]
    Starting(String),
    /// Nothing was written, because there is no room for it.
    #[error("the database has no space left: {0}")]
    Full(String),
    /// Nothing happened, because somebody else held a lock for too long: a repeat is safe.
    #[error("the database is held up: {0}")]
    HeldUp(String),
    /// A leader's write, and another one leads, or nobody: nothing was written (I7).
    #[error("this agent leads no more")]
    LeaseLost,
    /// This server must not serve the database.
    #[error(
        "this is release {release}, and its database is served by release {release_min} or newer only \
         (service.release_min): deploy a newer release"
    )]
    ReleaseTooOld { release: Release, release_min: Release },
    /// A mistake of ours, or of the schema.
    #[error("unexpected answer of the database: {0}")]
    Unexpected(String),
}

/// What is not there.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Missing {
    /// The name in the request that is not known; `None` where it has another reason.
    pub subject: Option<(Noun, String)>,
    pub message: String,
}

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    Area,
    Article,
    User,
    Session,
    Node,
}

/// What is wrong with one change of a setting.
#[derive(Debug)]
pub struct WrongSetting {
    pub name: String,
    pub is_unknown: bool,
    pub message: String,
}

fn sentences(settings: &[WrongSetting]) -> String {
    settings.iter().map(|setting| setting.message.as_str()).collect::<Vec<_>>().join("\n")
}

impl Error {
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::NotFound(Missing { subject: None, message: message.into() })
    }

    /// The request names something that is not there.
    pub fn unknown(noun: Noun, name: impl ToString, message: impl Into<String>) -> Self {
        Self::NotFound(Missing { subject: Some((noun, name.to_string())), message: message.into() })
    }

    pub fn unauthenticated() -> Self {
        Self::Unauthenticated("not logged in, or the session has ended: log in".into())
    }

    pub fn no_such_area() -> Self {
        Self::not_found("no such area (perhaps it was removed): `areas` lists them")
    }

    pub fn not_subscribed() -> Self {
        Self::Denied("not subscribed to this area: `subscribe` first".into())
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            return Self::Unavailable(chain(&error));
        };
        let what = format!("{} ({})", db.message(), db.code().code());
        match db.code() {
            &SqlState::TOO_MANY_CONNECTIONS => Self::Busy,
            &SqlState::CANNOT_CONNECT_NOW => Self::Starting(what),
            &SqlState::DISK_FULL => Self::Full(what),
            &SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_DEADLOCK_DETECTED => Self::HeldUp(what),
            // The statements ask before they write; this is whoever did the same at the same moment.
            &SqlState::UNIQUE_VIOLATION => {
                Self::Conflict("somebody did the same at this moment: look again".into())
            }
            code if is_connection_lost(code) || is_passing(code) => Self::Unavailable(what),
            _ => Self::Unexpected(what),
        }
    }
}

/// After these the connection must not be used again: the server is leaving, or is no longer the one that writes.
pub(crate) fn is_connection_lost(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
        ]
        .contains(code)
}

/// Failures of the moment: locks, time-outs, lack of resources (class 53: disk, memory).
fn is_passing(code: &SqlState) -> bool {
    code.code().starts_with("53")
        || [
            SqlState::QUERY_CANCELED,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(code)
}

/// `tokio_postgres::Error` keeps the reason in its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
