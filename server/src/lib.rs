//! What agents and nodes have in common: flags, logs, health over HTTP, and the one place where errors of the database
//! become answers of the protocol.
//!
//! - [`caller`]: who asks, made by `dispatch` for each request.
//! - [`failure`]: `db::Error` → `wire::ErrorReply`.
//! - [`options`]: the flags of every server, with their variables and secret files.
//! - [`logging`]: logs on standard error.
//! - [`http`]: `/healthz` and `/readyz`.
//! - [`status`]: how a server is, as `Status` asks it.
//! - [`process`]: signals, the ready line, how a process ends.

pub mod caller;
pub mod failure;
pub mod http;
pub mod logging;
pub mod options;
pub mod process;
pub mod status;

pub use caller::{Caller, token_hash};
pub use failure::Failure;
pub use process::{exit, joined, memory_bytes, ready, run, say, shutdown_on};
