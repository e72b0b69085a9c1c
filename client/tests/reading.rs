//! Reading and following against servers that record what they are told: only what was shown is marked (I3).
#![allow(clippy::unwrap_used)]

mod fake;

use fake::{AREA, Fake, Person};
use gaceta::exit::Signal;
use gaceta::stop::Stop;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use uuid::Uuid;
use wire::{
    Article, Cursor, ErrorCode, ErrorReply, FollowArea, FollowEnded, Mark, NodeReply, NodeRequest, Page,
    ReadFrom, Shown,
};

const LAST: i64 = 5;

fn article(seq: i64) -> Article {
    Article { seq, id: Uuid::nil(), author: "bob".into(), posted_at_us: seq, body: format!("article {seq}") }
}

/// From `from` up to `upto`, all of them articles.
fn page(from: i64, upto: i64, generation: i64) -> Page {
    Page {
        area_id: AREA,
        from,
        upto,
        generation,
        cursor: 0,
        last_seq: LAST,
        expired_through: 0,
        articles: (from..=upto).map(article).collect(),
        deleted: Vec::new(),
        more: upto < LAST,
    }
}

fn marked(marks: &[Mark]) -> NodeReply {
    let cursor =
        |mark: &Mark| Ok(Cursor { cursor: mark.shown.upto, generation: mark.shown.generation, unread: 0 });
    NodeReply::Marked(wire::Marked { cursors: marks.iter().map(cursor).collect() })
}

/// A node that serves pages of two, and the `shown` of every request that it gets.
async fn reading_node() -> (Fake, Arc<Mutex<Vec<Option<Shown>>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let node = Fake::node(move |request| {
        let reply = match request {
            NodeRequest::Read(wire::Read { from, limit, shown, .. }) => {
                tell.lock().unwrap().push(shown);
                let from = match from {
                    ReadFrom::Unread | ReadFrom::Start => 1,
                    ReadFrom::After(seq) => seq + 1,
                    ReadFrom::Other(number) => panic!("nobody reads from {number}"),
                };
                Ok(NodeReply::Page(page(from, LAST.min(from + i64::from(limit.min(2)) - 1), 1)))
            }
            NodeRequest::MarkRead(wire::MarkRead { marks }) => {
                tell.lock().unwrap().extend(marks.iter().map(|mark| Some(mark.shown)));
                Ok(marked(&marks))
            }
            other => panic!("{other:?}"),
        };
        async { reply }
    })
    .await;
    (node, told)
}

fn places(told: &Mutex<Vec<Option<Shown>>>) -> Vec<Option<(i64, i64)>> {
    std::mem::take(&mut *told.lock().unwrap())
        .into_iter()
        .map(|shown| shown.map(|s| (s.from, s.upto)))
        .collect()
}

#[tokio::test]
async fn i3_pages_become_one_object_and_are_marked_after_it_was_written() {
    let (node, told) = reading_node().await;
    let agent = Fake::agent(vec![node.address.clone()], 0, LAST).await;
    let ana = Person::log_in(&agent).await;
    assert_eq!(ana.run("read news").await, 0);
    let read = ana.printed().remove(0);
    assert_eq!((&read["from"], &read["upto"], &read["more"]), (&1.into(), &5.into(), &false.into()));
    assert_eq!(read["articles"].as_array().map(Vec::len), Some(5));
    assert_eq!(places(&told), [None, None, None, Some((1, 5))]);

    assert_eq!(ana.run("read news --limit 3").await, 0);
    let read = ana.printed().remove(0);
    assert_eq!((&read["upto"], &read["more"]), (&3.into(), &true.into()));
    assert_eq!(places(&told), [None, None, Some((1, 3))]);

    assert_eq!(ana.run("read news --keep --after 3").await, 0);
    assert_eq!(places(&told), [None], "nothing is marked");

    assert_eq!(ana.run("read").await, 0);
    assert_eq!(ana.printed().last().unwrap()["area"], "News");
}

/// Standard output whose reader has gone.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn i3_what_could_not_be_written_is_not_marked() {
    let (node, told) = reading_node().await;
    let agent = Fake::agent(vec![node.address.clone()], 0, LAST).await;
    let ana = Person::log_in(&agent).await;
    let code = ana.run_writing("read news", &Stop::default(), Arc::new(Mutex::new(Closed))).await;
    assert_eq!(code, 0);
    assert!(ana.complained().is_empty(), "a closed pipe is worth no word");
    assert!(places(&told).iter().all(Option::is_none));
}

/// Answers follows from a script: each answer is given once to whoever asks next.
type Answer = Result<NodeReply, ErrorReply>;

async fn following_node(answers: Vec<Answer>, asked: mpsc::UnboundedSender<Told>) -> Fake {
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    Fake::node(move |request| {
        let answer = match request {
            NodeRequest::Follow(wire::Follow { areas, .. }) => {
                let _ = asked.send(Told::Follow(areas));
                answers.lock().unwrap().next()
            }
            NodeRequest::MarkRead(wire::MarkRead { marks }) => {
                let reply = marked(&marks);
                let _ = asked.send(Told::Mark(marks));
                Some(Ok(reply))
            }
            other => panic!("{other:?}"),
        };
        async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await, // nothing new
            }
        }
    })
    .await
}

#[derive(Debug)]
enum Told {
    Follow(Vec<FollowArea>),
    Mark(Vec<Mark>),
}

impl Told {
    /// Where the next reply begins, and what was shown.
    fn follow(self) -> (i64, Option<(i64, i64, i64)>) {
        let Self::Follow(areas) = self else { panic!("{self:?}") };
        (areas[0].after, areas[0].shown.map(|s| (s.from, s.upto, s.generation)))
    }
}

fn followed(page: Page) -> Answer {
    Ok(NodeReply::Followed(wire::Followed { pages: vec![page], ended: Vec::new() }))
}

#[tokio::test]
async fn i3_a_follower_goes_on_where_it_was_and_marks_what_it_showed() {
    let (tell, mut told) = mpsc::unbounded_channel();
    // The first node drains after two articles; the second one's reply shows that another device has undone.
    let draining = Err(ErrorReply::new(ErrorCode::Draining, "leaving"));
    let first = following_node(vec![followed(page(1, 2, 1)), draining], tell.clone()).await;
    let second = following_node(vec![followed(page(3, 3, 1)), followed(page(4, 5, 2))], tell).await;
    let agent = Fake::agent(vec![first.address.clone(), second.address.clone()], 0, LAST).await;
    let ana = Person::log_in(&agent).await;
    let stop = Stop::default();
    let watch = async {
        let mut next = async || told.recv().await.unwrap();
        assert_eq!(next().await.follow(), (0, None));
        assert_eq!(next().await.follow(), (2, Some((1, 2, 1))), "the first, before it drains");
        assert_eq!(next().await.follow(), (2, Some((1, 2, 1))), "the second, which has not heard of it");
        assert_eq!(next().await.follow(), (3, Some((1, 3, 1))));
        // What was shown before the new generation no longer counts.
        assert_eq!(next().await.follow(), (5, Some((4, 5, 2))));
        stop.raise(Signal::Terminate);
        let Told::Mark(marks) = next().await else { panic!() };
        assert_eq!((marks[0].shown.from, marks[0].shown.upto), (4, 5));
    };
    let (code, ()) = tokio::join!(ana.run_until("follow", &stop), watch);
    assert_eq!(code, 143);
    let seqs: Vec<i64> = ana.printed().iter().map(|line| line["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn i3_a_page_from_elsewhere_is_neither_repeated_nor_skipped_to() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let answers = vec![followed(page(2, 3, 1)), followed(page(1, 1, 1))];
    let node = following_node(answers, tell).await;
    let agent = Fake::agent(vec![node.address.clone()], 0, LAST).await;
    let ana = Person::log_in(&agent).await;
    let stop = Stop::default();
    let watch = async {
        for after in [0, 0, 1] {
            assert_eq!(told.recv().await.unwrap().follow().0, after);
        }
        stop.raise(Signal::Interrupt);
    };
    tokio::join!(ana.run_until("follow news", &stop), watch);
    assert_eq!(ana.printed().len(), 1);
}

#[tokio::test]
async fn following_only_the_new_leaves_the_unread_unread() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let node = following_node(vec![followed(page(6, 6, 1))], tell).await;
    let agent = Fake::agent(vec![node.address.clone()], 2, LAST).await;
    let ana = Person::log_in(&agent).await;
    let stop = Stop::default();
    let watch = async {
        assert_eq!(told.recv().await.unwrap().follow(), (5, None));
        assert_eq!(told.recv().await.unwrap().follow(), (6, Some((6, 6, 1))), "not from 3");
        stop.raise(Signal::Interrupt);
    };
    tokio::join!(ana.run_until("follow --new", &stop), watch);
}

#[tokio::test]
async fn i5_a_follower_ends_with_its_last_area_and_with_its_session() {
    let ended = |code| {
        let error = ErrorReply::new(code, "over");
        Ok(NodeReply::Followed(wire::Followed {
            pages: Vec::new(),
            ended: vec![FollowEnded { area_id: AREA, error }],
        }))
    };
    let revoked = Err(ErrorReply::new(ErrorCode::Unauthenticated, "session ended"));
    for (answer, code) in [(ended(ErrorCode::NotFound), 3), (ended(ErrorCode::Denied), 5), (revoked, 4)] {
        let (tell, _told) = mpsc::unbounded_channel();
        let node = following_node(vec![answer], tell).await;
        let agent = Fake::agent(vec![node.address.clone()], 0, LAST).await;
        let ana = Person::log_in(&agent).await;
        assert_eq!(ana.run("follow").await, code);
    }
}

#[tokio::test]
async fn i3_who_is_told_to_stop_while_an_article_is_being_marked_begins_with_no_other() {
    let stop = Stop::default();
    let raised = stop.clone();
    let node = Fake::node(move |request| {
        let reply = match request {
            NodeRequest::Follow(_) => followed(page(1, 2, 1)),
            NodeRequest::MarkRead(wire::MarkRead { marks }) => {
                raised.raise(Signal::Terminate);
                Ok(marked(&marks))
            }
            other => panic!("{other:?}"),
        };
        async { reply }
    })
    .await;
    let agent = Fake::agent(vec![node.address.clone()], 0, LAST).await;
    let ana = Person::log_in(&agent).await;
    let log = ana.dir.path().join("log");
    let line = format!("follow --exec sh -c 'echo $GACETA_SEQ >> {}'", log.display());
    assert_eq!(ana.run_until(&line, &stop).await, 143);
    assert_eq!(std::fs::read_to_string(log).unwrap(), "1\n");
}
