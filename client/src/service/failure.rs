//! Why the service did not do what it was asked, as data and as a sentence.

use wire::{ErrorCode, ErrorReply, Subject};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: Kind,
    /// For a person.
    pub message: String,
    /// What it is about, as data.
    pub subjects: Vec<Subject>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What a server says, or what can be said in its place: with [`ErrorCode::Unavailable`] that none answered.
    Service(ErrorCode),
    /// Whoever answered did not understand us: another program, or another release. It says nothing about what became of
    /// the request.
    Foreign,
}

impl Failure {
    pub fn service(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { kind: Kind::Service(code), message: message.into(), subjects: Vec::new() }
    }

    pub fn foreign(message: impl Into<String>) -> Self {
        Self { kind: Kind::Foreign, message: message.into(), subjects: Vec::new() }
    }

    /// A server answered something that does not belong to the question.
    pub fn unexpected_reply() -> Self {
        Self::foreign("the server's answer does not fit the question: use a client of the same release")
    }

    pub fn code(&self) -> Option<ErrorCode> {
        match self.kind {
            Kind::Service(code) => Some(code),
            Kind::Foreign => None,
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.code().is_some_and(ErrorCode::is_retryable)
    }
}

impl From<ErrorReply> for Failure {
    fn from(error: ErrorReply) -> Self {
        Self { subjects: error.subjects, ..Self::service(error.code, error.message) }
    }
}
