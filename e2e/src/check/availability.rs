//! Decision 8, which is not judged but told: how long nobody could post or read around each fault, how long operations
//! took, and how long after it was posted an article was shown. Times are counted in slots, so that nothing is sorted.

use super::index::Index;
use super::seconds;
use crate::history::{Asked, By, Entry, Fault, Operation, Outcome};

use std::collections::HashMap;
use wire::Seq;

/// How exact the pauses are.
const SLOT_US: u64 = 10_000;
/// What a fault causes may come a little later: a lease or a third missed check has to run out.
const AFTERMATH_US: u64 = 10_000_000;
/// The slots of a distribution: milliseconds, up to a minute.
const SLOW_MAX_MS: usize = 60_000;

#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    pub faults: Vec<Around>,
    /// Operations of the client by outcome; those of killed ones are unknown.
    pub succeeded: usize,
    pub refused: usize,
    pub unknown: usize,
    /// Operations that the service should have done, and did not, and why: all but what people may not do.
    pub failed: Vec<String>,
    pub operation: Distribution,
    /// From the acknowledgement of a post to each follower that was shown it.
    pub delivery: Distribution,
    /// The same, of those who follow with the client's own program.
    pub client_delivery: Distribution,
    /// Articles shown to followers.
    pub delivered: usize,
}

/// What a fault did to those outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Around {
    pub what: String,
    pub began_us: u64,
    /// The longest time without one successful post, and without anything shown to anybody.
    pub without_post_ms: u64,
    pub without_read_ms: u64,
    /// The slowest operation that ended around it.
    pub slowest_ms: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Distribution {
    pub median_ms: u64,
    pub p99_ms: u64,
    pub max_ms: u64,
}

pub fn figures(entries: &[Entry]) -> Figures {
    let index = Index::of(entries);
    let (posts, reads) = activity(entries);
    let (mut slowest, mut operation) = (Slots::default(), Counted::default());
    let mut failed = vec![];
    let (mut succeeded, mut refused, mut unknown) = (0, 0, 0);
    for entry in entries {
        let Entry::Operation(one) = entry else { continue };
        let Some(ended_us) = one.ended_us.filter(|_| !one.is_attempt) else { continue };
        match &one.outcome {
            Outcome::Failed(_) => refused += 1,
            Outcome::Unknown(_) => unknown += 1,
            _ => succeeded += 1,
        }
        failed.extend(failure(one));
        let took_us = ended_us - one.began_us;
        operation.add(took_us);
        slowest.raise(ended_us, took_us);
    }
    let (mut delivery, mut client_delivery) = (Counted::default(), Counted::default());
    let mut delivered = 0;
    for shown in shown(&index, entries) {
        delivered += 1;
        let took_us = shown.at_us.saturating_sub(shown.acknowledged_us);
        delivery.add(took_us);
        if shown.by == By::Client {
            client_delivery.add(took_us);
        }
    }
    let faults = faults(entries);
    let around = faults.iter().enumerate().map(|(at, fault)| {
        // Until the next fault: what that does is told there.
        let next_us = faults.get(at + 1).map_or(u64::MAX, |next| next.began_us);
        let upto_us = (fault.ended_us + AFTERMATH_US).min(next_us);
        Around {
            what: fault.what.clone(),
            began_us: fault.began_us,
            without_post_ms: posts.longest_gap_ms(fault.began_us, upto_us),
            without_read_ms: reads.longest_gap_ms(fault.began_us, upto_us),
            slowest_ms: slowest.highest(fault.began_us, upto_us) / 1_000,
        }
    });
    Figures {
        faults: around.collect(),
        succeeded,
        refused,
        unknown,
        failed,
        operation: operation.distribution(),
        delivery: delivery.distribution(),
        client_delivery: client_delivery.distribution(),
        delivered,
    }
}

/// When anybody posted, and when anything was shown to anybody.
pub(super) fn activity(entries: &[Entry]) -> (Slots, Slots) {
    let (mut posts, mut reads) = (Slots::default(), Slots::default());
    for entry in entries {
        match entry {
            Entry::Operation(one) => {
                let Some(ended_us) = one.ended_us else { continue };
                match one.asked {
                    Asked::Post { .. } => {
                        let is_posted = one.outcome.is_success();
                        posts.raise(ended_us, u64::from(is_posted));
                        // What was posted is to be shown.
                        reads.raise(ended_us, 0);
                    }
                    _ if !one.outcome.is_success() => {}
                    Asked::Read { .. } => reads.raise(ended_us, 1),
                    _ => {}
                }
            }
            Entry::Delivery(one) => {
                reads.raise(one.at_us, 1);
            }
            _ => {}
        }
    }
    (posts, reads)
}

pub(super) fn faults(entries: &[Entry]) -> Vec<&Fault> {
    entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Fault(fault) => Some(fault),
            _ => None,
        })
        .collect()
}

/// An article that was acknowledged to its author and shown to a follower.
pub(super) struct Shown {
    pub by: By,
    pub acknowledged_us: u64,
    pub at_us: u64,
}

/// Each for the first time to each follower.
pub(super) fn shown(index: &Index<'_>, entries: &[Entry]) -> Vec<Shown> {
    let mut all = vec![];
    let mut highest: HashMap<(&str, i64), Seq> = HashMap::new();
    for entry in entries {
        let Entry::Delivery(one) = entry else { continue };
        if one.by == By::Read {
            continue; // a page that suited him; and after an undo what a catch-up had skipped
        }
        let highest = highest.entry((&one.reader, one.area)).or_default();
        let before = *highest;
        *highest = before.max(one.upto);
        // What is shown once more, after an undo, is not late.
        for given in one.articles.iter().filter(|given| given.seq > before) {
            let posted = index.posts.get(&(one.area, given.author.as_str(), given.id));
            if let Some(acknowledged_us) = posted.and_then(|posted| posted.first_acknowledged_us) {
                all.push(Shown { by: one.by, acknowledged_us, at_us: one.at_us });
            }
        }
    }
    all
}

/// A stranger's deletes are denied, and an undo may find nothing to take back: all else is a failure.
pub(super) fn failure(operation: &Operation) -> Option<String> {
    let why = match (&operation.asked, &operation.outcome) {
        (Asked::Delete { .. }, Outcome::Failed(code)) if code == "denied" => return None,
        (Asked::Undo { .. }, Outcome::Failed(code)) if code == "conflict" => return None,
        (_, Outcome::Failed(why) | Outcome::Unknown(why)) => why,
        _ => return None,
    };
    let when = seconds(operation.began_us);
    Some(format!("{when} {}: {:?}: {why}", operation.who, operation.asked))
}

/// The highest value of each slot of the run.
#[derive(Default)]
pub(super) struct Slots(Vec<u64>);

impl Slots {
    fn raise(&mut self, at_us: u64, value: u64) {
        let slot = (at_us / SLOT_US) as usize;
        if self.0.len() <= slot {
            self.0.resize(slot + 1, 0);
        }
        self.0[slot] = self.0[slot].max(value);
    }

    /// Only as far as anybody tried anything: the end of the run is no pause.
    fn between(&self, from_us: u64, upto_us: u64) -> &[u64] {
        let upto = ((upto_us / SLOT_US) as usize + 1).min(self.0.len());
        let from = ((from_us / SLOT_US) as usize).min(upto);
        &self.0[from..upto]
    }

    pub(super) fn longest_gap_ms(&self, from_us: u64, upto_us: u64) -> u64 {
        let (mut longest, mut now) = (0, 0);
        for slot in self.between(from_us, upto_us) {
            now = if *slot > 0 { 0 } else { now + 1 };
            longest = longest.max(now);
        }
        longest * SLOT_US / 1_000
    }

    fn highest(&self, from_us: u64, upto_us: u64) -> u64 {
        self.between(from_us, upto_us).iter().copied().max().unwrap_or(0)
    }
}

/// How many took each number of milliseconds.
#[derive(Default)]
struct Counted(Vec<u64>);

impl Counted {
    fn add(&mut self, took_us: u64) {
        let slot = ((took_us / 1_000) as usize).min(SLOW_MAX_MS);
        if self.0.len() <= slot {
            self.0.resize(slot + 1, 0);
        }
        self.0[slot] += 1;
    }

    fn distribution(&self) -> Distribution {
        let total: u64 = self.0.iter().sum();
        let reaching = |share: u64| {
            let mut seen = 0;
            let slot = self.0.iter().position(|count| {
                seen += count;
                seen * 100 >= total * share && seen > 0
            });
            slot.unwrap_or(0) as u64
        };
        let max_ms = self.0.len().saturating_sub(1) as u64;
        Distribution { median_ms: reaching(50), p99_ms: reaching(99), max_ms }
    }
}
