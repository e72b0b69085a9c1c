//! What wakes the hub. Notifications make it fast; polling the heads every second makes it right, should every
//! notification be lost (I8).

use crate::hub::Hub;
use db::follow::heads;
use db::listen::{Access, Event, listen as listen_to, notify_heads};
use db::trouble::Trouble;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The most that a lost notification costs.
const POLL_INTERVAL_MS: u64 = 1_000;
/// Areas asked for in one statement.
const POLL_AREAS_MAX: usize = 1_000;
/// Dirty areas are gathered for so long before the other nodes are told: at most 70 notifications a second from a node,
/// however many posts.
const TELL_INTERVAL_MS: u64 = 15;
/// Events between the listener and the hub; beyond, the listener waits, and PostgreSQL keeps them.
const EVENTS_MAX: usize = 256;
/// While the database is away every poll fails: a line a minute is enough.
static NOT_POLLED: Trouble = Trouble::new(60_000, 60_000);

/// Hears what other nodes posted, and who lost his right to hear it.
pub async fn listen(hub: Arc<Hub>, database_url: String, stop: CancellationToken) {
    let (sender, mut events) = mpsc::channel(EVENTS_MAX);
    let listener = tokio::spawn({
        let stop = stop.clone();
        async move { listen_to(&database_url, sender, stop).await }
    });
    while let Some(event) = events.recv().await {
        match event {
            // What was said while nobody listened is lost: look at everything.
            Event::Connected => hub.changed_for(|_| true),
            Event::Heads(area_ids) => hub.changed(&area_ids),
            Event::Access(Access::Area(area_id) | Access::Subscription { area_id, .. }) => {
                hub.changed(&[area_id]);
            }
            Event::Access(Access::Session(id)) => hub.changed_for(|one| one.session_id == id),
            Event::Access(Access::User(id)) => hub.changed_for(|one| one.user_id == id),
        }
    }
    let _ = listener.await;
}

/// Asks for the heads of the areas that are waited for.
pub async fn poll(hub: Arc<Hub>, stop: CancellationToken) {
    let mut interval = tokio::time::interval(Duration::from_millis(POLL_INTERVAL_MS));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => {}
        }
        for some in hub.waited_for().chunks(POLL_AREAS_MAX) {
            let area_ids: Vec<i64> = some.iter().map(|(area_id, _)| *area_id).collect();
            let found: HashMap<i64, i64> = tokio::select! {
                () = stop.cancelled() => return,
                found = heads(hub.db(), &area_ids) => match found {
                    Ok(found) => found.into_iter().collect(),
                    Err(error) => {
                        if let Some(bout) = NOT_POLLED.failed(Instant::now()) {
                            let (failures, elapsed_ms) = (bout.failures, bout.elapsed_ms);
                            tracing::warn!(%error, failures, elapsed_ms, "heads not polled");
                        }
                        break;
                    }
                },
            };
            // An area that is not found was removed: those who wait must be told.
            let is_behind = |area_id: &i64, after: i64| found.get(area_id).is_none_or(|head| *head > after);
            let behind: Vec<i64> =
                some.iter().filter(|(id, after)| is_behind(id, *after)).map(|(id, _)| *id).collect();
            if !behind.is_empty() {
                hub.changed(&behind);
            }
        }
    }
}

/// Tells the other nodes which areas have posts of ours. A failure costs them a poll interval.
pub async fn notify(hub: Arc<Hub>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = hub.tell.notified() => {}
        }
        tokio::time::sleep(Duration::from_millis(TELL_INTERVAL_MS)).await;
        if let Err(error) = notify_heads(hub.db(), &hub.take_untold()).await {
            tracing::debug!(%error, "other nodes not notified; they poll");
        }
    }
}
