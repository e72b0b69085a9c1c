//! Decision 6: once the end of a session was acknowledged, nothing is done with it and nothing new delivered to it.

use super::index::Index;
use super::{Kind, Violation, seconds};
use crate::history::Entry;

pub fn check(index: &Index<'_>, entries: &[Entry], found: &mut Vec<Violation>) {
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
                for given in &delivery.articles {
                    let began_us =
                        index.article(delivery.area, given.seq).and_then(|article| index.began_us(article));
                    if let Some(began_us) = began_us
                        && began_us > *ended_us
                    {
                        let (area, seq, began) = (delivery.area, given.seq, seconds(began_us));
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
