//! Decision 4: only the author deletes; what was acknowledged as deleted is shown by no later read.

use super::index::Index;
use super::{Kind, Violation, seconds};
use crate::history::{Asked, Entry, Outcome, State};

pub fn check(index: &Index<'_>, entries: &[Entry], found: &mut Vec<Violation>) {
    for entry in entries {
        match entry {
            Entry::Operation(operation) => {
                let Asked::Delete { area, seq } = operation.asked else { continue };
                if !operation.outcome.is_success() {
                    continue;
                }
                let (who, when) = (&operation.who, seconds(operation.ended_us.unwrap_or_default()));
                let article = index.article(area, seq);
                if let Some(article) = article
                    && article.author != *who
                {
                    let author = &article.author;
                    let why = format!("{who} deleted {area}#{seq} of {author} at {when}");
                    found.push(Violation::new(Kind::ForeignDelete, why));
                }
                if article.is_none_or(|article| article.state == State::Kept) {
                    let why = format!("{who} had {area}#{seq} deleted at {when}, and it is not");
                    found.push(Violation::new(Kind::Deletion, why));
                }
            }
            Entry::Article(article) if article.state == State::Deleted => {
                let tried = index.delete_tried.get(&(article.area, article.seq));
                let by_author = tried.into_iter().flatten().any(|operation| {
                    operation.who == article.author && !matches!(operation.outcome, Outcome::Failed(_))
                });
                if !by_author {
                    let why =
                        format!("{}#{} is deleted, and its author never asked", article.area, article.seq);
                    found.push(Violation::new(Kind::Deletion, why));
                }
            }
            Entry::Delivery(delivery) => {
                for given in &delivery.articles {
                    let deleted_us = index.deleted_us.get(&(delivery.area, given.seq));
                    if let Some(deleted_us) = deleted_us
                        && *deleted_us < delivery.asked_us
                    {
                        let (reader, area, seq) = (&delivery.reader, delivery.area, given.seq);
                        let (deleted, asked) = (seconds(*deleted_us), seconds(delivery.asked_us));
                        let why = format!(
                            "{reader} asked at {asked} and was shown {area}#{seq}, deleted at {deleted}"
                        );
                        found.push(Violation::new(Kind::ShownAfterDelete, why));
                    }
                }
            }
            _ => {}
        }
    }
}
