//! Decision 5: unread counts, once nothing moves any more, are those of the definition: what is kept after the cursor.

use super::index::Index;
use super::{Kind, Violation};
use crate::history::{Asked, Entry, Outcome, State};
use std::collections::{HashMap, HashSet};
use wire::Seq;

pub fn check(index: &Index<'_>, entries: &[Entry], found: &mut Vec<Violation>) {
    // How many of each area are kept up to each number: so that a count takes one subtraction.
    let kept: HashMap<i64, Vec<i64>> = index.areas.iter().map(|(area, of)| (*area, kept_upto(of))).collect();
    let mut cursors: HashMap<(&str, i64), Seq> = HashMap::new();
    for entry in entries {
        if let Entry::Subscription(of) = entry {
            cursors.insert((&of.user, of.area), of.cursor);
        }
    }
    let mut told: HashSet<(&str, i64)> = HashSet::new();
    for entry in entries {
        let Entry::Operation(operation) = entry else { continue };
        let (Asked::QuietUnread { area }, Outcome::Unread { cursor, unread, last_seq }) =
            (&operation.asked, &operation.outcome)
        else {
            continue;
        };
        let who = &operation.who;
        told.insert((who, *area));
        let Some(kept) = kept.get(area) else {
            found.push(Violation::new(
                Kind::Unread,
                format!("{who} is told of area {area}, which is not there"),
            ));
            continue;
        };
        if let Some(known) = cursors.get(&(who.as_str(), *area))
            && known != cursor
        {
            let why = format!("{who} is told that he has read area {area} up to {cursor}, it is {known}");
            found.push(Violation::new(Kind::Unread, why));
        }
        let at = |seq: Seq| kept.get(seq.clamp(0, kept.len() as Seq - 1) as usize).copied().unwrap_or(0);
        let expected = at(*last_seq) - at(*cursor);
        if *unread != expected {
            let why =
                format!("{who} is told {unread} unread in area {area} after {cursor}, there are {expected}");
            found.push(Violation::new(Kind::Unread, why));
        }
        let head = index.areas.get(area).map_or(0, |area| area.last_seq());
        if *last_seq != head {
            let why = format!("{who} is told that area {area} goes up to {last_seq}, it goes up to {head}");
            found.push(Violation::new(Kind::Unread, why));
        }
    }
    // Where it was asked at all, everybody was told of everything.
    for (who, area) in cursors.keys().filter(|one| !told.is_empty() && !told.contains(*one)) {
        let why = format!("{who} is subscribed to area {area} and is not told what is unread there");
        found.push(Violation::new(Kind::Unread, why));
    }
}

fn kept_upto(area: &super::index::Area<'_>) -> Vec<i64> {
    let mut kept = vec![0];
    for seq in 1..=area.last_seq() {
        // What has expired keeps its body for a moment.
        let is_kept = seq > area.expired_through()
            && area.article(seq).is_some_and(|article| article.state == State::Kept);
        kept.push(kept[kept.len() - 1] + i64::from(is_kept));
    }
    kept
}
