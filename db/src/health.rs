//! How a process fares with its database, in its log. Every statement passes here, so that nobody else need tell of an outage,
//! and a process that has nothing to do tells it too: it asks for the settings' version each second.

use crate::Error;
use crate::trouble::Trouble;
use std::time::Instant;

/// What lasts is told again each minute, so that it stands in the latest part of a log, too.
const REMIND_MS: u64 = 60_000;
/// It is over when no statement met it for longer than clients wait between two attempts: a statement that runs into its
/// time limit now and then is one trouble, not a new one each time.
const QUIET_MS: u64 = 10_000;

#[derive(Debug)]
pub(crate) struct Health {
    away: Trouble,
    full: Trouble,
    held_up: Trouble,
    busy: Trouble,
}

impl Default for Health {
    fn default() -> Self {
        let trouble = || Trouble::new(REMIND_MS, QUIET_MS);
        Self { away: trouble(), full: trouble(), held_up: trouble(), busy: trouble() }
    }
}

impl Health {
    /// A statement failed, or could not be sent. Tells of what is trouble with the database, and of nothing else.
    pub fn failed(&self, error: &Error) {
        let now = Instant::now();
        match error {
            Error::Unavailable(reason) | Error::Starting(reason) => {
                if let Some(bout) = self.away.failed(now) {
                    let (failures, elapsed_ms) = (bout.failures, bout.elapsed_ms);
                    tracing::warn!(reason, failures, elapsed_ms, "database unavailable");
                }
            }
            Error::Full(reason) => {
                if let Some(bout) = self.full.failed(now) {
                    let (failures, elapsed_ms) = (bout.failures, bout.elapsed_ms);
                    tracing::error!(reason, failures, elapsed_ms, "the database's disk is full");
                }
            }
            Error::HeldUp(reason) => {
                if let Some(bout) = self.held_up.failed(now) {
                    let (failures, elapsed_ms) = (bout.failures, bout.elapsed_ms);
                    tracing::warn!(reason, failures, elapsed_ms, "statements wait too long for locks");
                }
            }
            _ => {}
        }
    }

    /// There was no connection to be had.
    pub fn busy(&self, reason: &str) {
        if let Some(bout) = self.busy.failed(Instant::now()) {
            let (failures, elapsed_ms) = (bout.failures, bout.elapsed_ms);
            tracing::warn!(reason, failures, elapsed_ms, "no database connection is free");
        }
    }

    /// A statement succeeded.
    pub fn worked(&self) {
        if let Some(bout) = self.away.worked(Instant::now) {
            let (failures, elapsed_ms) = (bout.failures, bout.elapsed_ms);
            tracing::info!(failures, elapsed_ms, "database available again");
        }
        let others = [
            (&self.full, "the database's disk is full"),
            (&self.held_up, "statements wait too long for locks"),
            (&self.busy, "no database connection is free"),
        ];
        for (trouble, what) in others {
            if let Some(bout) = trouble.worked(Instant::now) {
                let (failures, elapsed_ms) = (bout.failures, bout.elapsed_ms);
                tracing::info!(what, failures, elapsed_ms, "trouble with the database is over");
            }
        }
    }
}
