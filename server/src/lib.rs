//! What agents and nodes have in common: flags, logs, health over HTTP, and the one place where errors of the database
//! become answers of the protocol.
//!
//! - [`failure`]: `db::Error` → `wire::ErrorReply`.
//! - [`options`]: the flags of every server, with their variables and secret files.
//! - [`logging`]: logs on standard error.
//! - [`http`]: `/healthz` and `/readyz`.
//! - [`status`]: how a server is, as `Status` asks it.
//! - [`process`]: signals, the ready line, how a process ends.

pub mod failure;
pub mod http;
pub mod logging;
pub mod options;
pub mod process;
pub mod status;

pub use failure::Failure;
pub use process::{exit, joined, memory_bytes, ready, run, say, shutdown_on};

use db::TokenHash;
use wire::{ErrorCode, ErrorReply, Token};

/// The hash by which the database knows the session of a request; without a token there is none.
pub fn token_hash(token: Option<Token>) -> Result<TokenHash, Failure> {
    match token {
        Some(token) => Ok(TokenHash::of(&token.0)),
        None => {
            Err(ErrorReply::new(ErrorCode::Unauthenticated, "not logged in: log in or register first").into())
        }
    }
}
