//! The protocol of Gaceta: what travels between client, agents and nodes, and how it is carried.
//!
//! Read in this order:
//! - [`message`]: every request and every reply, one closed enum for each kind of server.
//! - [`growing`]: how messages grow from release to release.
//! - [`error`]: how errors are made.
//! - [`limits`]: every bound of the protocol with its reason.
//! - [`codec`]: bytes of a message body, behind one small trait so that bincode can be replaced.
//! - [`frame`]: the length, magic and version around a body.
//! - [`mod@call`]: the client's side, one request over one connection, and the version that a server speaks.
//! - [`connection`] and [`serve`]: the server's side, and the accept loop with its limits and its drain.
//!
//! This crate knows nothing of PostgreSQL, of accounts or of areas beyond their messages.

#[macro_use]
pub mod growing;

/// As this release knows them. `tests/next_release.rs` has another one, with one more field in each record.
macro_rules! record {
    ($($tokens:tt)*) => { growing! { $($tokens)* } };
}

pub mod budget;
pub mod call;
pub mod codec;
pub mod connection;
pub mod error;
pub mod frame;
pub mod limits;
pub mod message;
pub mod serve;

pub use call::{Asker, CallError, call};
pub use error::RELEASE;
pub use message::*;
