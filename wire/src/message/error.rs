//! What a peer may see of a failure: a stable code, a sentence that says what to do, and as data whatever a program branches on.

value! {
    /// Codes are stable: scripts branch on their names and on the client's exit codes made from them. A code that this
    /// release does not know is a definite answer.
    pub enum ErrorCode {
        /// The request can never succeed as it is: a bad name, an empty body, an unknown protocol version.
        Invalid = "invalid",
        /// A body, batch or frame over its limit.
        TooLarge = "too_large",
        /// No session, an ended one, or a wrong password.
        Unauthenticated = "unauthenticated",
        /// Known, but not allowed: a role, a missing subscription, someone else's article.
        Denied = "denied",
        /// The area, article, user or session does not exist (or exists no more).
        NotFound = "not_found",
        /// The same id with other content, or a name that is taken.
        Conflict = "conflict",
        /// A limit of the server is reached; `retry_after_ms` says when to come again.
        Busy = "busy",
        /// The outcome is not known or the service cannot answer now; repeating the request is safe.
        Unavailable = "unavailable",
        /// This server is leaving: ask another one.
        Draining = "draining",
    }
}

record! {
    /// The error half of every reply.
    #[derive(Eq, thiserror::Error)]
    #[error("{message}")]
    pub struct ErrorReply {
        pub code: ErrorCode,
        /// One sentence for a person, saying what to do; never holds what others wrote without quoting it.
        pub message: String,
        /// With [`ErrorCode::Busy`]: the shortest wait that makes sense, in milliseconds.
        pub retry_after_ms: Option<u32>,
        /// What the error is about, as data. Empty where no name of the request is at fault.
        pub subjects: Vec<Subject>,
        /// The protocol versions of the server, where it does not speak the one of the request.
        pub versions: Option<Versions>,
    }
}

record! {
    /// One name in the request that is at fault.
    #[derive(Eq)]
    pub struct Subject {
        pub noun: Noun,
        pub name: String,
        /// There is no such thing. Else it is there, and something is wrong with it.
        pub is_unknown: bool,
        /// The sentence about this one, where `message` has one for each.
        pub message: String,
    }
}

value! {
    /// What a name is the name of.
    pub enum Noun {
        /// The request itself: a server of an older release does not know it.
        Request = "request",
        Area = "area",
        Article = "article",
        User = "user",
        Session = "session",
        Setting = "setting",
        Node = "node",
    }
}

record! {
    /// Protocol versions, both ends included.
    #[derive(Eq)]
    pub struct Versions {
        pub min: u32,
        pub max: u32,
    }
}
