//! The task beside the prompt that hears of news: one long poll over all subscribed areas, which moves no cursor. Whatever
//! breaks, it goes on by itself and says nothing.

use super::announce::Announcer;
use super::news::News;
use crate::exit::Failure;
use crate::render::Output;
use crate::service::candidates::{Candidate, resolve_all};
use crate::service::transport::jittered;
use crate::service::vigil::{self, ANSWER_MARGIN, POLL_WAIT_MS};
use crate::session::Session;
use crate::settings::Settings;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use wire::limits::AREAS_PER_REQUEST_MAX;
use wire::{ErrorCode, FollowArea, FollowEnded, NodeReply, NodeRequest, Page, ReplyBody, RequestBody};

/// Nobody waits for these questions; a service that is just losing a server answers within it.
const ASK_WAIT: Duration = Duration::from_secs(5);
/// Subscriptions may have changed on another device.
const AGE_MAX: Duration = Duration::from_secs(60);
/// After an answer what follows gathers, so that a flood, also of one's own posts, is a few polls and lines a second; and a
/// node that answers at once again and again is asked no more often.
const GATHER_WAIT: Duration = Duration::from_millis(500);
/// After a failure, doubling: many idle prompts must be no burden for a service that comes back.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);

pub async fn watch(settings: Settings, news: News, announcer: Announcer) {
    let mut pause = PAUSE_MIN;
    loop {
        let failed = tokio::select! {
            failed = watch_on(&settings, &news, &announcer, &mut pause) => failed,
            () = news.changed() => continue,
        };
        // Whoever is logged out by others is not asked about again and again.
        if failed.code() == Some(ErrorCode::Unauthenticated) {
            pause = PAUSE_MAX;
        }
        tokio::select! {
            () = sleep(jittered(pause)) => {}
            () = news.changed() => {}
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Returns only with a failure. `pause` is short again when something went well.
async fn watch_on(settings: &Settings, news: &News, announcer: &Announcer, pause: &mut Duration) -> Failure {
    let mut current: Option<Candidate> = None;
    loop {
        match round(settings, news, announcer, &mut current).await {
            Ok(()) => *pause = PAUSE_MIN,
            Err(failure) => return failure,
        }
    }
}

async fn round(
    settings: &Settings,
    news: &News,
    announcer: &Announcer,
    current: &mut Option<Candidate>,
) -> Result<(), Failure> {
    if news.age().is_none_or(|age| age > AGE_MAX) {
        news.refresh(settings, ASK_WAIT).await?;
    }
    let places = news.places();
    if places.is_empty() {
        sleep(jittered(AGE_MAX)).await;
        return Ok(());
    }
    let settings = Settings { timeout: ASK_WAIT, ..settings.clone() };
    let session = Session::open(&settings, &Output::silent())?;
    let area = |(area_id, _, seen): &(_, _, _)| FollowArea { area_id: *area_id, after: *seen, shown: None };
    let areas = places.iter().take(AREAS_PER_REQUEST_MAX).map(area).collect();
    let body = RequestBody::Node(NodeRequest::Follow(wire::Follow { areas, wait_ms: POLL_WAIT_MS }));
    let (pages, ended) = poll(&session, &body, current).await?;
    let me = news.who().map(|who| who.user);
    let mut announced = false;
    for page in pages {
        news.was_seen(page.area_id, page.upto);
        let Some((area_id, name, _)) = places.iter().find(|(area_id, ..)| *area_id == page.area_id) else {
            continue;
        };
        let others = page.articles.iter().filter(|article| Some(&article.author) != me.as_ref());
        for article in others.filter(|article| article.seq > page.cursor) {
            announcer.add(*area_id, name, article);
            announced = true;
        }
    }
    if !ended.is_empty() {
        news.refresh(&settings, ASK_WAIT).await?;
    }
    if announced {
        announcer.ring();
    }
    sleep(GATHER_WAIT).await;
    Ok(())
}

/// The node that answered last, else each in turn.
async fn poll(
    session: &Session,
    body: &RequestBody,
    current: &mut Option<Candidate>,
) -> Result<(Vec<Page>, Vec<FollowEnded>), Failure> {
    let mut candidates = Vec::from_iter(current.take());
    if candidates.is_empty() {
        candidates = resolve_all(session.any_nodes().await?.addresses).await?;
    }
    let mut last = Failure::service(ErrorCode::Unavailable, "no node can be found");
    for candidate in candidates {
        let deadline = Instant::now() + Duration::from_millis(POLL_WAIT_MS.into()) + ANSWER_MARGIN;
        let ask = session.service.ask(body, deadline);
        match vigil::poll(&candidate, &ask).await {
            Ok(ReplyBody::Node(NodeReply::Followed(wire::Followed { pages, ended }))) => {
                *current = Some(candidate);
                return Ok((pages, ended));
            }
            Ok(_) => last = Failure::unexpected_reply(),
            Err(failure) if failure.is_retryable() => last = failure.into(),
            Err(failure) => return Err(failure.into()),
        }
    }
    Err(last)
}
