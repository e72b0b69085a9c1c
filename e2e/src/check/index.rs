//! The history by what the decisions ask for; made in one pass.

use crate::history::{Asked, Delivery, Entry, FinalArea, FinalArticle, Operation, Outcome};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;
use wire::Seq;

/// What a post is known by, for ever.
pub type Identity<'a> = (i64, &'a str, Uuid);

#[derive(Default)]
pub struct Index<'a> {
    pub areas: BTreeMap<i64, Area<'a>>,
    pub posts: HashMap<Identity<'a>, Attempts<'a>>,
    /// Where each post stands; of one that stands there twice the first place.
    pub places: HashMap<Identity<'a>, Seq>,
    /// When the deletion of `(area, seq)` was first acknowledged, or first shown to anybody.
    pub deleted_us: HashMap<(i64, Seq), u64>,
    /// When somebody first began to delete it, unless that was refused.
    pub delete_began_us: HashMap<(i64, Seq), u64>,
    /// When `(area, seq)` was first shown to anybody: it was posted by then, whoever had no answer.
    pub shown_us: HashMap<(i64, Seq), u64>,
    /// Who tried to delete it, whatever came of it.
    pub delete_tried: HashMap<(i64, Seq), Vec<&'a Operation>>,
    /// When the end of a session was first acknowledged.
    pub ended_us: HashMap<i64, u64>,
    /// How many articles an area must keep.
    pub keeps: HashMap<i64, i64>,
}

#[derive(Default)]
pub struct Area<'a> {
    pub head: Option<&'a FinalArea>,
    /// In the order of their numbers.
    pub log: Vec<&'a FinalArticle>,
    by_seq: HashMap<Seq, &'a FinalArticle>,
}

impl<'a> Area<'a> {
    pub fn article(&self, seq: Seq) -> Option<&'a FinalArticle> {
        self.by_seq.get(&seq).copied()
    }

    pub fn expired_through(&self) -> Seq {
        self.head.map_or(0, |head| head.expired_through)
    }

    pub fn last_seq(&self) -> Seq {
        self.head.map_or(0, |head| head.last_seq)
    }
}

/// Everything that was tried with one identity.
pub struct Attempts<'a> {
    pub first_began_us: u64,
    /// `None`: never acknowledged.
    pub first_acknowledged_us: Option<u64>,
    pub operations: Vec<&'a Operation>,
}

impl<'a> Index<'a> {
    pub fn of(entries: &'a [Entry]) -> Self {
        let mut index = Self::default();
        for entry in entries {
            match entry {
                Entry::Operation(operation) => index.add(operation),
                Entry::Delivery(delivery) => index.add_shown(delivery),
                Entry::Keep(keep) => drop(index.keeps.insert(keep.area, keep.count)),
                Entry::Area(head) => index.areas.entry(head.area).or_default().head = Some(head),
                Entry::Article(article) => {
                    let area = index.areas.entry(article.area).or_default();
                    area.log.push(article);
                    area.by_seq.insert(article.seq, article);
                    let identity = (article.area, article.author.as_str(), article.id);
                    index.places.entry(identity).or_insert(article.seq);
                }
                _ => {}
            }
        }
        index
    }

    fn add(&mut self, operation: &'a Operation) {
        let acknowledged_us = operation.ended_us.filter(|_| operation.outcome.is_success());
        match &operation.asked {
            Asked::Post { area, id, .. } => {
                let attempts = self.posts.entry((*area, &operation.who, *id)).or_insert_with(|| Attempts {
                    first_began_us: operation.began_us,
                    first_acknowledged_us: None,
                    operations: vec![],
                });
                attempts.first_began_us = attempts.first_began_us.min(operation.began_us);
                let before = attempts.first_acknowledged_us;
                attempts.first_acknowledged_us = before.into_iter().chain(acknowledged_us).min();
                attempts.operations.push(operation);
            }
            Asked::Delete { area, seq } => {
                self.delete_tried.entry((*area, *seq)).or_default().push(operation);
                let began_us =
                    (!matches!(operation.outcome, Outcome::Failed(_))).then_some(operation.began_us);
                earliest(&mut self.delete_began_us, (*area, *seq), began_us);
                earliest(&mut self.deleted_us, (*area, *seq), acknowledged_us);
            }
            Asked::EndSession { session } => earliest(&mut self.ended_us, *session, acknowledged_us),
            _ => {}
        }
    }

    fn add_shown(&mut self, delivery: &Delivery) {
        for given in &delivery.articles {
            earliest(&mut self.shown_us, (delivery.area, given.seq), Some(delivery.at_us));
        }
        for seq in &delivery.deleted {
            earliest(&mut self.deleted_us, (delivery.area, *seq), Some(delivery.at_us));
        }
    }

    pub fn article(&self, area: i64, seq: Seq) -> Option<&'a FinalArticle> {
        self.areas.get(&area)?.article(seq)
    }

    /// When the post of this article was first tried.
    pub fn began_us(&self, article: &FinalArticle) -> Option<u64> {
        let identity = (article.area, article.author.as_str(), article.id);
        self.posts.get(&identity).map(|attempts| attempts.first_began_us)
    }
}

fn earliest<K: std::hash::Hash + Eq>(times: &mut HashMap<K, u64>, key: K, time_us: Option<u64>) {
    if let Some(time_us) = time_us {
        times.entry(key).and_modify(|first| *first = time_us.min(*first)).or_insert(time_us);
    }
}

/// The numbers that acknowledgements of these gave.
pub fn numbers<'a>(operations: &'a [&Operation]) -> impl Iterator<Item = (&'a Operation, Seq, bool)> {
    operations.iter().filter_map(|operation| match operation.outcome {
        Outcome::Posted { seq, duplicate } => Some((*operation, seq, duplicate)),
        _ => None,
    })
}
