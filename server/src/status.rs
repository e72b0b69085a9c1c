//! How a server is, for whoever asks what is wrong: its version, how long it has served, and its database.

use crate::{Failure, token_hash};
use std::time::{Duration, Instant, SystemTime};
use wire::{ErrorReply, ServerStatus, Token};

/// Whoever asks wants to know now: a database that takes longer does not answer, for his purpose.
const DATABASE_WAIT_MS: u64 = 1_000;

/// Answers who has a session; `unavailable` without a database.
pub async fn status(
    db: &db::Db,
    token: Option<Token>,
    serves_since: Instant,
) -> Result<ServerStatus, Failure> {
    let token = token_hash(token)?;
    let asked = Instant::now();
    let clock = db::sessions::clock(db, &token);
    let Ok(clock) = tokio::time::timeout(Duration::from_millis(DATABASE_WAIT_MS), clock).await else {
        let text = format!("the database did not answer within {DATABASE_WAIT_MS} ms: a repeat is safe");
        return Err(ErrorReply::unavailable(text).into());
    };
    Ok(ServerStatus {
        version: env!("CARGO_PKG_VERSION").to_string(),
        uptime_s: serves_since.elapsed().as_secs(),
        database_now_us: clock?,
        now_us: now_us(),
        database_us: asked.elapsed().as_micros() as u64,
    })
}

/// Microseconds since 1970 UTC, by the clock of this machine.
fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as i64)
}
