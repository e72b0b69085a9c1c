//! Who follows some areas through whatever node answers, acknowledging with each poll what the last one showed.

use super::{Area, Scene, cursor, given, subscriptions};
use crate::caller::Caller;
use crate::history::{Asked, By, Delivery, Outcome, Reading, Why};
use crate::person::{Person, pause};
use crate::seed::Chance;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;
use wire::call::CallError;
use wire::{
    ErrorCode, ErrorReply, FollowArea, NodeReply, NodeRequest, Page, ReplyBody, Request, RequestBody, Seq,
    Shown,
};

/// A node that is paused keeps nobody longer than this and a margin.
const WAIT_MS: u32 = 2_000;
const MARGIN_MS: u32 = 1_500;
/// A node without a connection by then is left, as the client leaves it.
const CONNECT_WAIT: Duration = Duration::from_millis(500);
/// One poll in so many is a follower's last: it forgets all but what the service knows.
const CRASHES_ONE_IN: usize = 60;

struct Follower<'a> {
    scene: &'a Scene,
    person: &'a Person,
    caller: Caller,
    places: Vec<FollowArea>,
    /// What the service acknowledged as marked, by area.
    marked: HashMap<i64, Seq>,
    nodes: Vec<String>,
    reading_id: Uuid,
}

pub async fn follow(scene: Arc<Scene>, person: Person, areas: Vec<Area>, mut chance: Chance) {
    let mut follower = Follower {
        scene: &scene,
        person: &person,
        caller: scene.caller(&person),
        places: vec![],
        marked: HashMap::new(),
        nodes: vec![],
        reading_id: Uuid::now_v7(),
    };
    follower.begin(&areas, Why::Begin).await;
    let give_up = scene.quiet_for_too_long();
    tokio::pin!(give_up);
    loop {
        tokio::select! {
            () = follower.poll(&areas, &mut chance) => {}
            () = &mut give_up => return,
        }
        let shown = follower.places.iter().map(|place| (place.area_id.0, place.after));
        let all_marked = follower.places.iter().all(|place| place.shown.is_none());
        if scene.has_seen_all(shown) && all_marked {
            return;
        }
    }
}

impl Follower<'_> {
    /// From the cursors as the service has them.
    async fn begin(&mut self, areas: &[Area], why: Why) {
        let subscriptions = subscriptions(&self.caller).await;
        self.reading_id = Uuid::now_v7();
        self.places = vec![];
        for area in areas {
            let cursor = cursor(&subscriptions, area);
            self.places.push(FollowArea { area_id: area.id, after: cursor, shown: None });
            let marked = self.marked.get(&area.id.0).copied().unwrap_or(cursor);
            self.scene.recorder.reading(Reading {
                reader: self.person.name.clone(),
                session: self.person.session_id,
                area: area.id.0,
                at_us: self.scene.recorder.now_us(),
                why,
                start: cursor,
                marked,
            });
        }
    }

    async fn poll(&mut self, areas: &[Area], chance: &mut Chance) {
        if self.nodes.is_empty() {
            self.find_nodes(areas, chance).await;
        }
        let Some(node) = self.nodes.first().cloned() else { return pause().await };
        let may_crash = self.scene.crowd.has_crashes && !self.scene.stop.is_cancelled();
        if may_crash && chance.one_in(CRASHES_ONE_IN) {
            return self.crash(areas, &node).await;
        }
        let asked_us = self.scene.recorder.now_us();
        match ask(&node, self.person, self.request()).await {
            Ok((pages, _)) => {
                for place in &mut self.places {
                    let Some(shown) = place.shown.take() else { continue };
                    self.marked.insert(place.area_id.0, shown.upto); // it arrived, since it was answered
                    let asked = Asked::Mark { area: place.area_id.0, upto: shown.upto };
                    let Person { name, session_id, .. } = self.person;
                    self.scene.recorder.attempt(name, *session_id, asked).end(Outcome::Done);
                }
                for page in pages {
                    self.take(page, asked_us);
                }
            }
            Err(error) if error.code.is_retryable() => {
                self.nodes.remove(0);
                pause().await;
            }
            Err(error) => panic!("{}: {error:?}", self.person.name),
        }
    }

    fn request(&self) -> NodeRequest {
        // Who has only to acknowledge does not wait.
        let wait_ms = if self.scene.heads.borrow().is_some() { 0 } else { WAIT_MS };
        NodeRequest::Follow(wire::Follow { areas: self.places.clone(), wait_ms })
    }

    /// As if killed: a poll may be on its way, and what was shown and not marked is forgotten.
    async fn crash(&mut self, areas: &[Area], node: &str) {
        let request = self.request();
        let cut = Duration::from_millis(u64::from(self.reading_id.as_bytes()[15]) / 8);
        let _ = timeout(cut, ask(node, self.person, request)).await;
        self.begin(areas, Why::Crash).await;
    }

    async fn find_nodes(&mut self, areas: &[Area], chance: &mut Chance) {
        let area = chance.pick(areas).unwrap();
        self.nodes = self.caller.where_is(&area.name).await.unwrap_or_default();
        let first = chance.below(self.nodes.len());
        self.nodes.rotate_left(first); // any node serves any area
    }

    fn take(&mut self, page: Page, asked_us: u64) {
        let Some(place) = self.places.iter_mut().find(|place| place.area_id == page.area_id) else { return };
        place.after = page.upto;
        place.shown = Some(Shown {
            from: page.from,
            upto: page.upto,
            generation: page.generation,
            reading_id: self.reading_id,
        });
        let delivery = delivery(&self.person.name, self.person.session_id, asked_us, &page);
        self.scene.recorder.delivered(Delivery { at_us: self.scene.recorder.now_us(), ..delivery });
    }
}

/// What a page shows; the time is to be filled in.
pub fn delivery(reader: &str, session: i64, asked_us: u64, page: &Page) -> Delivery {
    Delivery {
        reader: reader.into(),
        session,
        by: By::Follow,
        area: page.area_id.0,
        asked_us,
        at_us: asked_us,
        from: page.from,
        upto: page.upto,
        expired_through: page.expired_through,
        articles: page.articles.iter().map(given).collect(),
        deleted: page.deleted.clone(),
    }
}

/// The pages, and the areas that ended.
type Followed = (Vec<Page>, Vec<wire::FollowEnded>);

/// One long poll at this node.
pub async fn ask(node: &str, person: &Person, request: NodeRequest) -> Result<Followed, ErrorReply> {
    match ask_node(node, person, request, WAIT_MS + MARGIN_MS).await? {
        NodeReply::Followed(wire::Followed { pages, ended }) => Ok((pages, ended)),
        other => panic!("{other:?}"),
    }
}

/// One request to this node, which has so long to answer.
pub async fn ask_node(
    node: &str,
    person: &Person,
    request: NodeRequest,
    wait_ms: u32,
) -> Result<NodeReply, ErrorReply> {
    let body = RequestBody::Node(request);
    let request =
        Request { request_id: Uuid::now_v7(), token: Some(person.token), remaining_ms: wait_ms, body };
    let answered = async {
        // Where a container has gone nobody refuses: its address says nothing at all.
        let connected = timeout(CONNECT_WAIT, wire::call::connect(node)).await;
        wire::call::exchange(connected.unwrap_or(Err(CallError::Timeout))?, &request).await
    };
    let answered = timeout(Duration::from_millis(wait_ms.into()), answered).await;
    let reply = answered.unwrap_or(Err(CallError::Timeout));
    match reply.map_err(|error| ErrorReply::unavailable(error.to_string()))?.result? {
        ReplyBody::Node(reply) => Ok(reply),
        ReplyBody::Agent(_) => Err(ErrorReply::new(ErrorCode::Invalid, "an agent's reply")),
    }
}
