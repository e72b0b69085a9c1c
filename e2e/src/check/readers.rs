//! Decision 3: what each reader was shown is what stood between his start and his cursor, rising, each number once,
//! across reconnects and nodes; after his own crash he may be shown again what was not yet marked.

use super::index::Index;
use super::{Kind, Violation, seconds};
use crate::history::{Asked, Delivery, Entry, FinalSubscription, Given, Reading, State, Why};
use std::collections::{HashMap, HashSet};
use wire::Seq;

/// One reader in one area, as the deliveries so far leave him.
struct Place {
    session: i64,
    /// The last number that he was shown, or his start.
    shown: Seq,
    /// After a crash the first delivery may begin anywhere from here to just behind `shown`.
    resumes_after: Option<Seq>,
    /// The service told him that he has read up to here: his cursor is never before it, unless he takes that back.
    marked: Seq,
    is_silent: bool,
}

pub fn check(index: &Index<'_>, entries: &[Entry], found: &mut Vec<Violation>) {
    let mut places: HashMap<(&str, i64), Place> = HashMap::new();
    let mut subscribed: HashSet<(&str, i64)> = HashSet::new();
    for entry in entries {
        match entry {
            Entry::Reading(reading) => begin(index, &mut places, reading, found),
            Entry::Operation(operation) if operation.outcome.is_success() => {
                let Asked::Mark { area, upto } = operation.asked else { continue };
                if let Some(place) = places.get_mut(&(operation.who.as_str(), area)) {
                    place.marked = place.marked.max(upto);
                }
            }
            Entry::Delivery(delivery) => {
                content(index, delivery, found);
                let place = places.get_mut(&(delivery.reader.as_str(), delivery.area));
                match place {
                    Some(place) => take(place, delivery, found),
                    None => found.push(Violation::new(
                        Kind::Different,
                        format!("{} was shown area {} and had not begun", delivery.reader, delivery.area),
                    )),
                }
            }
            Entry::Subscription(subscription) => {
                subscribed.insert((&subscription.user, subscription.area));
                end(index, &places, subscription, found);
            }
            _ => {}
        }
    }
    // Who cannot be judged, since his subscription is not there any more. Guests are gone with their sessions.
    for ((reader, area), place) in &places {
        if !index.ended_us.contains_key(&place.session) && !subscribed.contains(&(*reader, *area)) {
            let why = format!("{reader} is not subscribed to area {area} any more, and never ended that");
            found.push(Violation::new(Kind::Missed, why));
        }
    }
}

fn begin<'a>(
    index: &Index<'_>,
    places: &mut HashMap<(&'a str, i64), Place>,
    reading: &'a Reading,
    found: &mut Vec<Violation>,
) {
    let Reading { reader, session, area, at_us, why, start, marked } = reading;
    let who = format!("{reader} in area {area} at {}", seconds(*at_us));
    let mut told = |kind, what: String| found.push(Violation::new(kind, format!("{who}: {what}")));
    let began_us = index.article(*area, *start).and_then(|article| index.began_us(article));
    if *start > 0 && began_us.is_none_or(|began_us| began_us > *at_us) {
        told(Kind::Missed, format!("goes on after {start}, which nobody had posted"));
    }
    let fresh = Place {
        session: *session,
        shown: *start,
        resumes_after: None,
        marked: *start,
        is_silent: *why == Why::Silent,
    };
    let Some(place) = places.get_mut(&(reader.as_str(), *area)) else {
        places.insert((reader, *area), fresh);
        return;
    };
    let shown = place.shown;
    match why {
        Why::Begin | Why::Silent => told(Kind::Different, "begins for the second time".into()),
        Why::CatchUp if *start < shown => told(Kind::Repeated, format!("caught up from {shown} to {start}")),
        Why::Undo if *start > shown => told(Kind::Missed, format!("undo went forward to {start}")),
        Why::CatchUp | Why::Undo => *place = fresh,
        Why::Crash => {
            if *start > shown {
                told(Kind::Missed, format!("the cursor is {start}, shown was only {shown}"));
            }
            let marked = place.marked.max(*marked);
            if *start < marked {
                told(Kind::Repeated, format!("goes on after {start}, marked was {marked}"));
            }
            place.marked = marked.max(*start);
            place.resumes_after = Some(*start);
        }
    }
}

fn take(place: &mut Place, delivery: &Delivery, found: &mut Vec<Violation>) {
    let Delivery { reader, area, from, upto, .. } = delivery;
    let who = format!("{reader} in area {area} at {}", seconds(delivery.at_us));
    let expected = place.shown + 1;
    let earliest = place.resumes_after.take().map_or(expected, |after| (after + 1).min(expected));
    if *from > expected {
        let why = format!("{who}: shown from {from}, {expected} was to come");
        found.push(Violation::new(Kind::Missed, why));
    }
    if *from < earliest {
        let why = format!("{who}: shown from {from} again, {earliest} was to come");
        found.push(Violation::new(Kind::Repeated, why));
    }
    if upto + 1 < *from {
        let why = format!("{who}: shown from {from} to {upto}");
        found.push(Violation::new(Kind::Different, why));
    }
    place.shown = *upto;
}

/// Every number of `from..=upto` once, rising, and each what the log has there.
fn content(index: &Index<'_>, delivery: &Delivery, found: &mut Vec<Violation>) {
    let Delivery { reader, area, .. } = delivery;
    let when = seconds(delivery.at_us);
    let expired = index.areas.get(area).map_or(0, |area| area.expired_through());
    if delivery.expired_through > expired {
        let told = delivery.expired_through;
        let why = format!(
            "{reader} at {when}: told that area {area} is expired through {told}, it is through {expired}"
        );
        found.push(Violation::new(Kind::Missed, why));
    }
    let mut articles = delivery.articles.iter().peekable();
    let mut deleted = delivery.deleted.iter().peekable();
    for seq in delivery.from.max(delivery.expired_through + 1)..=delivery.upto {
        let given = articles.next_if(|given| given.seq == seq);
        let is_deleted = deleted.next_if(|other| **other == seq).is_some();
        match (given, is_deleted) {
            (Some(given), false) => is_in_log(index, delivery, given, found),
            (None, true) => {
                let is_kept = index.article(*area, seq).is_none_or(|article| article.state == State::Kept);
                let began_us = index.delete_began_us.get(&(*area, seq));
                if is_kept && seq > expired || began_us.is_none_or(|began_us| *began_us > delivery.at_us) {
                    let why = format!("{reader} at {when}: {area}#{seq} was shown as deleted and was not");
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
    let began_us = article.and_then(|article| index.began_us(article));
    if began_us.is_some_and(|began_us| began_us > delivery.at_us) {
        let (reader, when) = (&delivery.reader, seconds(delivery.at_us));
        let (area, seq) = (delivery.area, given.seq);
        let why = format!("{reader} at {when}: {area}#{seq} was shown before anybody posted it");
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
    if place.is_silent {
        let start = place.shown;
        if start != *cursor {
            let why =
                format!("{user} in area {area}: never read, and the cursor went from {start} to {cursor}");
            found.push(Violation::new(Kind::Missed, why));
        }
        return;
    }
    if *cursor < place.marked {
        let why = format!("{user} in area {area}: the cursor is {cursor}, marked was {}", place.marked);
        found.push(Violation::new(Kind::Repeated, why));
    }
    if place.shown < *cursor {
        let why = format!("{user} in area {area}: the cursor is {cursor}, shown was only {}", place.shown);
        found.push(Violation::new(Kind::Missed, why));
    }
    let Some(known) = index.areas.get(area) else { return };
    if place.shown < known.last_seq() {
        let (shown, last) = (place.shown, known.last_seq());
        let why = format!("{user} in area {area}: shown up to {shown} when all was quiet, there are {last}");
        found.push(Violation::new(Kind::Missed, why));
    }
}
