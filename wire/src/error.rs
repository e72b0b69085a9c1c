//! What a peer may see of a failure: a stable code, a sentence that says what to do, and sometimes when to retry.

use serde::{Deserialize, Serialize};

/// Codes are stable: scripts branch on their lower-case names and on the client's exit codes made from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorCode {
    /// The request can never succeed as it is: a bad name, an empty body, an unknown protocol version.
    Invalid,
    /// A body, batch or frame over its limit.
    TooLarge,
    /// No session, an ended one, or a wrong password.
    Unauthenticated,
    /// Known, but not allowed: a role, a missing subscription, someone else's article.
    Denied,
    /// The area, article, user or session does not exist (or exists no more).
    NotFound,
    /// The same id with other content, or a name that is taken.
    Conflict,
    /// A limit of the server is reached; `retry_after_ms` says when to come again.
    Busy,
    /// The outcome is not known or the service cannot answer now; repeating the request is safe.
    Unavailable,
    /// This server is leaving: ask another one.
    Draining,
}

impl ErrorCode {
    /// The name in JSON and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::Unauthenticated => "unauthenticated",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Draining => "draining",
        }
    }

    /// Whether the same request, sent again unchanged, may succeed. Everything else is a definite answer.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable | Self::Draining)
    }
}

/// The error half of every reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ErrorReply {
    pub code: ErrorCode,
    /// One sentence for a person, saying what to do; never holds what others wrote without quoting it.
    pub message: String,
    /// With [`ErrorCode::Busy`]: the shortest wait that makes sense, in milliseconds.
    pub retry_after_ms: Option<u32>,
}

impl ErrorReply {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Invalid, message)
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }

    /// A mistake of the service: its log has the reason, the peer need not.
    pub fn failed() -> Self {
        Self::unavailable("the service failed, its log says why: a repeat is safe")
    }

    pub fn busy(message: impl Into<String>, retry_after_ms: u32) -> Self {
        Self { code: ErrorCode::Busy, message: message.into(), retry_after_ms: Some(retry_after_ms) }
    }
}
