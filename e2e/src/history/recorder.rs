//! Collects a history in memory: writing it somewhere would slow down what is being watched.

use super::{Asked, Delivery, Entry, Operation, Outcome, Reading, file};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A clone writes into the same history.
#[derive(Clone)]
pub struct Recorder {
    started: Instant,
    entries: Arc<Mutex<Vec<Entry>>>,
}

/// An operation that has begun. Dropped without an end its outcome stays unknown, as of somebody who was killed.
pub struct Begun<'a> {
    recorder: &'a Recorder,
    place: usize,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { started: Instant::now(), entries: Arc::default() }
    }
}

impl Recorder {
    /// Since the run began.
    pub fn now_us(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// An operation of the client, with all its repeats.
    pub fn begin(&self, who: &str, session: i64, asked: Asked) -> Begun<'_> {
        self.begun(who, session, false, asked)
    }

    /// One attempt at one server.
    pub fn attempt(&self, who: &str, session: i64, asked: Asked) -> Begun<'_> {
        self.begun(who, session, true, asked)
    }

    fn begun(&self, who: &str, session: i64, is_attempt: bool, asked: Asked) -> Begun<'_> {
        let operation = Operation {
            who: who.into(),
            session,
            is_attempt,
            began_us: self.now_us(),
            ended_us: None,
            asked,
            outcome: Outcome::Unknown("no answer".into()),
        };
        Begun { recorder: self, place: self.put(Entry::Operation(operation)) }
    }

    pub fn reading(&self, reading: Reading) {
        self.put(Entry::Reading(reading));
    }

    pub fn delivered(&self, delivery: Delivery) {
        self.put(Entry::Delivery(delivery));
    }

    /// Its place in the history.
    pub fn put(&self, entry: Entry) -> usize {
        let mut entries = self.entries.lock().unwrap();
        entries.push(entry);
        entries.len() - 1
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }

    /// What there is so far of everything that began, or was shown, from this time on.
    pub fn since(&self, from_us: u64) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap();
        let is_before = |entry: &Entry| match entry {
            Entry::Operation(one) => one.began_us < from_us,
            Entry::Delivery(one) => one.at_us < from_us,
            _ => false,
        };
        let from = entries.iter().rposition(is_before).map_or(0, |at| at + 1);
        entries[from..].to_vec()
    }

    /// Whatever panics until this is dropped, the history so far is kept.
    pub fn kept_in_a_panic(&self, name: &str, seed: u64) -> KeptInPanic {
        self.kept_in_a_panic_at(file::kept(name, seed))
    }

    pub fn kept_in_a_panic_at(&self, path: PathBuf) -> KeptInPanic {
        KeptInPanic { recorder: self.clone(), path }
    }

    /// Looks at what there is so far.
    pub fn look<T>(&self, look: impl FnOnce(&[Entry]) -> T) -> T {
        look(&self.entries.lock().unwrap())
    }
}

pub struct KeptInPanic {
    recorder: Recorder,
    path: PathBuf,
}

impl Drop for KeptInPanic {
    #[allow(clippy::print_stderr)] // whoever runs a test must find it
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A second panic would end the process before it could say anything.
            match file::write(&self.path, &self.recorder.entries()) {
                Ok(()) => eprintln!("the history so far is in {}", self.path.display()),
                Err(error) => eprintln!("the history is lost: {error:#}"),
            }
        }
    }
}

impl Begun<'_> {
    pub fn end(self, outcome: Outcome) {
        let now_us = self.recorder.now_us();
        let mut entries = self.recorder.entries.lock().unwrap();
        if let Entry::Operation(operation) = &mut entries[self.place] {
            operation.ended_us = Some(now_us);
            operation.outcome = outcome;
        }
    }
}
