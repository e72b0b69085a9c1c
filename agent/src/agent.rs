//! The agent as every handler and task gets it.

use crate::passwords::Passwords;
use crate::twins::Twins;
use db::settings::Live;
use db::{Db, Release};
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wire::Asker;

/// The name of the first administrator.
pub const FIRST_ADMIN: &str = "admin";

/// What every handler gets.
pub struct Agent {
    /// A new one at each start.
    pub agent_id: Uuid,
    /// Where it listens, for people to recognise it.
    pub address: String,
    pub db: Db,
    /// The settings.
    pub live: Live,
    /// Which release this is.
    pub release: Release,
    pub service_id: Uuid,
    pub passwords: Passwords,
    pub twins: Twins,
    /// Asks nodes, and remembers which protocol version each speaks.
    pub asker: Arc<Asker>,
    pub serves_since: Instant,
    /// Cancelled when this agent is told to stop.
    pub stopping: CancellationToken,
}
