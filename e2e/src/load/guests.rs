//! Sessions that are ended from another device while they post and follow, and go on trying on every node.

use super::followers::{self, ask_node, delivery};
use super::writers::post_at;
use super::{Area, Scene, definite, outcome, outcome_of_reply, text};
use crate::caller::Caller;
use crate::history::{Asked, Delivery, Outcome, Reading, Why};
use crate::person::{Person, pause};
use crate::seed::Chance;
use std::sync::Arc;
use tokio::time::sleep;
use uuid::Uuid;
use wire::{AgentRequest, ErrorCode, FollowArea, NodeReply, NodeRequest, Post, ReadFrom};

/// One attempt of somebody who may not; he does not wait long.
const ATTEMPT_WAIT_MS: u32 = 1_500;
const FOLLOW_WAIT_MS: u32 = 1_000;
/// After the end of his session he tries this often on each node.
const ATTEMPTS_AFTER: usize = 2;

/// A session after the other. `keeper` is the session that ends them.
pub async fn come_and_go(scene: Arc<Scene>, keeper: Person, areas: Vec<Area>, mut chance: Chance) {
    let caller = scene.caller(&keeper);
    let mut visit = 0;
    while !scene.stop.is_cancelled() {
        visit += 1;
        let guest = log_in(&scene, &keeper).await;
        let area = chance.pick(&areas).unwrap().clone();
        let name = format!("{} visit {visit}", keeper.name);
        let following = tokio::spawn(follow(scene.clone(), guest.clone(), name, area.clone()));
        for _ in 0..chance.below(8) {
            let node = chance.pick(&scene.nodes()).unwrap().clone();
            post(&scene, &guest, &node, &area, &mut chance).await;
            sleep(chance.ms(50, 400)).await;
        }
        end_session(&scene, &caller, &guest).await;
        for _ in 0..ATTEMPTS_AFTER {
            for node in scene.nodes() {
                post(&scene, &guest, &node, &area, &mut chance).await;
                read(&scene, &guest, &node, &area).await;
            }
        }
        following.await.unwrap();
    }
}

async fn log_in(scene: &Scene, keeper: &Person) -> Person {
    loop {
        let begun = scene.recorder.begin(&keeper.name, keeper.session_id, Asked::LogIn);
        let guest = scene.place.log_in(&keeper.name, &scene.place.password).await;
        begun.end(outcome(&guest, |_| Outcome::Done));
        if let Some(guest) = definite(guest) {
            return guest.unwrap_or_else(|failure| panic!("{}: {failure}", keeper.name));
        }
        pause().await;
    }
}

async fn end_session(scene: &Scene, caller: &Caller, guest: &Person) {
    let session_id = guest.session_id;
    loop {
        let asked = Asked::EndSession { session: session_id };
        let begun = scene.recorder.begin(&caller.name, caller.session_id, asked);
        let ended = caller.agent(AgentRequest::EndSession(wire::EndSession { session_id })).await;
        begun.end(outcome(&ended, |_| Outcome::Done));
        if let Some(ended) = definite(ended) {
            ended.unwrap();
            return;
        }
        pause().await;
    }
}

async fn post(scene: &Scene, guest: &Person, node: &str, area: &Area, chance: &mut Chance) {
    let id = Uuid::now_v7();
    post_at(scene, guest, node, Post { area_id: area.id, id, body: text(id, chance) }).await;
}

async fn read(scene: &Scene, guest: &Person, node: &str, area: &Area) {
    let begun = scene.recorder.attempt(&guest.name, guest.session_id, Asked::Read { area: area.id.0 });
    let request =
        NodeRequest::Read(wire::Read { area_id: area.id, from: ReadFrom::Start, limit: 1, shown: None });
    let read = ask_node(node, guest, request, ATTEMPT_WAIT_MS).await;
    begun.end(outcome_of_reply(&read, |_| Outcome::Done));
}

/// From the head, without marks: until the session is refused.
async fn follow(scene: Arc<Scene>, guest: Person, name: String, area: Area) {
    let mut round = 0;
    let mut place = None;
    loop {
        round += 1;
        let nodes = scene.nodes();
        let node = &nodes[round % nodes.len()];
        let Some(after) = place else {
            // Where the area ends now: a page of nothing tells it.
            let request = NodeRequest::Read(wire::Read {
                area_id: area.id,
                from: ReadFrom::After(i64::from(u32::MAX)),
                limit: 1,
                shown: None,
            });
            match ask_node(node, &guest, request, ATTEMPT_WAIT_MS).await {
                Ok(NodeReply::Page(page)) => {
                    let (reader, session) = (name.clone(), guest.session_id);
                    let (at_us, start) = (scene.recorder.now_us(), page.last_seq);
                    let (why, area) = (Why::Begin, area.id.0);
                    let reading = Reading { reader, session, area, at_us, why, start, marked: start };
                    scene.recorder.reading(reading);
                    place = Some(page.last_seq);
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) if error.code.is_retryable() => pause().await,
                Err(_) => return,
            }
            continue;
        };
        let areas = vec![FollowArea { area_id: area.id, after, shown: None }];
        let asked_us = scene.recorder.now_us();
        let request = NodeRequest::Follow(wire::Follow { areas, wait_ms: FOLLOW_WAIT_MS });
        match followers::ask(node, &guest, request).await {
            Ok((pages, _)) => {
                for page in pages {
                    place = Some(page.upto);
                    let delivery = delivery(&name, guest.session_id, asked_us, &page);
                    scene.recorder.delivered(Delivery { at_us: scene.recorder.now_us(), ..delivery });
                }
            }
            Err(error) if error.code.is_retryable() => pause().await,
            Err(error) => {
                assert_eq!(error.code, ErrorCode::Unauthenticated, "{name}: {error:?}");
                return;
            }
        }
    }
}
