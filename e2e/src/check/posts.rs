//! Decisions 1 and 2: every acknowledged post is in the log, once, as it was posted; nothing else is; the numbers are
//! 1..last in an order that nobody saw otherwise.

use super::index::{Area, Attempts, Identity, Index, numbers};
use super::{Kind, Violation, seconds};
use crate::history::{Asked, FinalArticle, Operation, Outcome, State};

pub fn check(index: &Index<'_>, found: &mut Vec<Violation>) {
    for area in index.areas.values() {
        for article in &area.log {
            let identity = (article.area, article.author.as_str(), article.id);
            let before = index.places[&identity];
            if before != article.seq {
                let what = name(article);
                found.push(Violation::new(Kind::Doubled, format!("{what} stands at {before} too")));
            }
            content(index, article, found);
        }
        dense(area, found);
        kept(index, area, found);
        order(index, area, found);
    }
    for (identity, attempts) in &index.posts {
        let article = index.places.get(identity).and_then(|place| index.article(identity.0, *place));
        acknowledged(identity, attempts, article, found);
    }
}

fn name(article: &FinalArticle) -> String {
    format!("{} of {} in area {} at {}", article.id, article.author, article.area, article.seq)
}

/// It is what somebody tried to post, and its body is what he posted.
fn content(index: &Index<'_>, article: &FinalArticle, found: &mut Vec<Violation>) {
    let what = name(article);
    let Some(attempts) = index.posts.get(&(article.area, &article.author, article.id)) else {
        return found.push(Violation::new(Kind::Invented, format!("{what}: nobody tried to post it")));
    };
    if attempts.operations.iter().all(|one| matches!(one.outcome, Outcome::Failed(_))) {
        found.push(Violation::new(Kind::Invented, format!("{what}: it was refused each time")));
    }
    let tried = attempts.operations.iter().any(|one| posted_hash(&one.asked) == Some(article.hash));
    if !tried {
        found.push(Violation::new(Kind::Body, format!("{what} was posted with another body")));
    }
    let is_right = match article.state {
        State::Kept => article.body_hash == Some(article.hash),
        State::Deleted | State::Expired => article.body_hash.is_none(),
    };
    if !is_right {
        let state = article.state;
        found.push(Violation::new(
            Kind::Body,
            format!("{what} is {state:?}, its body is not what that means"),
        ));
    }
}

fn posted_hash(asked: &Asked) -> Option<u64> {
    match asked {
        Asked::Post { hash, .. } => Some(*hash),
        _ => None,
    }
}

/// Its acknowledgements agree with the log and with each other.
fn acknowledged(
    (area, author, id): &Identity<'_>,
    attempts: &Attempts<'_>,
    article: Option<&FinalArticle>,
    found: &mut Vec<Violation>,
) {
    let what = format!("{id} of {author} in area {area}");
    let place = article.map(|article| article.seq);
    let mut first = None;
    let mut new = 0;
    for (operation, seq, duplicate) in numbers(&attempts.operations) {
        let when = seconds(operation.ended_us.unwrap_or_default());
        new += usize::from(!duplicate);
        let before = *first.get_or_insert(seq);
        if before != seq {
            let why = format!("{what} was acknowledged as {before}, and at {when} as {seq}");
            found.push(Violation::new(Kind::Renumbered, why));
        }
        if place.is_none() {
            let why = format!("{what} was acknowledged as {seq} at {when} and is not in the log");
            found.push(Violation::new(Kind::Lost, why));
        } else if place != Some(seq) {
            let place = place.unwrap_or_default();
            let why = format!("{what} was acknowledged as {seq} at {when} and stands at {place}");
            found.push(Violation::new(Kind::Renumbered, why));
        }
        // With another body it is a conflict, whichever of them stands in the log.
        if article.is_some_and(|article| posted_hash(&operation.asked) != Some(article.hash)) {
            let why = format!("{what} was acknowledged at {when} with a body that is not the log's");
            found.push(Violation::new(Kind::Body, why));
        }
    }
    if new > 1 {
        found.push(Violation::new(Kind::Doubled, format!("{what} was acknowledged as new {new} times")));
    }
    // A repeat of what? The client repeats by itself, so that its operations do not tell; single attempts do.
    let is_known = |one: &&Operation| one.is_attempt && !matches!(one.outcome, Outcome::Unknown(_));
    if first.is_some() && new == 0 && attempts.operations.iter().all(is_known) {
        found.push(Violation::new(Kind::Doubled, format!("{what} was only ever acknowledged as a repeat")));
    }
}

fn dense(area: &Area<'_>, found: &mut Vec<Violation>) {
    let Some(head) = area.head else {
        let nowhere = area.log.first().map(|article| format!("{}: there is no such area", name(article)));
        return found.extend(nowhere.map(|why| Violation::new(Kind::Hole, why)));
    };
    let mut expected = 1;
    for article in &area.log {
        if article.seq != expected {
            let why = format!("area {}: {} comes where {expected} belongs", head.area, article.seq);
            found.push(Violation::new(Kind::Hole, why));
        }
        expected = article.seq + 1;
    }
    if head.last_seq + 1 != expected {
        let (area, last) = (head.area, head.last_seq);
        let why = format!("area {area}: the head is at {last}, the log ends at {}", expected - 1);
        found.push(Violation::new(Kind::Hole, why));
    }
    let bad = |(at, letter): (usize, char)| match letter {
        'm' => Some(Violation::new(Kind::Hole, format!("area {}: verify misses {}", head.area, at + 1))),
        'x' => Some(Violation::new(Kind::Body, format!("area {}: verify: {} is damaged", head.area, at + 1))),
        _ => None,
    };
    let Some(verified) = &head.verified else { return };
    found.extend(verified.chars().enumerate().filter_map(bad));
    let letter = |article: &&FinalArticle| match article.state {
        _ if article.seq <= head.expired_through => 'e',
        State::Kept => 'k',
        State::Deleted => 'd',
        State::Expired => 'e',
    };
    let states: String = area.log.iter().map(letter).collect();
    if *verified != states && !verified.contains(['m', 'x']) {
        let why = format!("area {}: verify says something else than the tables", head.area);
        found.push(Violation::new(Kind::Body, why));
    }
}

/// Only a prefix expires, and nothing of what the area was to keep.
fn kept(index: &Index<'_>, area: &Area<'_>, found: &mut Vec<Violation>) {
    let Some(head) = area.head else { return };
    let (area_id, through) = (head.area, head.expired_through);
    let allowed = index.keeps.get(&area_id).map_or(0, |count| (head.last_seq - count).max(0));
    if through > allowed {
        let why = format!("area {area_id}: expired through {through}, no more than {allowed} may");
        found.push(Violation::new(Kind::Expired, why));
    }
    let beyond = |article: &&&FinalArticle| article.state == State::Expired && article.seq > through;
    if let Some(article) = area.log.iter().find(beyond) {
        let why = format!("{} is expired, the area only through {through}", name(article));
        found.push(Violation::new(Kind::Expired, why));
    }
}

/// From the end: whatever stands behind this one must not have been acknowledged, or shown to anybody, before this one was
/// first tried.
fn order(index: &Index<'_>, area: &Area<'_>, found: &mut Vec<Violation>) {
    let mut earliest: Option<(u64, &FinalArticle)> = None;
    for article in area.log.iter().rev() {
        let Some(attempts) = index.posts.get(&(article.area, &article.author, article.id)) else { continue };
        if let Some((acknowledged_us, behind)) = earliest
            && acknowledged_us < attempts.first_began_us
        {
            let (when, began) = (seconds(acknowledged_us), seconds(attempts.first_began_us));
            let why = format!("{}: there at {when}, before {} began at {began}", name(behind), name(article));
            found.push(Violation::new(Kind::Order, why));
        }
        let shown_us = index.shown_us.get(&(article.area, article.seq)).copied();
        if let Some(acknowledged_us) = attempts.first_acknowledged_us.into_iter().chain(shown_us).min()
            && earliest.is_none_or(|(before, _)| acknowledged_us < before)
        {
            earliest = Some((acknowledged_us, article));
        }
    }
}
