//! Gaceta's state: PostgreSQL, and nothing else.
//!
//! Read in this order:
//! - `migrations/`: the schema, with the invariants that it holds.
//! - [`pool`]: connections, their deadlines, and when one is thrown away; [`error`]: SQLSTATEs in our words.
//! - one module for each noun, SQL beside the function that runs it: [`users`], [`sessions`], [`areas`],
//!   [`subscriptions`], [`articles`] (posting and reading), [`follow`], [`nodes`], [`agents`], [`assignments`], [`samples`],
//!   [`events`], [`retention`], [`attempts`], [`settings`], [`audit`]; [`names`] for how a name is compared.
//! - [`leader`]: the lease, and the fence that every write of a leader passes.
//! - [`trouble`]: how the log tells what many meet at once.
//! - [`listen`]: notifications, on a connection of its own.
//! - [`migrate`]: bringing the schema up, under a lock; [`sql_set`] (`sql/`): the functions and views in it; [`release`]: which releases may serve it.
//! - [`private`]: a PostgreSQL of our own, for standalone and for tests.
//!
//! Every statement that changes something or delivers articles asks for the session itself (`live_sessions`), so that a
//! revoked one is refused from that moment on by every process (I5). Transactions are single statements: none waits for its client.
//! This crate knows nothing of the protocol.

pub mod agents;
pub mod areas;
pub mod articles;
pub mod assignments;
pub mod attempts;
pub mod audit;
pub mod error;
pub mod events;
pub mod follow;
mod health;
pub mod leader;
pub mod listen;
pub mod migrate;
pub mod names;
pub mod nodes;
pub mod pool;
pub mod private;
pub mod reading;
pub mod release;
pub mod retention;
mod rows;
pub mod samples;
pub mod sessions;
pub mod settings;
pub mod sql_set;
pub mod subscriptions;
#[cfg(feature = "testing")]
pub mod testing;
pub mod trouble;
pub mod users;

pub use error::{Error, Noun};
pub use pool::Db;
pub use release::Release;
pub use sessions::TokenHash;

pub type Result<T> = std::result::Result<T, Error>;
