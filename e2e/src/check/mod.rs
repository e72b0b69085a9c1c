//! Judges a history: eight decisions, in time linear in its length (hash maps, and a constant number of passes; the final
//! log comes in the order of its numbers).
//!
//! - [`index`]: the history by what the decisions ask for.
//! - [`posts`]: 1 and 2, what was posted is there, once, in order. [`readers`]: 3, nobody missed or repeated anything.
//! - [`deletes`]: 4. [`unread`]: 5. [`sessions`]: 6. [`leaders`]: 7. [`availability`]: 8, figures that nobody judges;
//!   [`phases`], those of a service that others change meanwhile.

pub mod availability;
pub mod deletes;
pub mod index;
pub mod leaders;
pub mod phases;
pub mod posts;
pub mod readers;
pub mod sessions;
#[cfg(test)]
mod tests;
pub mod unread;

use crate::history::{Asked, Entry, Operation, Outcome, State, Why};
use index::Index;
use std::fmt;

/// More would bury what is wrong; how many there are is told.
const SHOWN_MAX: usize = 20;

/// What was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 1: an acknowledged post is not in the log.
    Lost,
    /// 1: it is there more than once, or was acknowledged as new more than once.
    Doubled,
    /// 1: something is there that nobody tried to post.
    Invented,
    /// 1: the body is not the one that was posted, or is gone though nobody deleted it.
    Body,
    /// 1: expired, and its area was to keep it.
    Expired,
    /// 2: the numbers are not 1..last.
    Hole,
    /// 2: acknowledged before the other began, and yet behind it.
    Order,
    /// 2: a repeat got another number.
    Renumbered,
    /// 3: a reader was not shown what stood between his start and his cursor.
    Missed,
    /// 3: shown again though it was marked, or twice in one reading.
    Repeated,
    /// 3: what was shown is not what stands in the log.
    Different,
    /// 4: somebody deleted what is another's.
    ForeignDelete,
    /// 4: shown by a read that began after its deletion was acknowledged.
    ShownAfterDelete,
    /// 4: deleted, and nobody with the right to it asked for that; or acknowledged as deleted, and still there.
    Deletion,
    /// 5: an unread count that is not the model's.
    Unread,
    /// 6: an ended session was served.
    Revoked,
    /// 7: epochs that do not rise, or a write with an older one, or with one that nobody held.
    Epoch,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    pub kind: Kind,
    /// Whole, with the ids, numbers and times that it is about.
    pub sentence: String,
}

impl Violation {
    pub fn new(kind: Kind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.sentence)
    }
}

/// Everything that is wrong with this history.
pub fn check(entries: &[Entry]) -> Vec<Violation> {
    let index = Index::of(entries);
    let mut found = vec![];
    posts::check(&index, &mut found);
    readers::check(&index, entries, &mut found);
    deletes::check(&index, entries, &mut found);
    unread::check(&index, entries, &mut found);
    sessions::check(&index, entries, &mut found);
    leaders::check(entries, &mut found);
    found
}

/// How often there was something to decide: a run in which nothing was deleted says nothing about deletes.
pub fn occasions(entries: &[Entry]) -> Vec<(&'static str, usize)> {
    let count = |is_one: fn(&Entry) -> bool| entries.iter().filter(|entry| is_one(entry)).count();
    let done = |is_one: fn(&Asked) -> bool| {
        let done = entries.iter().filter(|entry| match entry {
            Entry::Operation(one) => one.outcome.is_success() && is_one(&one.asked),
            _ => false,
        });
        done.count()
    };
    let begun = |why: Why| {
        let begun = entries.iter().filter(|entry| matches!(entry, Entry::Reading(one) if one.why == why));
        begun.count()
    };
    vec![
        ("acknowledged posts", done(|asked| matches!(asked, Asked::Post { .. }))),
        (
            "acknowledged repeats",
            count(|entry| match entry {
                Entry::Operation(one) => matches!(one.outcome, Outcome::Posted { duplicate: true, .. }),
                _ => false,
            }),
        ),
        (
            "expired articles",
            count(|entry| matches!(entry, Entry::Article(one) if one.state == State::Expired)),
        ),
        ("shown articles", count(|entry| matches!(entry, Entry::Delivery(one) if !one.articles.is_empty()))),
        ("crashes", begun(Why::Crash)),
        ("undos", begun(Why::Undo)),
        ("catch-ups", begun(Why::CatchUp)),
        ("deletes", done(|asked| matches!(asked, Asked::Delete { .. }))),
        (
            "deletes refused",
            count(|entry| match entry {
                Entry::Operation(Operation { asked: Asked::Delete { .. }, outcome, .. }) => {
                    matches!(outcome, Outcome::Failed(_))
                }
                _ => false,
            }),
        ),
        ("unread counts", done(|asked| matches!(asked, Asked::QuietUnread { .. }))),
        ("ended sessions", done(|asked| matches!(asked, Asked::EndSession { .. }))),
        ("leader writes", count(|entry| matches!(entry, Entry::LeaderWrite(_)))),
    ]
}

/// The violations as text, the first of many.
pub fn told(violations: &[Violation]) -> String {
    let mut text: String =
        violations.iter().take(SHOWN_MAX).map(|violation| format!("  {violation}\n")).collect();
    if violations.len() > SHOWN_MAX {
        text += &format!("  and {} more\n", violations.len() - SHOWN_MAX);
    }
    text
}

/// A time of the run, for a person.
pub fn seconds(us: u64) -> String {
    format!("{:.3} s", us as f64 / 1e6)
}
