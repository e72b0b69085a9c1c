//! Guessing passwords is slow: every look at a password goes through here.
//!
//! The counters are the database's (`db::attempts`), so that all agents share them. What is told does not depend on whether
//! the account exists: neither in words nor in time.

use crate::agent::Agent;
use db::attempts::{Admission, admit, give_back, succeeded};
use server::Failure;
use std::net::IpAddr;
use std::time::Duration;
use wire::ErrorReply;

/// Runs `look`, which says what a right password gives, or `None` for a wrong one. If it is too early for another attempt
/// at this account or from this address, the answer is `busy` and nothing is looked at. An error is no wrong password.
pub async fn guarded<T>(
    agent: &Agent,
    name: &str,
    from: IpAddr,
    look: impl Future<Output = Result<Option<T>, Failure>>,
) -> Result<Option<T>, Failure> {
    let attempt = match admit(&agent.db, name, from, &agent.live.settings()).await? {
        Admission::Admitted(attempt) => attempt,
        Admission::TooEarly(wait) => return Err(too_early(wait).into()),
    };
    let looked = look.await;
    match &looked {
        Ok(Some(_)) => settled(succeeded(&agent.db, &attempt).await),
        Ok(None) => {} // counted already
        Err(_) => settled(give_back(&agent.db, &attempt).await),
    }
    looked
}

/// What was looked at stands, also when the database failed a moment later: one attempt too many is counted, until it is
/// forgotten.
fn settled(result: db::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "an attempt with a right password stays counted");
    }
}

fn too_early(wait: Duration) -> ErrorReply {
    let wait_s = wait.as_millis().div_ceil(1_000);
    let wait_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
    ErrorReply::busy(format!("too many wrong passwords, next try in {wait_s} s"), wait_ms)
}
