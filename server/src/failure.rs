//! The one place where errors of the database become answers of the protocol.

use db::error::WrongSetting;
use db::trouble::Trouble;
use std::time::Instant;
use wire::{ErrorCode, ErrorReply, Noun, Subject};

/// When all database connections of a process are in use: they turn over in milliseconds, and a little patience spreads
/// the crowd.
const BUSY_RETRY_MS: u32 = 200;

/// A mistake of ours, or of the schema, fails every request of its kind: a line a second is enough to find it.
static UNEXPECTED: Trouble = Trouble::new(1_000, 1_000);

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
            db::Error::NotFound(missing) => {
                let reply = ErrorReply::new(ErrorCode::NotFound, &missing.message);
                return Self(match &missing.subject {
                    Some((noun, name)) => reply.about(noun_of(*noun), name),
                    None => reply,
                });
            }
            db::Error::Settings(wrong) => return Self(wrong_settings(wrong, error.to_string())),
            db::Error::Conflict(_) => ErrorCode::Conflict,
            db::Error::Busy => {
                return Self(ErrorReply::busy("the database is busy: try again", BUSY_RETRY_MS));
            }
            // Of these three `db` itself has told the log.
            db::Error::Full(_) => {
                let text =
                    "the database has no space left, its administrator must make room: a repeat is safe";
                return Self(ErrorReply::unavailable(text));
            }
            db::Error::Unavailable(_) | db::Error::Starting(_) | db::Error::HeldUp(_) => {
                let text = "the database does not answer now: a repeat is safe";
                return Self(ErrorReply::unavailable(text));
            }
            // No request writes as a leader, or asks for the release.
            db::Error::LeaseLost | db::Error::ReleaseTooOld { .. } => {
                return Self(ErrorReply::unavailable(error.to_string()));
            }
            db::Error::Unexpected(reason) => {
                if let Some(bout) = UNEXPECTED.failed(Instant::now()) {
                    let (failures, elapsed_ms) = (bout.failures, bout.elapsed_ms);
                    tracing::error!(reason, failures, elapsed_ms, "unexpected answer of the database");
                }
                return Self(ErrorReply::failed());
            }
        };
        Self(ErrorReply::new(code, error.to_string()))
    }
}

fn noun_of(noun: db::Noun) -> Noun {
    match noun {
        db::Noun::Area => Noun::Area,
        db::Noun::Article => Noun::Article,
        db::Noun::User => Noun::User,
        db::Noun::Session => Noun::Session,
        db::Noun::Node => Noun::Node,
    }
}

/// Not found where all that is wrong are unknown names.
fn wrong_settings(wrong: &[WrongSetting], message: String) -> ErrorReply {
    let is_all_unknown = wrong.iter().all(|setting| setting.is_unknown);
    let code = if is_all_unknown { ErrorCode::NotFound } else { ErrorCode::Invalid };
    let subjects = wrong.iter().map(|WrongSetting { name, is_unknown, message }| Subject {
        noun: Noun::Setting,
        name: name.clone(),
        is_unknown: *is_unknown,
        message: message.clone(),
    });
    ErrorReply { subjects: subjects.collect(), ..ErrorReply::new(code, message) }
}
