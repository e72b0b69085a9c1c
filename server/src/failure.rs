//! The one place where errors of the database become answers of the protocol.

use wire::{ErrorCode, ErrorReply};

/// When all database connections of a process are in use: they turn over in milliseconds, and a little patience spreads
/// the crowd.
const BUSY_RETRY_MS: u32 = 200;

/// What a handler fails with: an answer, ready to be sent.
#[derive(Debug)]
pub struct Failure(pub ErrorReply);

impl From<ErrorReply> for Failure {
    fn from(reply: ErrorReply) -> Self {
        Self(reply)
    }
}

impl From<db::Error> for Failure {
    fn from(error: db::Error) -> Self {
        let code = match &error {
            db::Error::Invalid(_) => ErrorCode::Invalid,
            db::Error::Unauthenticated(_) => ErrorCode::Unauthenticated,
            db::Error::Denied(_) => ErrorCode::Denied,
            db::Error::NotFound(_) => ErrorCode::NotFound,
            db::Error::Conflict(_) => ErrorCode::Conflict,
            db::Error::Busy => {
                return Self(ErrorReply::busy("the database is busy: try again", BUSY_RETRY_MS));
            }
            db::Error::Full(reason) => {
                tracing::error!(%reason, "the database's disk is full");
                let text =
                    "the database has no space left, its administrator must make room: a repeat is safe";
                return Self(ErrorReply::unavailable(text));
            }
            db::Error::Unavailable(reason) | db::Error::Starting(reason) | db::Error::HeldUp(reason) => {
                tracing::warn!(%reason, "database unavailable");
                let text = "the database does not answer now: a repeat is safe";
                return Self(ErrorReply::unavailable(text));
            }
            // No request writes as a leader.
            db::Error::LeaseLost => return Self(ErrorReply::unavailable(error.to_string())),
            db::Error::Unexpected(reason) => {
                tracing::error!(%reason, "unexpected answer of the database");
                return Self(ErrorReply::failed());
            }
        };
        Self(ErrorReply::new(code, error.to_string()))
    }
}
