//! Who posts, repeats, and deletes what is his; and who tries to delete what is not.

use super::followers::ask_node;
use super::{Area, Scene, outcome, outcome_of_reply, text};
use crate::at_once;
use crate::caller::Caller;
use crate::history::{Asked, Outcome, hash};
use crate::person::Person;
use crate::seed::Chance;
use client::exit::Failure;
use std::sync::Arc;
use tokio::time::sleep;
use uuid::Uuid;
use wire::{AreaId, NodeReply, NodeRequest, Post, Posted, Seq};

/// One post in so many is an old one once more; after one in so many something is deleted.
const REPEATS_ONE_IN: usize = 12;
const DELETES_ONE_IN: usize = 10;
/// Old posts that a writer remembers, to repeat or delete them.
const REMEMBERED_MAX: usize = 30;
/// One attempt at one node.
const ATTEMPT_WAIT_MS: u32 = 1_500;

pub async fn write(scene: Arc<Scene>, person: Person, areas: Vec<Area>, mut chance: Chance) {
    let caller = scene.caller(&person);
    let mut old: Vec<(Area, Post, Option<Seq>)> = vec![];
    while !scene.stop.is_cancelled() {
        let repeated = if chance.one_in(REPEATS_ONE_IN) { chance.pick(&old).cloned() } else { None };
        let (area, post) = match repeated {
            Some((area, post, _)) => (area, post),
            None => {
                let area = chance.pick(&areas).unwrap().clone();
                let id = Uuid::now_v7();
                let post = Post { area_id: area.id, id, body: text(id, &mut chance) };
                (area, post)
            }
        };
        let posted = self::post(&scene, &caller, &area, &post).await;
        if old.len() == REMEMBERED_MAX {
            old.remove(0);
        }
        if let Ok(posted) = &posted {
            let seq = posted.seq;
            scene.posted.lock().unwrap().push((area.clone(), seq, person.name.clone()));
            old.push((area, post, Some(seq)));
        } else {
            old.push((area, post, None)); // of unknown outcome: the repeat will tell
        }
        if chance.one_in(DELETES_ONE_IN) {
            let mine = chance.pick(&old).cloned();
            if let Some((area, _, Some(seq))) = mine {
                delete(&scene, &caller, &area, seq).await;
            }
        }
        sleep(chance.ms(scene.crowd.pause_ms.0, scene.crowd.pause_ms.1)).await;
    }
}

async fn post(scene: &Scene, caller: &Caller, area: &Area, post: &Post) -> Result<Posted, Failure> {
    let asked = Asked::Post { area: post.area_id.0, id: post.id, hash: hash(&post.body) };
    let begun = scene.recorder.begin(&caller.name, caller.session_id, asked);
    let posted = caller.post(&area.name, post.clone()).await;
    begun.end(outcome(&posted, |posted| Outcome::Posted { seq: posted.seq, duplicate: posted.duplicate }));
    posted
}

async fn delete(scene: &Scene, caller: &Caller, area: &Area, seq: Seq) {
    let AreaId(area_id) = area.id;
    let asked = Asked::Delete { area: area_id, seq };
    let begun = scene.recorder.begin(&caller.name, caller.session_id, asked);
    let deleted = caller.delete(&area.name, area.id, seq).await;
    begun.end(outcome(&deleted, |_| Outcome::Done));
}

/// Sends each post through all nodes at the same moment, as a client does that has no patience at all.
pub async fn write_twice(scene: Arc<Scene>, person: Person, areas: Vec<Area>, mut chance: Chance) {
    while !scene.stop.is_cancelled() {
        let area = chance.pick(&areas).unwrap();
        let id = Uuid::now_v7();
        let post = Post { area_id: area.id, id, body: text(id, &mut chance) };
        let sent = scene.nodes().into_iter().map(|node| {
            let (scene, person, post) = (scene.clone(), person.clone(), post.clone());
            async move { post_at(&scene, &person, &node, post).await }
        });
        at_once(sent).await;
        sleep(chance.ms(scene.crowd.pause_ms.0, scene.crowd.pause_ms.1)).await;
    }
}

/// One attempt at one node.
pub async fn post_at(scene: &Scene, person: &Person, node: &str, post: Post) {
    let asked = Asked::Post { area: post.area_id.0, id: post.id, hash: hash(&post.body) };
    let begun = scene.recorder.attempt(&person.name, person.session_id, asked);
    let posted =
        ask_node(node, person, NodeRequest::Post(wire::PostBatch { posts: vec![post] }), ATTEMPT_WAIT_MS)
            .await;
    let posted = posted.and_then(|reply| match reply {
        NodeReply::Posted(wire::PostedBatch { mut results }) => results.remove(0),
        other => panic!("{other:?}"),
    });
    begun.end(outcome_of_reply(&posted, |posted| Outcome::Posted {
        seq: posted.seq,
        duplicate: posted.duplicate,
    }));
}

/// Tries to delete what others posted.
pub async fn stranger(scene: Arc<Scene>, person: Person, mut chance: Chance) {
    let caller = scene.caller(&person);
    while !scene.stop.is_cancelled() {
        let victim = chance.pick(&scene.posted.lock().unwrap()).cloned();
        if let Some((area, seq, _)) = victim {
            delete(&scene, &caller, &area, seq).await;
        }
        sleep(chance.ms(200, 1_000)).await;
    }
}
