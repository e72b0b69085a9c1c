//! What the leader does about what is old: lets the beginnings of areas expire, takes the bodies of what has expired, and
//! purges areas that were removed long ago. In small steps with pauses, so that neither posts nor the database notice.

use db::retention::{self, Led, Limits, Step};
use db::{Db, Result};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Between two looks: retention counts in hours, and a look costs little.
const LOOK_INTERVAL_MS: u64 = 5_000;
/// Between two steps, each of some milliseconds: the rest of the database's time is for those who read and post.
const STEP_PAUSE_MS: u64 = 20;
/// Steps for one area in a row; then the others have their turn.
const AREA_STEPS_MAX: u32 = 50;

/// Works for as long as this agent leads, or until `stop`. `limits` are asked for in each round, so that a change of the settings
/// holds from the next one on.
pub async fn keep(
    db: Db,
    agent_id: Uuid,
    epoch: i64,
    limits: impl Fn() -> Limits + Send,
    stop: CancellationToken,
) {
    loop {
        let limits = limits();
        let worked = tokio::select! {
            () = stop.cancelled() => return,
            worked = round(&db, agent_id, epoch, &limits) => worked,
        };
        match worked {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::debug!(%error, "retention waits for its next round"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(Duration::from_millis(LOOK_INTERVAL_MS)) => {}
        }
    }
}

/// One look, and some steps for each area that needs them. `false`: this agent leads no more.
pub async fn round(db: &Db, agent_id: Uuid, epoch: i64, limits: &Limits) -> Result<bool> {
    let due = retention::due(db, limits).await?;
    let mut uncleared = due.uncleared;
    for area_id in due.expirable {
        let Some(expired) = retention::expire(db, agent_id, epoch, area_id, limits).await? else {
            return Ok(false);
        };
        if let Some(expired) = expired {
            let retention::Expired { name, from, through, unread_by } = expired;
            tracing::info!(area = name, from, through, unread_by, "articles have expired");
            if !uncleared.contains(&area_id) {
                uncleared.push(area_id);
            }
        }
        pause().await;
    }
    for area_id in uncleared {
        if steps(|| retention::clear(db, agent_id, epoch, area_id)).await?.is_none() {
            return Ok(false);
        }
    }
    for area_id in due.purgeable {
        let Some(name) = retention::begin_purge(db, agent_id, epoch, area_id, limits).await? else {
            return Ok(false);
        };
        let Some(name) = name else { continue };
        match steps(|| retention::purge(db, agent_id, epoch, area_id)).await? {
            None => return Ok(false),
            Some(true) => tracing::info!(area = name, area_id, "a removed area is purged"),
            Some(false) => {}
        }
    }
    Ok(true)
}

/// Whether all of it is done.
async fn steps<F>(step: impl Fn() -> F) -> Led<bool>
where
    F: Future<Output = Led<Step>>,
{
    for _ in 0..AREA_STEPS_MAX {
        match step().await? {
            None => return Ok(None),
            Some(Step { is_last: true, .. }) => return Ok(Some(true)),
            Some(_) => pause().await,
        }
    }
    Ok(Some(false))
}

async fn pause() {
    sleep(Duration::from_millis(STEP_PAUSE_MS)).await;
}
