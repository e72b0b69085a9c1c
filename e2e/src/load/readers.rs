//! Who reads page by page and marks what was shown; and sometimes takes it back, or catches up.

use super::followers::delivery;
use super::{Area, Scene, cursor, definite, outcome, subscriptions};
use crate::caller::Caller;
use crate::history::{Asked, By, Delivery, Outcome, Reading, Why};
use crate::person::{Person, pause, shown};
use crate::seed::Chance;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::time::{sleep, timeout};
use uuid::Uuid;
use wire::{NodeRequest, Seq};

const UNDO_ONE_IN: usize = 12;
const CATCH_UP_ONE_IN: usize = 20;
/// A page, at the most.
const LIMIT_MAX: usize = 20;

struct Reader<'a> {
    scene: &'a Scene,
    person: &'a Person,
    caller: Caller,
    /// How far each area was shown and marked.
    shown: HashMap<i64, Seq>,
}

pub async fn read(scene: Arc<Scene>, person: Person, areas: Vec<Area>, mut chance: Chance) {
    let mut reader =
        Reader { scene: &scene, person: &person, caller: scene.caller(&person), shown: HashMap::new() };
    for area in &areas {
        let cursor = cursor(&subscriptions(&reader.caller).await, area);
        reader.begin(area, Why::Begin, cursor);
    }
    while !scene.stop.is_cancelled() {
        let area = chance.pick(&areas).unwrap();
        if chance.one_in(UNDO_ONE_IN) {
            reader.undo(area).await;
        } else if chance.one_in(CATCH_UP_ONE_IN) {
            reader.catch_up(area).await;
        } else {
            reader.page(area, 1 + chance.below(LIMIT_MAX) as u32).await;
        }
        sleep(chance.ms(50, 400)).await;
    }
    let mut heads = scene.heads.subscribe();
    let _ = heads.wait_for(Option::is_some).await;
    let _ = timeout(scene.crowd.quiet_wait, reader.see_all(&areas)).await;
}

impl Reader<'_> {
    async fn see_all(&mut self, areas: &[Area]) {
        while !self.scene.has_seen_all(self.shown.iter().map(|(area, shown)| (*area, *shown))) {
            for area in areas {
                self.page(area, LIMIT_MAX as u32).await;
            }
        }
    }

    fn begin(&mut self, area: &Area, why: Why, start: Seq) {
        self.shown.insert(area.id.0, start);
        let (reader, session) = (self.person.name.clone(), self.person.session_id);
        let at_us = self.scene.recorder.now_us();
        let reading = Reading { reader, session, area: area.id.0, at_us, why, start, marked: start };
        self.scene.recorder.reading(reading);
    }

    /// Shows what comes next, and marks it.
    async fn page(&mut self, area: &Area, limit: u32) {
        let (recorder, session) = (&self.scene.recorder, self.person.session_id);
        let asked_us = recorder.now_us();
        let begun = recorder.begin(&self.person.name, session, Asked::Read { area: area.id.0 });
        let read = self.caller.read_unread(&area.name, area.id, limit).await;
        begun.end(outcome(&read, |_| Outcome::Done));
        let Ok(page) = read else { return };
        if page.upto < page.from {
            return;
        }
        let delivery = delivery(&self.person.name, session, asked_us, &page);
        recorder.delivered(Delivery { at_us: recorder.now_us(), by: By::Read, ..delivery });
        let shown = shown(&page);
        loop {
            let asked = Asked::Mark { area: area.id.0, upto: shown.upto };
            let begun = recorder.begin(&self.person.name, session, asked);
            let marked = self.caller.mark(&area.name, area.id, shown).await;
            begun.end(outcome(&marked, |_| Outcome::Done));
            if let Some(marked) = definite(marked) {
                marked.unwrap();
                break;
            }
            pause().await;
        }
        self.shown.insert(area.id.0, page.upto);
    }

    async fn undo(&mut self, area: &Area) {
        let request = NodeRequest::Undo(wire::Undo { area_id: area.id, operation_id: Uuid::now_v7() });
        let cursor = self.moved(area, Asked::Undo { area: area.id.0 }, request).await;
        if let Some(cursor) = cursor {
            self.begin(area, Why::Undo, cursor);
        }
    }

    async fn catch_up(&mut self, area: &Area) {
        let request = NodeRequest::CatchUp(wire::CatchUp { area_id: area.id, operation_id: Uuid::now_v7() });
        let cursor = self.moved(area, Asked::CatchUp { area: area.id.0 }, request).await;
        if let Some(cursor) = cursor {
            self.begin(area, Why::CatchUp, cursor);
        }
    }

    /// Asked until there is a definite answer: where the cursor is then, or that there was nothing to take back.
    async fn moved(&mut self, area: &Area, asked: Asked, request: NodeRequest) -> Option<Seq> {
        loop {
            let begun = self.scene.recorder.begin(&self.person.name, self.person.session_id, asked.clone());
            let moved = self.caller.moved(&area.name, request.clone()).await;
            begun.end(outcome(&moved, |_| Outcome::Done));
            if let Some(moved) = definite(moved) {
                return moved.ok().map(|cursor| cursor.cursor);
            }
            pause().await;
        }
    }
}
