//! What the leader does about what is old: lets the beginnings of areas expire, takes the bodies of what has expired, and
//! purges areas that were removed long ago. In small steps with pauses, so that neither posts nor the database notice.

use crate::leader::term::is_over;
use db::leader::Term;
use db::retention::{self, Due, LOOK_AREAS_MAX, Limits, Step};
use db::{Db, Result};
use std::time::Duration;
use tokio::time::sleep;

/// Between two looks: retention counts in hours, and a look costs little.
const LOOK_INTERVAL_MS: u64 = 5_000;
/// Between two steps, each of some milliseconds: the rest of the database's time is for those who read and post.
const STEP_PAUSE_MS: u64 = 20;
/// Steps for one area in a row; then the others have their turn.
const AREA_STEPS_MAX: u32 = 50;

/// Works until this agent leads no more. `limits` are asked for in each round, so that a change of the settings holds from the
/// next one on.
pub async fn keep(db: Db, term: Term, limits: impl Fn() -> Limits) {
    loop {
        let limits = limits();
        if is_over(round(&db, term, &limits).await, "retention") {
            return;
        }
        sleep(Duration::from_millis(LOOK_INTERVAL_MS)).await;
    }
}

/// A look at every area, and some steps for each that needs them.
pub async fn round(db: &Db, term: Term, limits: &Limits) -> Result<()> {
    let mut after = 0;
    let mut areas_max = LOOK_AREAS_MAX;
    loop {
        let (due, last) = match retention::due(db, limits, after, areas_max).await {
            // Too much for one statement, perhaps: areas with very many subscribers must not hold up those after them.
            Err(db::Error::Unavailable(why)) if areas_max > 1 => {
                tracing::debug!(why, areas_max, "a look took too long, the next one is smaller");
                areas_max /= 4;
                pause().await;
                continue;
            }
            looked => looked?,
        };
        work(db, term, limits, due).await?;
        let Some(last) = last else { return Ok(()) };
        after = last;
        pause().await;
    }
}

async fn work(db: &Db, term: Term, limits: &Limits, mut due: Due) -> Result<()> {
    for area_id in due.expirable {
        let expired = of_area(area_id, retention::expire(db, term, area_id, limits).await)?.flatten();
        if let Some(retention::Expired { name, from, through, unread_by }) = expired {
            tracing::info!(area = name, from, through, unread_by, "articles have expired");
            due.uncleared.retain(|uncleared| *uncleared != area_id);
            due.uncleared.push(area_id);
        }
        pause().await;
    }
    for area_id in due.uncleared {
        steps(area_id, || retention::clear(db, term, area_id)).await?;
    }
    for area_id in due.purgeable {
        let name = of_area(area_id, retention::begin_purge(db, term, area_id, limits).await)?.flatten();
        let Some(name) = name else { continue }; // restored meanwhile
        if steps(area_id, || retention::purge(db, term, area_id)).await? {
            tracing::info!(area = name, area_id, "a removed area is purged");
        }
    }
    Ok(())
}

/// Whether all of it is done.
async fn steps<F>(area_id: i64, step: impl Fn() -> F) -> Result<bool>
where
    F: Future<Output = Result<Step>>,
{
    for _ in 0..AREA_STEPS_MAX {
        match of_area(area_id, step().await)? {
            None => return Ok(false),
            Some(Step { is_last: true, .. }) => return Ok(true),
            Some(_) => pause().await,
        }
    }
    Ok(false)
}

/// One area that is held up must not hold up the others: the next round comes to it again.
fn of_area<T>(area_id: i64, result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(db::Error::HeldUp(why)) => {
            tracing::debug!(area_id, why, "retention waits for its next round");
            Ok(None)
        }
        result => result.map(Some),
    }
}

async fn pause() {
    sleep(Duration::from_millis(STEP_PAUSE_MS)).await;
}
