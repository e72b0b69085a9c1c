//! What speaks to the service without a person: no command, no rendering, no terminal. Its one way out to whoever sits
//! there is [`Tell`](tell::Tell); a test (`client/tests/rooms.rs`) holds that nothing here names the other rooms.
//!
//! - [`session`]: agents, then nodes, on behalf of whoever is logged in.
//! - [`transport`]: the race between servers under it, with retries and hedging; [`candidates`] are who takes part.
//! - [`poll`]: long polls that go on whatever breaks, with a [`vigil`] over each; [`outage`]: how long they pause, and what
//!   is told.
//! - [`outbox`]: posts that are saved before they are sent; [`files`]: how that survives a crash.
//! - [`failure`]: why the service did not do it. [`tell`]: what is told meanwhile.

pub mod candidates;
pub mod failure;
pub mod files;
pub mod outage;
pub mod outbox;
pub mod poll;
pub mod session;
pub mod tell;
pub mod transport;
pub mod vigil;
