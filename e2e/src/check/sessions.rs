//! Decision 6: once the end of a session was acknowledged, nothing is done with it and nothing new delivered to it.

use super::index::Index;
use super::{Kind, Violation, seconds};
use crate::history::{Entry, Outcome};

pub fn check(index: &Index<'_>, entries: &[Entry], found: &mut Vec<Violation>) {
    posted(index, found);
    for entry in entries {
        match entry {
            Entry::Operation(operation) => {
                let Some(ended_us) = index.ended_us.get(&operation.session) else { continue };
                if operation.outcome.is_success() && operation.began_us > *ended_us {
                    let (who, asked) = (&operation.who, &operation.asked);
                    let (began, ended) = (seconds(operation.began_us), seconds(*ended_us));
                    let session = operation.session;
                    let why = format!(
                        "{who} was served {asked:?} that began at {began}, session {session} had ended at {ended}"
                    );
                    found.push(Violation::new(Kind::Revoked, why));
                }
            }
            Entry::Delivery(delivery) => {
                let Some(ended_us) = index.ended_us.get(&delivery.session) else { continue };
                let (reader, session, ended) = (&delivery.reader, delivery.session, seconds(*ended_us));
                if delivery.asked_us > *ended_us {
                    let asked = seconds(delivery.asked_us);
                    let why = format!(
                        "{reader} was answered, asking at {asked}: session {session} had ended at {ended}"
                    );
                    found.push(Violation::new(Kind::Revoked, why));
                }
                // One who waited may still be given what was there before; what was posted later never.
                let given = delivery.articles.iter().map(|given| given.seq);
                for seq in given.chain(delivery.deleted.iter().copied()) {
                    let article = index.article(delivery.area, seq);
                    let began_us = article.and_then(|article| index.began_us(article));
                    if let Some(began_us) = began_us
                        && began_us > *ended_us
                    {
                        let (area, began) = (delivery.area, seconds(began_us));
                        let why = format!(
                            "{reader} was given {area}#{seq}, posted at {began}: session {session} had ended at {ended}"
                        );
                        found.push(Violation::new(Kind::Revoked, why));
                    }
                }
            }
            _ => {}
        }
    }
}

/// What stands in the log was posted with a session that had not ended, though nobody may have heard of that.
fn posted(index: &Index<'_>, found: &mut Vec<Violation>) {
    for ((area, author, id), attempts) in &index.posts {
        let mut tried =
            attempts.operations.iter().filter(|one| !matches!(one.outcome, Outcome::Failed(_))).peekable();
        let was_ended = |session: i64, began_us: u64| {
            index.ended_us.get(&session).is_some_and(|ended_us| began_us > *ended_us)
        };
        if tried.peek().is_some()
            && tried.all(|one| was_ended(one.session, one.began_us))
            && index.places.contains_key(&(*area, *author, *id))
        {
            let began = seconds(attempts.first_began_us);
            let why =
                format!("{id} of {author} is in area {area}, tried at {began} with a session that had ended");
            found.push(Violation::new(Kind::Revoked, why));
        }
    }
}
