//! The task beside the prompt that hears of news: one long poll over all subscribed areas, which moves no cursor. Whatever
//! breaks, it goes on by itself and says nothing.

use super::announce::Announcer;
use super::news::News;
use crate::exit::Failure;
use crate::render::Output;
use crate::service::outage::Outage;
use crate::service::poll::{AnyNode, Poll};
use crate::service::session::Nodes;
use crate::service::tell::Tell;
use crate::service::transport::jittered;
use crate::session::Session;
use crate::settings::Settings;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use wire::limits::AREAS_PER_REQUEST_MAX;
use wire::{FollowArea, NodeReply, NodeRequest, ReplyBody, RequestBody};

/// Nobody waits for these questions; a service that is just losing a server answers within it.
const ASK_WAIT: Duration = Duration::from_secs(5);
/// Subscriptions may have changed on another device.
const AGE_MAX: Duration = Duration::from_secs(60);
/// After an answer what follows gathers, so that a flood, also of one's own posts, is a few polls and lines a second; and a
/// node that answers at once again and again is asked no more often.
const GATHER_WAIT: Duration = Duration::from_millis(500);
/// After what waiting does not cure: whoever is logged out by others is not asked about again and again.
const REFUSED_PAUSE: Duration = Duration::from_secs(15);

pub async fn watch(settings: Settings, news: News, announcer: Announcer) {
    loop {
        tokio::select! {
            Err(_refused) = watch_on(&settings, &news, &announcer) => {}
            () = news.changed() => continue,
        }
        tokio::select! {
            () = sleep(jittered(REFUSED_PAUSE)) => {}
            () = news.changed() => {}
        }
    }
}

/// For whoever is logged in now. Returns only with a failure that waiting does not cure.
async fn watch_on(settings: &Settings, news: &News, announcer: &Announcer) -> Result<Infallible, Failure> {
    let settings = Settings { timeout: ASK_WAIT, ..settings.clone() };
    let session = Session::open(&settings, &Output::silent())?;
    let mut poll = Poll::new(&session.service, AnyNode::new(&session.service, Nodes::default()));
    loop {
        if news.age().is_none_or(|age| age > AGE_MAX) {
            refresh(&settings, news).await?;
        }
        let places = news.places();
        if places.is_empty() {
            sleep(jittered(AGE_MAX)).await;
            continue;
        }
        let area =
            |(area_id, _, seen): &(_, _, _)| FollowArea { area_id: *area_id, after: *seen, shown: None };
        let ask = |wait_ms| {
            let areas = places.iter().take(AREAS_PER_REQUEST_MAX).map(area).collect();
            RequestBody::Node(NodeRequest::Follow(wire::Follow { areas, wait_ms }))
        };
        let followed = |reply| match reply {
            ReplyBody::Node(NodeReply::Followed(wire::Followed { pages, ended })) => Some((pages, ended)),
            _ => None,
        };
        let is_first = poll.current().is_none();
        let (pages, ended) = poll.answer(ask, followed).await?;
        if is_first && pages.is_empty() && ended.is_empty() {
            continue; // it was asked not to wait: nothing gathers yet
        }
        let me = news.who().map(|who| who.user);
        let mut announced = false;
        for page in pages {
            news.was_seen(page.area_id, page.upto);
            let Some((area_id, name, _)) = places.iter().find(|(area_id, ..)| *area_id == page.area_id)
            else {
                continue;
            };
            let others = page.articles.iter().filter(|article| Some(&article.author) != me.as_ref());
            for article in others.filter(|article| article.seq > page.cursor) {
                announcer.add(*area_id, name, article);
                announced = true;
            }
        }
        if !ended.is_empty() {
            refresh(&settings, news).await?;
        }
        if announced {
            announcer.ring();
        }
        sleep(GATHER_WAIT).await;
    }
}

async fn refresh(settings: &Settings, news: &News) -> Result<(), Failure> {
    let mut outage = Outage::new(Tell::nobody());
    loop {
        let began = Instant::now();
        match news.refresh(settings, ASK_WAIT).await {
            Err(failure) if failure.is_retryable() => outage.goes_on(&failure, began),
            done => return done,
        }
        outage.pause().await;
    }
}
