//! The settings that a process runs: read when their version changes, and told in the process's own row. The same poll reads which
//! releases may serve.

use super::definitions::Settings;
use super::{Loaded, load};
use crate::release::{self, Release};
use crate::{Db, Error, Result};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often the version is asked for: a change is applied within 2 s.
const POLL_INTERVAL_MS: u64 = 1_000;

/// Whose row tells the version that is run.
#[derive(Debug, Clone, Copy)]
pub enum Runs {
    Agent(Uuid),
    Node(Uuid),
}

/// The settings now, for whoever asks; cheap to clone and to ask.
#[derive(Debug, Clone)]
pub struct Live {
    now: watch::Receiver<(Option<i64>, Settings)>,
}

/// What keeps a [`Live`] up to date.
pub struct Keeper {
    now: watch::Sender<(Option<i64>, Settings)>,
}

impl Live {
    /// The defaults, until the keeper has read the table.
    pub fn new() -> (Self, Keeper) {
        let (sender, receiver) = watch::channel((None, Settings::default()));
        (Self { now: receiver }, Keeper { now: sender })
    }

    pub fn settings(&self) -> Settings {
        self.now.borrow().1
    }

    /// `None` before any were read.
    pub fn version(&self) -> Option<i64> {
        self.now.borrow().0
    }

    /// Returns when so many milliseconds have passed since `from`. What is waited for is what the settings say at the moment: a change
    /// holds for who waits already. May be dropped at any time.
    pub async fn passed(&self, from: Instant, wait_ms: impl Fn(&Settings) -> i64) {
        let mut now = self.now.clone();
        loop {
            let wait = Duration::from_millis(wait_ms(&now.borrow_and_update().1).unsigned_abs());
            tokio::select! {
                () = sleep_until(from + wait) => return,
                Ok(()) = now.changed() => {}
            }
        }
    }

    /// Returns once this process runs another version than `version`. May be dropped at any time.
    pub async fn changed_from(&self, version: i64) {
        let mut now = self.now.clone();
        if now.wait_for(|(runs, _)| runs.is_some_and(|runs| runs != version)).await.is_err() {
            std::future::pending().await // the keeper has ended: this process stops
        }
    }
}

impl Keeper {
    /// Reads the settings, so that a server begins with those that are set.
    pub async fn read(&self, db: &Db) -> Result<()> {
        let Loaded { version, settings, damaged, .. } = load(db).await?;
        for what in damaged {
            tracing::error!(%what, "a setting in the database is not allowed");
        }
        if self.now.borrow().0 != Some(version) {
            tracing::info!(version, "settings applied");
        }
        self.now.send_replace((Some(version), settings));
        Ok(())
    }

    /// Until `shutdown`. Without an answer the settings stay as they are. Where `release` may serve no more, it cancels `shutdown`
    /// itself, so that the server drains, and returns [`Error::ReleaseTooOld`], with which the server ends.
    pub async fn keep(self, db: Db, runs: Runs, release: Release, shutdown: CancellationToken) -> Result<()> {
        let mut interval = tokio::time::interval(Duration::from_millis(POLL_INTERVAL_MS));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                _ = interval.tick() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                result = self.poll(&db, runs, release) => match result {
                    Ok(()) => {}
                    Err(error @ Error::ReleaseTooOld { release, release_min }) => {
                        tracing::error!(%release, %release_min, "this release may serve no more: the server stops");
                        shutdown.cancel();
                        return Err(error);
                    }
                    Err(error) => tracing::debug!(%error, "settings not read"),
                },
            }
        }
    }

    async fn poll(&self, db: &Db, runs: Runs, release: Release) -> Result<()> {
        let version = self.now.borrow().0;
        let (latest, release_min) = tell(db, runs, version).await?;
        release.check(release_min)?;
        if latest != version {
            self.read(db).await?;
            let version = self.now.borrow().0;
            tell(db, runs, version).await?;
        }
        Ok(())
    }
}

/// Writes the version that is run into the row, where it is not there yet; returns the version that there is, and the oldest
/// release that may serve.
async fn tell(db: &Db, runs: Runs, version: Option<i64>) -> Result<(Option<i64>, Release)> {
    let (table, key, id) = match runs {
        Runs::Agent(id) => ("agents", "agent_id", id),
        Runs::Node(id) => ("nodes", "node_id", id),
    };
    let row = db
        .query_one(
            &format!(
                "with told as (update {table} set settings_version = $2
                                where {key} = $1 and settings_version is distinct from $2)
                 select v.version, s.release_min from settings_state v, service s"
            ),
            &[&id, &version],
        )
        .await?;
    Ok((Some(row.get("version")), release::from_column(row.get("release_min"))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_change_holds_for_who_waits_already() {
        let (live, keeper) = Live::new();
        let runs = |version, lease_renewal_ms| {
            keeper.now.send_replace((Some(version), Settings { lease_renewal_ms, ..Settings::default() }));
        };
        runs(1, 20_000);
        let mut waiting = std::pin::pin!(live.passed(Instant::now(), |settings| settings.lease_renewal_ms));
        assert!(timeout(Duration::from_millis(20), &mut waiting).await.is_err());
        runs(2, 10);
        assert!(timeout(Duration::from_secs(5), waiting).await.is_ok());
        let mut changed = std::pin::pin!(live.changed_from(2));
        assert!(timeout(Duration::from_millis(20), &mut changed).await.is_err());
        runs(3, 10);
        assert!(timeout(Duration::from_secs(5), changed).await.is_ok());
    }
}
