//! Decision 3: what each reader was shown is what stood between his start and his cursor, rising, each number once,
//! across reconnects and nodes; after his own crash he may be shown again what was not yet marked.

use super::index::Index;
use super::{Kind, Violation, seconds};
use crate::history::{Delivery, Entry, FinalSubscription, Given, Reading, State, Why};
use std::collections::HashMap;
use wire::Seq;

/// One reader in one area, as the deliveries so far leave him.
struct Place {
    /// The last number that he was shown, or his start.
    shown: Seq,
    /// After a crash the first delivery may begin anywhere from here to just behind `shown`.
    resumes_after: Option<Seq>,
}

pub fn check(index: &Index<'_>, entries: &[Entry], found: &mut Vec<Violation>) {
    let mut places: HashMap<(&str, i64), Place> = HashMap::new();
    for entry in entries {
        match entry {
            Entry::Reading(reading) => begin(&mut places, reading, found),
            Entry::Delivery(delivery) => {
                content(index, delivery, found);
                let place = places.get_mut(&(delivery.reader.as_str(), delivery.area));
                match place {
                    Some(place) => take(index, place, delivery, found),
                    None => found.push(Violation::new(
                        Kind::Different,
                        format!("{} was shown area {} and had not begun", delivery.reader, delivery.area),
                    )),
                }
            }
            Entry::Subscription(subscription) => end(index, &places, subscription, found),
            _ => {}
        }
    }
}

fn begin<'a>(places: &mut HashMap<(&'a str, i64), Place>, reading: &'a Reading, found: &mut Vec<Violation>) {
    let key = (reading.reader.as_str(), reading.area);
    let start = reading.start;
    let Some(place) = places.get_mut(&key) else {
        places.insert(key, Place { shown: start, resumes_after: None });
        return;
    };
    let Reading { reader, area, marked, .. } = reading;
    let when = seconds(reading.at_us);
    match reading.why {
        Why::Begin | Why::CatchUp => *place = Place { shown: start, resumes_after: None },
        Why::Undo if start > place.shown => {
            let why = format!("{reader} in area {area} at {when}: undo went forward to {start}");
            found.push(Violation::new(Kind::Missed, why));
        }
        Why::Undo => *place = Place { shown: start, resumes_after: None },
        Why::Crash => {
            let shown = place.shown;
            if start > shown {
                let why = format!(
                    "{reader} in area {area} at {when}: the cursor is {start}, shown was only {shown}"
                );
                found.push(Violation::new(Kind::Missed, why));
            }
            if start < *marked {
                let why =
                    format!("{reader} in area {area} at {when}: goes on after {start}, marked was {marked}");
                found.push(Violation::new(Kind::Repeated, why));
            }
            place.resumes_after = Some(start);
        }
    }
}

fn take(index: &Index<'_>, place: &mut Place, delivery: &Delivery, found: &mut Vec<Violation>) {
    let Delivery { reader, area, from, upto, .. } = delivery;
    let when = seconds(delivery.at_us);
    let expected = place.shown + 1;
    let earliest = place.resumes_after.take().map_or(expected, |after| (after + 1).min(expected));
    if *from > expected && expired_through(index, delivery) + 1 < *from {
        let why = format!("{reader} in area {area} at {when}: shown from {from}, {expected} was to come");
        found.push(Violation::new(Kind::Missed, why));
    }
    if *from < earliest {
        let why =
            format!("{reader} in area {area} at {when}: shown from {from} again, {earliest} was to come");
        found.push(Violation::new(Kind::Repeated, why));
    }
    place.shown = *upto;
}

/// What had expired by the end, or was told to have: a reader may be shown less.
fn expired_through(index: &Index<'_>, delivery: &Delivery) -> Seq {
    let known = index.areas.get(&delivery.area).map_or(0, |area| area.expired_through());
    known.max(delivery.expired_through)
}

/// Every number of `from..=upto` once, rising, and each what the log has there.
fn content(index: &Index<'_>, delivery: &Delivery, found: &mut Vec<Violation>) {
    let Delivery { reader, area, .. } = delivery;
    let when = seconds(delivery.at_us);
    let mut articles = delivery.articles.iter().peekable();
    let mut deleted = delivery.deleted.iter().peekable();
    for seq in delivery.from.max(delivery.expired_through + 1)..=delivery.upto {
        let given = articles.next_if(|given| given.seq == seq);
        let is_deleted = deleted.next_if(|other| **other == seq).is_some();
        match (given, is_deleted) {
            (Some(given), false) => is_in_log(index, delivery, given, found),
            (None, true) => {
                if index.article(*area, seq).is_none_or(|article| article.state == State::Kept) {
                    let why = format!("{reader} at {when}: {area}#{seq} was shown as deleted and is not");
                    found.push(Violation::new(Kind::Different, why));
                }
            }
            (None, false) => {
                let why = format!("{reader} at {when}: {area}#{seq} was left out");
                found.push(Violation::new(Kind::Missed, why));
            }
            (Some(_), true) => {
                let why = format!("{reader} at {when}: {area}#{seq} was shown, and as deleted");
                found.push(Violation::new(Kind::Different, why));
            }
        }
    }
    for seq in articles.map(|given| &given.seq).chain(deleted) {
        let why = format!("{reader} at {when}: {area}#{seq} out of order, or twice");
        found.push(Violation::new(Kind::Repeated, why));
    }
}

fn is_in_log(index: &Index<'_>, delivery: &Delivery, given: &Given, found: &mut Vec<Violation>) {
    let article = index.article(delivery.area, given.seq);
    let same = article.is_some_and(|article| {
        (article.id, article.author.as_str(), article.hash) == (given.id, given.author.as_str(), given.hash)
    });
    if !same {
        let (reader, when) = (&delivery.reader, seconds(delivery.at_us));
        let (area, seq, id) = (delivery.area, given.seq, given.id);
        let why = format!("{reader} at {when}: {area}#{seq} was shown as {id}, the log has something else");
        found.push(Violation::new(Kind::Different, why));
    }
}

/// In the end, when all is quiet: he was shown everything up to his cursor, and everything that there is.
fn end(
    index: &Index<'_>,
    places: &HashMap<(&str, i64), Place>,
    subscription: &FinalSubscription,
    found: &mut Vec<Violation>,
) {
    let FinalSubscription { user, area, cursor } = subscription;
    let Some(place) = places.get(&(user.as_str(), *area)) else { return };
    if place.shown < *cursor {
        let why = format!("{user} in area {area}: the cursor is {cursor}, shown was only {}", place.shown);
        found.push(Violation::new(Kind::Missed, why));
    }
    let Some(known) = index.areas.get(area) else { return };
    if place.shown < known.last_seq() && known.expired_through() < known.last_seq() {
        let (shown, last) = (place.shown, known.last_seq());
        let why = format!("{user} in area {area}: shown up to {shown} when all was quiet, there are {last}");
        found.push(Violation::new(Kind::Missed, why));
    }
}
