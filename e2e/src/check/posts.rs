//! Decisions 1 and 2: every acknowledged post is in the log, once, as it was posted; nothing else is; the numbers are
//! 1..last in an order that nobody saw otherwise.

use super::index::{Area, Attempts, Identity, Index, numbers};
use super::{Kind, Violation, seconds};
use crate::history::{Asked, FinalArticle, State};
use std::collections::HashMap;
use wire::Seq;

pub fn check(index: &Index<'_>, found: &mut Vec<Violation>) {
    let mut places: HashMap<Identity<'_>, Seq> = HashMap::new();
    for area in index.areas.values() {
        for article in &area.log {
            let identity = (article.area, article.author.as_str(), article.id);
            if let Some(before) = places.insert(identity, article.seq) {
                let what = name(article);
                found.push(Violation::new(Kind::Doubled, format!("{what} stands at {before} too")));
            }
            content(index, article, found);
        }
        dense(area, found);
        order(index, area, found);
    }
    for (identity, attempts) in &index.posts {
        acknowledged(identity, attempts, places.get(identity).copied(), found);
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
    place: Option<Seq>,
    found: &mut Vec<Violation>,
) {
    let what = format!("{id} of {author} in area {area}");
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
    }
    if new > 1 {
        found.push(Violation::new(Kind::Doubled, format!("{what} was acknowledged as new {new} times")));
    }
}

fn dense(area: &Area<'_>, found: &mut Vec<Violation>) {
    let Some(head) = area.head else { return };
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
    let states: String = area.log.iter().map(|article| letter(article.state)).collect();
    if *verified != states && !verified.contains(['m', 'x']) {
        let why = format!("area {}: verify says something else than the tables", head.area);
        found.push(Violation::new(Kind::Body, why));
    }
}

fn letter(state: State) -> char {
    match state {
        State::Kept => 'k',
        State::Deleted => 'd',
        State::Expired => 'e',
    }
}

/// From the end: whatever stands behind this one must not have been acknowledged before this one was first tried.
fn order(index: &Index<'_>, area: &Area<'_>, found: &mut Vec<Violation>) {
    let mut earliest: Option<(u64, &FinalArticle)> = None;
    for article in area.log.iter().rev() {
        let Some(attempts) = index.posts.get(&(article.area, &article.author, article.id)) else { continue };
        if let Some((acknowledged_us, behind)) = earliest
            && acknowledged_us < attempts.first_began_us
        {
            let (when, began) = (seconds(acknowledged_us), seconds(attempts.first_began_us));
            let why = format!(
                "{}: acknowledged at {when}, before {} began at {began}",
                name(behind),
                name(article)
            );
            found.push(Violation::new(Kind::Order, why));
        }
        if let Some(acknowledged_us) = attempts.first_acknowledged_us
            && earliest.is_none_or(|(before, _)| acknowledged_us < before)
        {
            earliest = Some((acknowledged_us, article));
        }
    }
}
