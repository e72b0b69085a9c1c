//! Notifications. They make things fast; polling makes them right (I8).
//!
//! LISTEN needs a connection of its own: a pool hands notifications to nobody.

use crate::pool::connect;
use crate::{Db, Error, Result};
use futures_util::StreamExt;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client};
use tokio_util::sync::CancellationToken;

/// Areas in one notification: 19 digits and a comma each stay below PostgreSQL's 8000 bytes.
pub const AREAS_PER_NOTIFICATION_MAX: usize = 390;
/// Between two attempts to connect: a restarting PostgreSQL is found again at once, a dead one is not hammered.
const RECONNECT_WAIT_MS: u64 = 250;
/// A quiet connection may be a dead one: it is asked this often.
const PROBE_INTERVAL_MS: u64 = 5_000;
const PROBE_WAIT_MS: u64 = 5_000;

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Listening (again) from now on: what was said before may have been missed, so look at everything.
    Connected,
    /// These areas have new articles.
    Heads(Vec<i64>),
    /// Somebody may no longer do what he could: look at who waits.
    Access(Access),
}

/// Who or what lost something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Session(i64),
    User(i64),
    Area(i64),
    Subscription { user_id: i64, area_id: i64 },
}

/// Listens until `shutdown`, reconnecting for ever; sends what it hears to `events`.
pub async fn listen(database_url: &str, events: mpsc::Sender<Event>, shutdown: CancellationToken) {
    let mut deaf_since = None;
    while !shutdown.is_cancelled() {
        let ended = tokio::select! {
            () = shutdown.cancelled() => return,
            ended = listen_once(database_url, &events, &mut deaf_since) => ended,
        };
        // Every attempt fails alike while the database is away: said once.
        if let Err(reason) = ended
            && deaf_since.is_none()
        {
            tracing::warn!(%reason, "not listening to the database; polling goes on");
            deaf_since = Some(Instant::now());
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(RECONNECT_WAIT_MS)) => {}
        }
    }
}

/// One connection's life. Returns when it ends, or when nobody wants the events any more.
async fn listen_once(
    database_url: &str,
    events: &mpsc::Sender<Event>,
    deaf_since: &mut Option<Instant>,
) -> std::result::Result<(), String> {
    let (client, mut connection) = connect(database_url).await.map_err(|e| e.to_string())?;
    let mut messages = futures_util::stream::poll_fn(move |cx| connection.poll_message(cx));
    // The connection works only while it is polled, so the commands run beside it.
    let commands = async {
        let listen = client.batch_execute("listen gaceta_heads; listen gaceta_access");
        within(PROBE_WAIT_MS, listen).await?;
        if let Some(since) = deaf_since.take() {
            let elapsed_ms = since.elapsed().as_millis() as u64;
            tracing::info!(elapsed_ms, "listening to the database again");
        }
        if events.send(Event::Connected).await.is_err() {
            return Ok(());
        }
        probe(&client).await
    };
    tokio::pin!(commands);
    loop {
        tokio::select! {
            ended = &mut commands => return ended,
            message = messages.next() => match message {
                Some(Ok(AsyncMessage::Notification(note))) => {
                    let Some(event) = event_of(note.channel(), note.payload()) else { continue };
                    if events.send(event).await.is_err() {
                        return Ok(());
                    }
                }
                Some(Ok(_)) => {} // notices
                Some(Err(error)) => return Err(Error::from(error).to_string()),
                None => return Err("the server closed the connection".into()),
            }
        }
    }
}

async fn probe(client: &Client) -> std::result::Result<(), String> {
    loop {
        tokio::time::sleep(Duration::from_millis(PROBE_INTERVAL_MS)).await;
        within(PROBE_WAIT_MS, client.batch_execute("")).await?;
    }
}

async fn within(
    wait_ms: u64,
    run: impl Future<Output = std::result::Result<(), tokio_postgres::Error>>,
) -> std::result::Result<(), String> {
    match tokio::time::timeout(Duration::from_millis(wait_ms), run).await {
        Ok(result) => result.map_err(|e| Error::from(e).to_string()),
        Err(_) => Err("no answer in time".into()),
    }
}

/// `None` for what a newer release may say.
fn event_of(channel: &str, payload: &str) -> Option<Event> {
    if channel == "gaceta_heads" {
        return Some(Event::Heads(payload.split(',').filter_map(|id| id.parse().ok()).collect()));
    }
    let mut words = payload.split(':');
    let kind = words.next()?;
    let id = words.next()?.parse().ok()?;
    Some(Event::Access(match kind {
        "session" => Access::Session(id),
        "user" => Access::User(id),
        "area" => Access::Area(id),
        "subscription" => Access::Subscription { user_id: id, area_id: words.next()?.parse().ok()? },
        _ => return None,
    }))
}

/// Tells every node that these areas have new articles. Not part of any posting transaction: NOTIFY there takes a lock
/// over the whole database at commit.
pub async fn notify_heads(db: &Db, area_ids: &[i64]) -> Result<()> {
    for some in area_ids.chunks(AREAS_PER_NOTIFICATION_MAX) {
        let payload = some.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        db.query("select pg_notify('gaceta_heads', $1)", &[&payload]).await?;
    }
    Ok(())
}
