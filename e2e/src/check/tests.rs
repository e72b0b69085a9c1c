//! A good history passes; for each thing that may go wrong there is a bad one, and it is called by its name.

use super::{Kind, check};
use crate::history::file;
use crate::history::*;
use uuid::Uuid;
use wire::Seq;

const MS: u64 = 1_000;
const AREA: i64 = 1;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn operation(who: &str, session: i64, ms: (u64, u64), asked: Asked, outcome: Outcome) -> Entry {
    let (began_us, ended_us) = (ms.0 * MS, Some(ms.1 * MS));
    let is_attempt = false;
    Entry::Operation(Operation { who: who.into(), session, is_attempt, began_us, ended_us, asked, outcome })
}

fn post(number: u128, ms: (u64, u64), seq: Seq) -> Entry {
    let asked = Asked::Post { area: AREA, id: id(number), hash: number as u64 };
    operation("ana", 1, ms, asked, Outcome::Posted { seq, duplicate: false })
}

fn article(number: u128, seq: Seq, state: State) -> Entry {
    let hash = number as u64;
    let body_hash = (state == State::Kept).then_some(hash);
    Entry::Article(FinalArticle {
        area: AREA,
        seq,
        id: id(number),
        author: "ana".into(),
        state,
        hash,
        body_hash,
    })
}

fn reading(why: Why, at_ms: u64, start: Seq, marked: Seq) -> Entry {
    let at_us = at_ms * MS;
    Entry::Reading(Reading { reader: "bob".into(), session: 2, area: AREA, at_us, why, start, marked })
}

fn shown(ms: (u64, u64), articles: &[(Seq, u128)], deleted: &[Seq]) -> Entry {
    let mut numbers: Vec<Seq> = articles.iter().map(|(seq, _)| *seq).chain(deleted.iter().copied()).collect();
    numbers.sort_unstable();
    let given = |(seq, number): &(Seq, u128)| Given {
        seq: *seq,
        id: id(*number),
        author: "ana".into(),
        hash: *number as u64,
    };
    Entry::Delivery(Delivery {
        reader: "bob".into(),
        session: 2,
        by: By::Client,
        area: AREA,
        asked_us: ms.0 * MS,
        at_us: ms.1 * MS,
        from: numbers[0],
        upto: numbers[numbers.len() - 1],
        expired_through: 0,
        articles: articles.iter().map(given).collect(),
        deleted: deleted.to_vec(),
    })
}

fn area(last_seq: Seq, verified: &str) -> Entry {
    let verified = Some(verified.into());
    Entry::Area(FinalArea { area: AREA, name: "news".into(), last_seq, expired_through: 0, verified })
}

fn unread(cursor: Seq, unread: i64) -> Entry {
    let asked = Asked::QuietUnread { area: AREA };
    operation("bob", 2, (900, 901), asked, Outcome::Unread { cursor, unread, last_seq: 4 })
}

fn quiet(who: &str, cursor: Seq, unread: i64) -> Entry {
    let asked = Asked::QuietUnread { area: AREA };
    operation(who, 7, (900, 901), asked, Outcome::Unread { cursor, unread, last_seq: 4 })
}

fn delete(who: &str, seq: Seq, ms: (u64, u64), outcome: Outcome) -> Entry {
    operation(who, 1, ms, Asked::Delete { area: AREA, seq }, outcome)
}

fn leader(at_ms: u64, holder: u128, epoch: i64) -> Entry {
    Entry::Leader(LeaderSeen { at_us: at_ms * MS, holder: Some(id(holder)), epoch })
}

fn write(row: &str, epoch: i64) -> Entry {
    write_to("events", row, epoch, epoch * 10)
}

fn write_to(table: &str, row: &str, epoch: i64, at_us: i64) -> Entry {
    Entry::LeaderWrite(LeaderWrite { table: table.into(), row: row.into(), epoch, at_us })
}

fn mark(upto: Seq, ms: (u64, u64)) -> Entry {
    operation("bob", 2, ms, Asked::Mark { area: AREA, upto }, Outcome::Done)
}

fn subscription(user: &str, cursor: Seq) -> Entry {
    Entry::Subscription(FinalSubscription { user: user.into(), area: AREA, cursor })
}

/// Expired through this number.
fn expired(last_seq: Seq, verified: &str, expired_through: Seq) -> Entry {
    let Entry::Area(area) = area(last_seq, verified) else { panic!() };
    Entry::Area(FinalArea { expired_through, ..area })
}

/// A post by one attempt at one node.
fn attempt(number: u128, session: i64, ms: (u64, u64), outcome: Outcome) -> Entry {
    let asked = Asked::Post { area: AREA, id: id(number), hash: number as u64 };
    let Entry::Operation(one) = operation("ana", session, ms, asked, outcome) else { panic!() };
    Entry::Operation(Operation { is_attempt: true, ..one })
}

/// Somebody who is subscribed and never reads.
fn silent(start: Seq) -> Entry {
    let Entry::Reading(reading) = reading(Why::Silent, 0, start, start) else { panic!() };
    Entry::Reading(Reading { reader: "ida".into(), session: 7, ..reading })
}

/// Four posts, the second one deleted; bob is shown two, crashes, is shown one again and the others.
fn good() -> Vec<Entry> {
    let ended = operation("eve", 3, (500, 510), Asked::EndSession { session: 4 }, Outcome::Done);
    let refused = delete("eve", 1, (300, 310), Outcome::Failed("denied".into()));
    let late = operation("eve", 4, (520, 530), Asked::Read { area: AREA }, Outcome::Failed("denied".into()));
    vec![
        reading(Why::Begin, 0, 0, 0),
        post(11, (10, 20), 1),
        post(12, (30, 40), 2),
        shown((5, 50), &[(1, 11), (2, 12)], &[]),
        delete("ana", 2, (60, 70), Outcome::Done),
        refused,
        reading(Why::Crash, 100, 1, 1),
        post(13, (110, 130), 4),
        post(14, (115, 125), 3),
        shown((140, 150), &[(3, 14), (4, 13)], &[2]),
        ended,
        late,
        leader(0, 1, 1),
        leader(10, 2, 2),
        unread(4, 0),
        area(4, "kdkk"),
        article(11, 1, State::Kept),
        article(12, 2, State::Deleted),
        article(14, 3, State::Kept),
        article(13, 4, State::Kept),
        subscription("bob", 4),
        write("1", 1),
        write("2", 2),
    ]
}

/// The good one with these changed: `None` takes an entry away, `Some` puts one in its place.
fn bad(at: usize, entry: Option<Entry>) -> Vec<Entry> {
    let mut entries = good();
    match entry {
        Some(entry) => entries[at] = entry,
        None => drop(entries.remove(at)),
    }
    entries
}

fn with(entry: Entry) -> Vec<Entry> {
    let mut entries = good();
    entries.insert(entries.len() - 3, entry);
    entries
}

#[track_caller]
fn assert_found(entries: &[Entry], kind: Kind) {
    let found = check(entries);
    assert!(found.iter().any(|violation| violation.kind == kind), "no {kind:?} in {found:#?}");
}

#[test]
fn a_good_history_passes_and_survives_its_file() {
    assert_eq!(check(&good()), []);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.jsonl");
    file::write(&path, &good()).unwrap();
    assert_eq!(file::read(&path).unwrap(), good());
}

#[test]
fn decision_1_what_is_lost_doubled_invented_or_changed_is_found() {
    let mut lost = bad(19, None);
    lost[15] = area(3, "kdk");
    assert_found(&lost, Kind::Lost);
    assert_found(&with(article(11, 5, State::Kept)), Kind::Doubled);
    assert_found(&with(post(11, (200, 210), 1)), Kind::Doubled); // as new for the second time
    assert_found(&with(article(99, 5, State::Kept)), Kind::Invented);
    assert_found(&bad(1, Some(post(11, (10, 20), 2))), Kind::Renumbered);
    let mut other_body = good();
    let Entry::Article(first) = &mut other_body[16] else { panic!() };
    (first.hash, first.body_hash) = (5, Some(5));
    assert_found(&other_body, Kind::Body);
    assert_found(&bad(15, Some(area(4, "kdxk"))), Kind::Body);
    assert_found(&bad(15, Some(area(4, "kkkk"))), Kind::Body);
}

#[test]
fn decision_1_what_was_refused_or_is_somebody_elses_body_is_found() {
    let refused = |is_attempt| {
        let asked = Asked::Post { area: AREA, id: id(11), hash: 11 };
        let Entry::Operation(one) = operation("ana", 1, (10, 20), asked, Outcome::Failed("denied".into()))
        else {
            panic!()
        };
        Entry::Operation(Operation { is_attempt, ..one })
    };
    assert_found(&bad(1, Some(refused(true))), Kind::Invented);
    // Two bodies under one id, both acknowledged: one of them is not there.
    let asked = Asked::Post { area: AREA, id: id(11), hash: 12 };
    let other = operation("ana", 1, (200, 210), asked, Outcome::Posted { seq: 1, duplicate: true });
    assert_found(&with(other), Kind::Body);
    // A repeat of nothing.
    let repeat = attempt(11, 1, (10, 20), Outcome::Posted { seq: 1, duplicate: true });
    assert_found(&bad(1, Some(repeat.clone())), Kind::Doubled);
    let mut unknown = bad(1, Some(repeat));
    unknown.insert(1, attempt(11, 1, (5, 20), Outcome::Unknown("no answer".into())));
    assert_eq!(check(&unknown), []);
}

#[test]
fn decision_1_what_expires_though_it_was_to_be_kept_is_found() {
    assert_found(&bad(15, Some(expired(4, "eeek", 3))), Kind::Expired); // its area keeps everything
    let mut too_many = expired_good();
    too_many[15] = expired(4, "eeee", 4);
    assert_found(&too_many, Kind::Expired);
    // No prefix.
    let mut inside = expired_good();
    inside[15] = expired(4, "eekk", 2);
    inside[18] = article(14, 3, State::Expired);
    assert_found(&inside, Kind::Expired);
    // An area that nobody knows.
    assert_found(&bad(15, None), Kind::Hole);
}

#[test]
fn decision_2_holes_wrong_order_and_other_numbers_are_found() {
    assert_found(&bad(15, Some(area(5, "kdkk"))), Kind::Hole);
    assert_found(&bad(15, Some(area(4, "kdmk"))), Kind::Hole);
    assert_found(&bad(18, None), Kind::Hole);
    // 14 stands before 13: right, since they overlapped. If 13 had been acknowledged before, it would not be.
    assert_found(&bad(7, Some(post(13, (105, 112), 4))), Kind::Order);
    let asked = Asked::Post { area: AREA, id: id(11), hash: 11 };
    let repeat = operation("ana", 1, (200, 210), asked, Outcome::Posted { seq: 3, duplicate: true });
    assert_found(&with(repeat), Kind::Renumbered);
    // 13 got no answer; but somebody had been shown it before 14 began, which stands before it.
    let mut seen = good();
    seen[7] = attempt(13, 1, (105, 106), Outcome::Unknown("no answer".into()));
    seen[9] = shown((107, 110), &[(3, 14), (4, 13)], &[2]);
    assert_found(&seen, Kind::Order);
}

#[test]
fn decision_3_what_a_reader_missed_was_shown_again_or_wrong_is_found() {
    assert_found(&bad(9, Some(shown((140, 150), &[(4, 13)], &[]))), Kind::Missed);
    assert_found(&bad(9, Some(shown((140, 150), &[(3, 14)], &[2]))), Kind::Missed); // not up to the end
    assert_found(&bad(9, Some(shown((140, 150), &[(4, 13)], &[2]))), Kind::Missed); // a number left out
    assert_found(&bad(9, Some(shown((140, 150), &[(1, 11), (3, 14), (4, 13)], &[2]))), Kind::Repeated);
    assert_found(&bad(9, Some(shown((140, 150), &[(4, 13), (3, 14)], &[2]))), Kind::Repeated);
    assert_found(&bad(9, Some(shown((140, 150), &[(3, 13), (4, 14)], &[2]))), Kind::Different);
    assert_found(&bad(9, Some(shown((140, 150), &[(3, 14)], &[2, 4]))), Kind::Different);
    // After the crash the cursor is further than what was shown, or behind what was marked.
    assert_found(&bad(6, Some(reading(Why::Crash, 100, 3, 1))), Kind::Missed);
    assert_found(&bad(6, Some(reading(Why::Crash, 100, 0, 1))), Kind::Repeated);
    // Without a crash nothing is shown again.
    assert_found(&bad(6, Some(reading(Why::CatchUp, 100, 2, 0))), Kind::Repeated);
    assert_found(&bad(20, Some(subscription("bob", 5))), Kind::Missed);
}

#[test]
fn decision_3_readers_who_vanish_or_never_read_are_judged_too() {
    assert_found(&bad(20, None), Kind::Missed); // his subscription is gone, and nobody ended it
    assert_found(&bad(9, None), Kind::Missed); // he was shown nothing any more
    // What was marked stays marked, though he never crashes again.
    let mut forgotten = with(mark(4, (160, 170)));
    assert_eq!(check(&forgotten), []);
    forgotten[21] = subscription("bob", 2);
    assert_found(&forgotten, Kind::Repeated);
    // His cursor went back by itself: the second crash finds it before the first one's.
    let mut back = good();
    back.insert(10, reading(Why::Crash, 160, 0, 0));
    assert_found(&back, Kind::Repeated);
    assert_found(&with(reading(Why::Begin, 200, 4, 4)), Kind::Different);
    // After an undo he is shown everything from there on, to the end.
    assert_found(&with(reading(Why::Undo, 200, 2, 2)), Kind::Missed);
    assert_found(&with(reading(Why::CatchUp, 200, 1, 1)), Kind::Repeated);
    // Nothing is read for who never reads.
    let mut listening = good();
    listening.insert(0, silent(0));
    listening.push(subscription("ida", 0));
    listening.push(quiet("ida", 0, 3));
    assert_eq!(check(&listening), []);
    listening[24] = subscription("ida", 4);
    assert_found(&listening, Kind::Missed);
}

#[test]
fn decision_3_what_was_shown_too_early_or_as_gone_is_found() {
    // A cursor that is where nobody has posted yet.
    let mut ahead = good();
    ahead[6] = reading(Why::CatchUp, 100, 3, 3);
    ahead[9] = shown((140, 150), &[(4, 13)], &[]);
    assert_found(&ahead, Kind::Missed);
    assert_found(&bad(9, Some(shown((60, 112), &[(3, 14), (4, 13)], &[2]))), Kind::Different); // 14 began at 115
    assert_found(&bad(9, Some(shown((40, 50), &[(3, 14), (4, 13)], &[2]))), Kind::Different); // deleted from 60 on
    // Told that it is expired, which it is not.
    let mut gap = good();
    let Entry::Delivery(delivery) = &mut gap[9] else { panic!() };
    (delivery.expired_through, delivery.articles, delivery.deleted) = (4, vec![], vec![]);
    assert_found(&gap, Kind::Missed);
    // Left out, and expired only later: nobody told him.
    let mut later = expired_good();
    assert_eq!(check(&later), []);
    later[9] = shown((140, 150), &[(4, 13)], &[]);
    assert_found(&later, Kind::Missed);
}

/// The same, where the area keeps one article, and the others have expired in the end; one has its body still.
fn expired_good() -> Vec<Entry> {
    let mut entries = good();
    entries[15] = expired(4, "eeek", 3);
    entries[16] = article(11, 1, State::Expired);
    entries.push(Entry::Keep(AreaKeep { area: AREA, count: 1 }));
    entries
}

#[test]
fn decision_4_deletes_by_others_and_what_is_shown_after_one_are_found() {
    assert_found(&bad(5, Some(delete("eve", 1, (300, 310), Outcome::Done))), Kind::ForeignDelete);
    assert_found(&bad(5, Some(delete("eve", 1, (300, 310), Outcome::Done))), Kind::Deletion);
    assert_found(&bad(4, None), Kind::Deletion);
    assert_found(&bad(9, Some(shown((140, 150), &[(2, 12), (3, 14), (4, 13)], &[]))), Kind::ShownAfterDelete);
    // Its author had no answer; but somebody was shown already that it is gone.
    let mut unknown = good();
    unknown[4] = delete("ana", 2, (60, 70), Outcome::Unknown("no answer".into()));
    unknown.insert(10, shown((160, 170), &[(2, 12), (3, 14), (4, 13)], &[]));
    unknown.insert(10, reading(Why::Undo, 155, 1, 1));
    assert_found(&unknown, Kind::ShownAfterDelete);
}

#[test]
fn decision_5_a_wrong_unread_count_is_found() {
    let told = |cursor, count| {
        let mut entries = bad(14, Some(unread(cursor, count)));
        entries[20] = subscription("bob", cursor);
        entries
    };
    assert_found(&told(3, 2), Kind::Unread);
    assert_found(&told(1, 3), Kind::Unread); // the deleted one does not count
    assert_eq!(check(&told(1, 2)), []);
    // He is told of another cursor than he has; of nothing, while others are; of an area that is not there.
    assert_found(&bad(14, Some(unread(3, 1))), Kind::Unread);
    assert_found(&with(subscription("ida", 4)), Kind::Unread);
    let asked = Asked::QuietUnread { area: 9 };
    let outcome = Outcome::Unread { cursor: 0, unread: 0, last_seq: 0 };
    assert_found(&with(operation("bob", 2, (900, 901), asked, outcome)), Kind::Unread);
    // What has expired is not unread, though its body may still be there.
    let mut expired = expired_good();
    expired[14] = unread(0, 1);
    expired[20] = subscription("bob", 0);
    expired[6] = reading(Why::Crash, 100, 1, 0);
    assert!(check(&expired).iter().all(|violation| violation.kind != Kind::Unread));
}

#[test]
fn decision_6_whatever_an_ended_session_still_gets_is_found() {
    let read = operation("eve", 4, (520, 530), Asked::Read { area: AREA }, Outcome::Done);
    assert_found(&bad(11, Some(read)), Kind::Revoked);
    let overlapping = operation("eve", 4, (505, 530), Asked::Read { area: AREA }, Outcome::Done);
    assert_eq!(check(&bad(11, Some(overlapping))), [], "it began before the end was acknowledged");
    // Bob's session ended while he waited, or before he asked.
    let ended = |ms| operation("ana", 1, (ms, ms + 5), Asked::EndSession { session: 2 }, Outcome::Done);
    let mut waiting = with(ended(104));
    waiting[9] = shown((100, 150), &[(3, 14), (4, 13)], &[2]);
    assert_found(&waiting, Kind::Revoked);
    assert_found(&with(ended(132)), Kind::Revoked);
    // Ana's second session ended before this was tried with it; no answer came, and yet it stands there.
    let mut written = with(operation("ana", 1, (90, 95), Asked::EndSession { session: 5 }, Outcome::Done));
    written[8] = attempt(14, 5, (115, 125), Outcome::Unknown("no answer".into()));
    assert_found(&written, Kind::Revoked);
    written[8] = attempt(14, 5, (92, 125), Outcome::Unknown("no answer".into()));
    assert_eq!(check(&written), [], "it was on its way when the session ended");
}

#[test]
fn decision_7_an_older_epoch_is_found() {
    assert_found(&bad(13, Some(leader(10, 2, 0))), Kind::Epoch);
    assert_found(&bad(13, Some(leader(10, 2, 1))), Kind::Epoch); // two of the same epoch
    assert_found(&bad(22, Some(write("2", 0))), Kind::Epoch);
    // Into another table, where the next leader has written nothing yet.
    assert_found(&with(write_to("load_samples", "x", 1, 25)), Kind::Epoch);
    assert_eq!(check(&with(write_to("load_samples", "x", 1, 15))), []);
    assert_found(&bad(22, Some(write("2", 3))), Kind::Epoch); // nobody ever held that
}

#[test]
fn decision_8_pauses_and_latencies_are_told() {
    let fault =
        Fault { what: "node 1 killed".into(), without_database: false, began_us: 25 * MS, ended_us: 30 * MS };
    let figures = super::availability::figures(&with(Entry::Fault(fault)));
    let around = &figures.faults[0];
    // From the second post (40 ms) to the fourth (125 ms); nothing was shown from 50 ms to 150 ms.
    assert_eq!((around.without_post_ms, around.without_read_ms), (70, 90));
    assert_eq!(around.slowest_ms, 20);
    assert_eq!((figures.succeeded, figures.refused, figures.unknown), (7, 2, 0));
    assert_eq!((figures.delivered, figures.delivery.max_ms), (4, 30));
    // Who reads when it suits him does not tell how long anything took.
    let mut reads = good();
    let Entry::Delivery(delivery) = &mut reads[9] else { panic!() };
    delivery.by = By::Read;
    let figures = super::availability::figures(&reads);
    assert_eq!((figures.delivered, figures.delivery.max_ms, figures.client_delivery.max_ms), (2, 30, 30));
    // A service that never comes back: until the last one who tried.
    let asked = Asked::Post { area: AREA, id: id(15), hash: 15 };
    let vain = operation("ana", 1, (200, 9_200), asked, Outcome::Unknown("no answer".into()));
    let fault = Fault {
        what: "all killed".into(),
        without_database: false,
        began_us: 150 * MS,
        ended_us: 9_300 * MS,
    };
    let mut never = with(vain);
    never.push(Entry::Fault(fault));
    let around = super::availability::figures(&never).faults.remove(0);
    assert!(around.without_post_ms > 9_000 && around.without_read_ms > 9_000, "{around:?}");
}
