//! What goes wrong, as the client sees it, and the one place that maps it to exit codes and to the codes of JSON.

use crate::service;
use std::borrow::Cow;
use std::path::PathBuf;
use uuid::Uuid;
use wire::{ErrorCode, ErrorReply, Noun, Subject};

/// All is well, or there is simply nothing to tell.
pub const OK: u8 = 0;
/// Anything without a code of its own.
pub const ERROR: u8 = 1;
pub const USAGE: u8 = 2;
pub const NOT_FOUND: u8 = 3;
pub const UNAUTHENTICATED: u8 = 4;
pub const DENIED: u8 = 5;
/// A repeat of the same command is safe and may succeed.
pub const UNAVAILABLE: u8 = 6;
pub const CONFLICT: u8 = 7;
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

/// Why a command did not do what it was asked. `message` is a sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
    /// What it is about, as data: names that the service does not know, or settings that it refuses.
    pub subjects: Vec<Subject>,
    /// Posts that wait in the outbox because of it.
    pub pending: Option<Pending>,
    /// A refused text that was kept. In a box, since every result has room for a failure.
    pub draft: Option<Box<Kept>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What a server says, or what the client can say in its place.
    Service(ErrorCode),
    /// Whoever answered did not understand us: another program, or another release. It says nothing about what became of
    /// the request.
    Foreign,
    /// The command line does not make sense.
    Usage,
    /// Something on this machine: a file, the terminal.
    Local,
    Interrupted(Signal),
    /// Nobody reads our output any more. Not worth a word.
    OutputClosed,
}

/// What told us to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C, SIGINT
    Interrupt,
    /// SIGTERM, or the terminal is gone
    Terminate,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The first of them.
    pub id: Uuid,
    pub count: usize,
    /// The line that sends them.
    pub resume: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub path: PathBuf,
    /// The line that posts it.
    pub post: String,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), subjects: Vec::new(), pending: None, draft: None }
    }

    pub fn service(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(Kind::Service(code), message)
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::service(ErrorCode::Invalid, message)
    }

    pub fn foreign(message: impl Into<String>) -> Self {
        Self::new(Kind::Foreign, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A server answered something that does not belong to the question.
    pub fn unexpected_reply() -> Self {
        Self::foreign("the server's answer does not fit the question: use a client of the same release")
    }

    pub fn code(&self) -> Option<ErrorCode> {
        match self.kind {
            Kind::Service(code) => Some(code),
            _ => None,
        }
    }

    pub fn is_retryable(&self) -> bool {
        self.code().is_some_and(ErrorCode::is_retryable)
    }

    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Service(code) => match code {
                ErrorCode::Invalid | ErrorCode::TooLarge | ErrorCode::Other(_) => ERROR,
                ErrorCode::Unauthenticated => UNAUTHENTICATED,
                ErrorCode::Denied => DENIED,
                ErrorCode::NotFound => NOT_FOUND,
                ErrorCode::Conflict => CONFLICT,
                ErrorCode::Busy | ErrorCode::Unavailable | ErrorCode::Draining => UNAVAILABLE,
            },
            Kind::Usage => USAGE,
            Kind::Foreign | Kind::Local => ERROR,
            Kind::Interrupted(Signal::Interrupt) => INTERRUPTED,
            Kind::Interrupted(Signal::Terminate) => TERMINATED,
            Kind::OutputClosed => OK, // the reader had what it wanted
        }
    }

    /// The `code` of the JSON form.
    pub fn name(&self) -> Cow<'static, str> {
        let name = match self.kind {
            Kind::Service(code) => return code.name(),
            Kind::Foreign => return ErrorCode::Invalid.name(),
            Kind::Usage => "usage",
            Kind::Local => "local",
            Kind::Interrupted(_) => "interrupted",
            Kind::OutputClosed => "output_closed",
        };
        name.into()
    }

    /// The first name of this kind that the service does not know.
    pub fn unknown(&self, noun: Noun) -> Option<&str> {
        let subject = self.subjects.iter().find(|subject| subject.is_unknown && subject.noun == noun);
        subject.map(|subject| subject.name.as_str())
    }
}

impl From<service::failure::Failure> for Failure {
    fn from(failure: service::failure::Failure) -> Self {
        let kind = match failure.kind {
            service::failure::Kind::Service(code) => Kind::Service(code),
            service::failure::Kind::Foreign => Kind::Foreign,
        };
        Self { subjects: failure.subjects, ..Self::new(kind, failure.message) }
    }
}

impl From<ErrorReply> for Failure {
    fn from(error: ErrorReply) -> Self {
        Self { subjects: error.subjects, ..Self::service(error.code, error.message) }
    }
}

/// Everything that comes as `anyhow` happened on this machine.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(failure) => failure,
            Err(error) => Self::new(Kind::Local, format!("{error:#}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_promised_ones() {
        let of = |code| Failure::service(code, "").exit_code();
        assert_eq!(of(ErrorCode::Invalid), 1);
        assert_eq!(of(ErrorCode::TooLarge), 1);
        assert_eq!(of(ErrorCode::NotFound), 3);
        assert_eq!(of(ErrorCode::Unauthenticated), 4);
        assert_eq!(of(ErrorCode::Denied), 5);
        assert_eq!(of(ErrorCode::Busy), 6);
        assert_eq!(of(ErrorCode::Unavailable), 6);
        assert_eq!(of(ErrorCode::Draining), 6);
        assert_eq!(of(ErrorCode::Conflict), 7);
        assert_eq!(Failure::usage("").exit_code(), 2);
        assert_eq!(Failure::new(Kind::Interrupted(Signal::Interrupt), "").exit_code(), 130);
        assert_eq!(Failure::new(Kind::Interrupted(Signal::Terminate), "").exit_code(), 143);
    }
}
