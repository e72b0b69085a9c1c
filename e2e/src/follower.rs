//! Somebody who follows areas as the client does: from the cursor, through whatever node answers, acknowledging what was
//! shown with the next request.

use crate::person::{Answer, Person, pause};
use uuid::Uuid;
use wire::{AreaId, ErrorReply, FollowArea, Page, Seq, Shown};

/// One thing that a follower was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Article(AreaId, Seq, String),
    Deleted(AreaId, Seq),
    /// The area is over for him.
    Ended(AreaId, ErrorReply),
}

pub struct Follower {
    pub person: Person,
    /// The node asked next; after a failure the one behind it.
    pub node: usize,
    /// Answers that brought something, by node.
    pub pages_from: Vec<usize>,
    places: Vec<FollowArea>,
    reading_id: Uuid,
    wait_ms: u32,
}

impl Follower {
    /// From the cursors of the subscriptions.
    pub async fn start(person: &Person, node: usize, areas: &[AreaId]) -> Self {
        let subscriptions = person.subscriptions().await;
        let cursor = |area_id| subscriptions.iter().find(|one| one.area_id == area_id).unwrap().cursor;
        let place = |area_id: &AreaId| FollowArea { area_id: *area_id, after: cursor(*area_id), shown: None };
        Self {
            node,
            pages_from: vec![0; person.nodes.len()],
            places: areas.iter().map(place).collect(),
            person: person.clone(),
            reading_id: Uuid::now_v7(),
            wait_ms: 10_000,
        }
    }

    /// One long poll at one node, whatever it answers.
    pub async fn poll(&mut self) -> Answer<Vec<Seen>> {
        let (pages, ended) = self.person.follow(self.node, self.places.clone(), self.wait_ms).await?;
        for place in &mut self.places {
            place.shown = None; // it arrived, since it was answered
        }
        let mut seen = vec![];
        for page in pages {
            self.pages_from[self.node] += 1;
            self.take(page, &mut seen);
        }
        for end in ended {
            self.places.retain(|place| place.area_id != end.area_id);
            seen.push(Seen::Ended(end.area_id, end.error));
        }
        Ok(seen)
    }

    /// What comes next, from whatever node has it; waits for as long as it takes.
    pub async fn next(&mut self) -> Vec<Seen> {
        loop {
            match self.poll().await {
                Ok(seen) if seen.is_empty() => {}
                Ok(seen) => return seen,
                Err(error) if error.code.is_retryable() => {
                    self.node = (self.node + 1) % self.person.nodes.len();
                    pause().await;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    fn take(&mut self, page: Page, seen: &mut Vec<Seen>) {
        let place = self.places.iter_mut().find(|place| place.area_id == page.area_id).unwrap();
        assert_eq!(page.from, place.after + 1, "I3: a page that does not go on where the last one ended");
        assert!(page.upto >= page.from, "a page of nothing: {page:?}");
        place.after = page.upto;
        place.shown = Some(Shown {
            from: page.from,
            upto: page.upto,
            generation: page.generation,
            reading_id: self.reading_id,
        });
        let articles = page.articles.into_iter();
        let mut of_page: Vec<(Seq, Seen)> = articles
            .map(|article| (article.seq, Seen::Article(page.area_id, article.seq, article.body)))
            .chain(page.deleted.into_iter().map(|seq| (seq, Seen::Deleted(page.area_id, seq))))
            .collect();
        of_page.sort_by_key(|(seq, _)| *seq);
        seen.extend(of_page.into_iter().map(|(_, seen)| seen));
    }
}
