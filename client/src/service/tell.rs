//! The one way out of this room: what is told, while something is asked, to whoever opened the session.

use std::net::SocketAddr;
use std::sync::Arc;
use wire::Role;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// What is waited for, as words for a person; without a full stop, and without end: there may be more.
    Waiting(&'a str),
    /// The service is away for longer than a moment, for this reason; it is asked again and again. Then [`Told::Back`].
    Away(&'a str),
    Back,
    /// The agent that answered, where there were several to choose from: worth being asked first the next time.
    Answered(SocketAddr),
    /// What the session's user is to the service.
    Role(Role),
}

/// Who is told. It must return soon: it is called in the middle of a request.
#[derive(Clone)]
pub struct Tell(Arc<dyn Fn(Told<'_>) + Send + Sync>);

impl Tell {
    pub fn new(tell: impl Fn(Told<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Nobody.
    pub fn nobody() -> Self {
        Self::new(|_| {})
    }

    pub(super) fn waiting(&self, what: &str) {
        (self.0)(Told::Waiting(what));
    }

    pub(super) fn away(&self, why: &str) {
        (self.0)(Told::Away(why));
    }

    pub(super) fn back(&self) {
        (self.0)(Told::Back);
    }

    pub(super) fn answered(&self, agent: SocketAddr) {
        (self.0)(Told::Answered(agent));
    }

    pub(super) fn role(&self, role: Role) {
        (self.0)(Told::Role(role));
    }
}
