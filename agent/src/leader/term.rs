//! What the tasks of a term share: how it ends, and what a failed step means for it.

use std::time::Duration;

/// How a term ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// This agent stops.
    Stopped,
    /// Another one leads, or may lead by now.
    Lost,
    /// Perhaps this agent is the one that is cut off.
    Doubts,
    /// A task of the term panicked.
    Failed,
}

/// What a task of a term makes of a failed step: only a lost lease ends the term, all else is tried again.
pub fn is_over(result: db::Result<()>, what: &str) -> bool {
    match result {
        Ok(()) => false,
        Err(db::Error::LeaseLost) => {
            tracing::warn!(what, "a write was refused: another agent leads");
            true
        }
        Err(error) => {
            tracing::warn!(%error, what, "not done: tried again");
            false
        }
    }
}

pub fn ms(milliseconds: i64) -> Duration {
    Duration::from_millis(milliseconds.unsigned_abs())
}
