//! How errors are made, and what their codes mean to whoever asked. The records are in `message/error.rs`.

use crate::growing::UnknownVariant;
use crate::message::{ErrorCode, ErrorReply, Noun, Subject};

/// The release of this build, for messages and logs.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

impl ErrorCode {
    /// Whether the same request, sent again unchanged, may succeed. Everything else is a definite answer, also a code that
    /// only a later release knows.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable | Self::Draining)
    }
}

impl ErrorReply {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None, subjects: Vec::new(), versions: None }
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
        Self { retry_after_ms: Some(retry_after_ms), ..Self::new(ErrorCode::Busy, message) }
    }

    /// A request of a later release.
    pub fn unknown_request(unknown: UnknownVariant) -> Self {
        let UnknownVariant { of, number } = unknown;
        let message = format!(
            "release {RELEASE} of the server does not know this request ({of} {number}): ask a server of a newer release"
        );
        Self::invalid(message).about(Noun::Request, format!("{of} {number}"))
    }

    /// A value in the request that only a later release knows, like a role.
    pub fn unknown_value(what: &str, value: impl std::fmt::Display) -> Self {
        Self::invalid(format!("release {RELEASE} of the server does not know this {what}: {value}"))
    }

    /// Adds as data that the request names something that is not there.
    pub fn about(mut self, noun: Noun, name: impl Into<String>) -> Self {
        self.subjects.push(Subject { noun, name: name.into(), is_unknown: true, message: String::new() });
        self
    }

    /// Whether the server is of a release that does not know the request, so that the asker can do without it, or ask elsewhere.
    pub fn is_unknown_request(&self) -> bool {
        self.unknown(Noun::Request).is_some()
    }

    /// The first name of this kind that is not known.
    pub fn unknown(&self, noun: Noun) -> Option<&str> {
        let subject = self.subjects.iter().find(|subject| subject.is_unknown && subject.noun == noun);
        subject.map(|subject| subject.name.as_str())
    }
}
