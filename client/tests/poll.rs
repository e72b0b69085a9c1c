//! Long polls that go on whatever breaks: who is asked next, and what is told of an outage.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

mod fake;

use fake::{Fake, WATCHDOG, nobody};
use gaceta::service::candidates::{Candidate, resolve_all};
use gaceta::service::failure::Failure;
use gaceta::service::outage::insist;
use gaceta::service::poll::Poll;
use gaceta::service::session::{Access, Session};
use gaceta::service::tell::{Tell, Told};
use gaceta::service::transport::Addresses;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::timeout;
use wire::{ErrorCode, ErrorReply, NodeReply, NodeRequest, ReplyBody, RequestBody};

struct Servers(Vec<String>);

impl Addresses for Servers {
    async fn round(&mut self, _round: u32) -> Result<Vec<Candidate>, Failure> {
        resolve_all(self.0.clone()).await
    }

    fn what(&self) -> &'static str {
        "a node"
    }
}

/// What was told of outages, and whether one was.
#[derive(Clone, Default)]
struct Ears {
    told: Arc<Mutex<Vec<&'static str>>>,
    is_away: Arc<AtomicBool>,
}

impl Ears {
    fn tell(&self) -> Tell {
        let ears = self.clone();
        Tell::new(move |told| match told {
            Told::Away(_) => {
                ears.told.lock().unwrap().push("away");
                ears.is_away.store(true, Ordering::SeqCst);
            }
            Told::Back => ears.told.lock().unwrap().push("back"),
            _ => {}
        })
    }

    fn heard(&self) -> Vec<&'static str> {
        self.told.lock().unwrap().clone()
    }
}

fn session(ears: &Ears) -> Session {
    let access = Access {
        agents: vec![],
        last_agent: None,
        token: None,
        identity: None,
        role: None,
        timeout: Duration::from_secs(5),
    };
    Session::new(access, ears.tell())
}

fn wait_ms_of(request: NodeRequest) -> u32 {
    let NodeRequest::Follow(wire::Follow { wait_ms, .. }) = request else { panic!("{request:?}") };
    wait_ms
}

async fn answer(poll: &mut Poll<'_, Servers>) -> Result<(), Failure> {
    let ask = |wait_ms| RequestBody::Node(NodeRequest::Follow(wire::Follow { areas: vec![], wait_ms }));
    let followed = |reply| matches!(reply, ReplyBody::Node(NodeReply::Followed(_))).then_some(());
    timeout(WATCHDOG, poll.answer(ask, followed)).await.expect("the watchdog barked")
}

fn followed() -> Result<NodeReply, ErrorReply> {
    Ok(NodeReply::Followed(wire::Followed { pages: vec![], ended: vec![] }))
}

#[tokio::test]
async fn i6_a_server_that_leaves_is_followed_by_the_next_one_which_must_answer_before_it_is_waited_for() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let node = |name: &'static str, leaves: bool| {
        let asked = asked.clone();
        Fake::node(move |request| {
            let waits = wait_ms_of(request) > 0;
            asked.lock().unwrap().push((name, waits));
            async move {
                if leaves && waits {
                    Err(ErrorReply::new(ErrorCode::Draining, "leaving"))
                } else {
                    followed()
                }
            }
        })
    };
    let (first, second) = (node("first", true).await, node("second", false).await);
    let ears = Ears::default();
    let session = session(&ears);
    let addresses = Servers(vec![nobody().await, first.address.clone(), second.address.clone()]);
    let mut poll = Poll::new(&session, addresses);
    for _ in 0..3 {
        answer(&mut poll).await.unwrap();
    }
    let expected = [("first", false), ("first", true), ("second", false), ("second", true)];
    assert_eq!(*asked.lock().unwrap(), expected);
}

#[tokio::test]
async fn an_outage_is_told_once_and_so_is_its_end() {
    let ears = Ears::default();
    let is_away = ears.is_away.clone();
    let node = Fake::node(move |_| {
        let answers = is_away.load(Ordering::SeqCst);
        async move { if answers { followed() } else { Err(ErrorReply::unavailable("no database")) } }
    })
    .await;
    let session = session(&ears);
    let mut poll = Poll::new(&session, Servers(vec![node.address.clone()]));
    answer(&mut poll).await.unwrap();
    assert_eq!(ears.heard(), ["away", "back"]);
    answer(&mut poll).await.unwrap();
    assert_eq!(ears.heard(), ["away", "back"], "nothing more");
}

#[tokio::test]
async fn what_waiting_does_not_cure_ends_it() {
    let refusing = Fake::node(|_| async { Err(ErrorReply::new(ErrorCode::Denied, "no")) }).await;
    let ears = Ears::default();
    let session = session(&ears);
    let mut poll = Poll::new(&session, Servers(vec![refusing.address.clone()]));
    assert_eq!(answer(&mut poll).await.unwrap_err().code(), Some(ErrorCode::Denied));
    assert_eq!(ears.heard(), Vec::<&str>::new());
}

#[tokio::test]
async fn who_insists_goes_on_until_it_is_done_and_tells_of_it_once() {
    let ears = Ears::default();
    let is_away = ears.is_away.clone();
    let mut tries = 0;
    let work = async || {
        tries += 1;
        let why = || Failure::service(ErrorCode::Unavailable, "away");
        if is_away.load(Ordering::SeqCst) { Ok(tries) } else { Err(why()) }
    };
    let done = timeout(WATCHDOG, insist(ears.tell(), Failure::is_retryable, work)).await.unwrap().unwrap();
    assert!(done > 1);
    assert_eq!(ears.heard(), ["away", "back"]);
    let refused = Failure::service(ErrorCode::Denied, "no");
    let refused = insist(ears.tell(), Failure::is_retryable, async || Err::<(), _>(refused.clone())).await;
    assert_eq!(refused.unwrap_err().code(), Some(ErrorCode::Denied));
}
