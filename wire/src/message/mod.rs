//! Every request and every reply. Two closed enums of each, one for agents and one for nodes, so that a server's
//! dispatch is one exhaustive match.
//!
//! Order matters: bincode numbers variants and fields by their place. New variants go to the end, new fields behind `later`
//! (`growing.rs`), and `tests/golden.rs` holds the exact bytes of each. Times are microseconds since 1970 UTC (`…_at_us`).

mod admin;
mod agent;
mod control;
mod error;
mod node;

pub use admin::*;
pub use agent::*;
pub use control::*;
pub use error::*;
pub use node::*;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An area for its whole life: a removed area and a later one of the same name have different ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AreaId(pub i64);

/// The place of an article in its area: 1, 2, 3 … without a hole (I2).
pub type Seq = i64;

/// The secret of a session. Only its SHA-256 is stored by the service.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token(pub [u8; 32]);

impl Token {
    /// As people and files carry it: 64 hexadecimal digits.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn from_text(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A password on its way to an agent; never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

record! {
    pub struct Request {
        /// Ties the logs of both sides together.
        pub request_id: Uuid,
        pub token: Option<Token>,
        /// How long the client still waits. The server gives up then, since nobody would hear the answer.
        pub remaining_ms: u32,
        pub body: RequestBody,
    }
}

closed! {
    pub enum RequestBody {
        Agent(AgentRequest),
        Node(NodeRequest),
    }
}

record! {
    pub struct Reply {
        pub request_id: Uuid,
        pub result: Result<ReplyBody, ErrorReply>,
    }
}

closed! {
    pub enum ReplyBody {
        Agent(AgentReply),
        Node(NodeReply),
    }
}

record! {
    /// How a server is. It reaches its database, or the answer would have been `unavailable`.
    pub struct ServerStatus {
        pub version: String,
        /// Since it began to serve.
        pub uptime_s: u64,
        /// The clocks of the server and of the database, as far apart as they are but for `database_us`. Articles carry the
        /// database's.
        pub now_us: i64,
        pub database_now_us: i64,
        /// How long asking the database took, in microseconds.
        pub database_us: u64,
    }
}
