//! The race between servers: what each kind of trouble does to one request.

mod fake;

use fake::{Fake, nobody};
use gaceta::exit::Failure;
use gaceta::render::{Output, Style};
use gaceta::service::candidates::{Candidate, resolve_all};
use gaceta::service::failure;
use gaceta::service::tell::{Tell, Told};
use gaceta::service::transport::{Addresses, Answer, Ask, race};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use wire::growing::UnknownVariant;
use wire::{ErrorCode, ErrorReply, NodeReply, NodeRequest, Noun, RequestBody};

struct Servers(Vec<String>);

impl Addresses for Servers {
    async fn round(&mut self, _round: u32) -> Result<Vec<Candidate>, failure::Failure> {
        resolve_all(self.0.clone()).await
    }

    fn what(&self) -> &'static str {
        "a node"
    }
}

async fn ask(servers: &[&str], wait: Duration) -> Result<Answer, Failure> {
    ask_telling(servers, wait, Tell::nobody()).await
}

async fn ask_telling(servers: &[&str], wait: Duration, tell: Tell) -> Result<Answer, Failure> {
    let body = RequestBody::Node(NodeRequest::Unsubscribe(wire::Unsubscribe { area_id: fake::AREA }));
    let asker = Arc::default();
    let ask = Ask { token: None, body: &body, deadline: Instant::now() + wait, asker: &asker, tell: &tell };
    Ok(race(&mut Servers(servers.iter().map(|&server| server.to_owned()).collect()), ask).await?)
}

const LONG: Duration = Duration::from_secs(20);

async fn live() -> Fake {
    Fake::node(|_| async { Ok(NodeReply::Unsubscribed(wire::Unsubscribed { already: false })) }).await
}

fn counted(count: &Arc<AtomicUsize>) -> usize {
    count.fetch_add(1, Ordering::SeqCst)
}

#[tokio::test]
async fn a_dead_server_costs_no_time() {
    let (dead, live) = (nobody().await, live().await);
    let started = Instant::now();
    let answer = ask(&[&dead, &live.address], LONG).await.unwrap();
    assert_eq!(answer.candidate.address, live.address);
    assert!(started.elapsed() < Duration::from_millis(300), "the next one is tried at once");
}

#[tokio::test]
async fn a_draining_server_sends_everybody_on() {
    let draining = Fake::node(|_| async { Err(ErrorReply::new(ErrorCode::Draining, "leaving")) }).await;
    let live = live().await;
    let started = Instant::now();
    let answer = ask(&[&draining.address, &live.address], LONG).await.unwrap();
    assert_eq!(answer.candidate.address, live.address);
    assert!(started.elapsed() < Duration::from_millis(300));
}

/// A server of an older release, as it answers a request that it does not know.
async fn older() -> Fake {
    let unknown = UnknownVariant { of: "NodeRequest", number: 99 };
    Fake::node(move |_| async move { Err(ErrorReply::unknown_request(unknown)) }).await
}

#[tokio::test]
async fn i14_a_request_that_an_older_server_does_not_know_goes_to_a_newer_one() {
    let (older, live) = (older().await, live().await);
    let answer = ask(&[&older.address, &live.address], LONG).await.unwrap();
    assert_eq!(answer.candidate.address, live.address);
}

#[tokio::test]
async fn i14_where_all_servers_are_older_that_is_said_at_once_and_as_data() {
    let (one, other) = (older().await, older().await);
    let failure = ask(&[&one.address, &other.address], LONG).await.map(|_| ()).unwrap_err();
    assert_eq!(failure.unknown(Noun::Request), Some("NodeRequest 99"));
    assert_eq!((failure.code(), failure.exit_code()), (Some(ErrorCode::Invalid), 1));
    assert!(failure.message.contains(wire::RELEASE), "{failure}");
}

#[tokio::test]
async fn a_silent_server_is_raced_by_the_next_one() {
    let silent = Fake::node(|_| std::future::pending()).await;
    let live = live().await;
    let started = Instant::now();
    let answer = ask(&[&silent.address, &live.address], LONG).await.unwrap();
    assert_eq!(answer.candidate.address, live.address);
    assert!(started.elapsed() < Duration::from_secs(5), "after about a second, long before the deadline");
}

/// Half of the nodes are paused: they still accept connections.
#[tokio::test]
async fn two_silent_servers_in_a_row_cost_less_than_three_seconds() {
    let silent = || Fake::node(|_| std::future::pending());
    let (one, other, live) = (silent().await, silent().await, live().await);
    let started = Instant::now();
    let answer = ask(&[&one.address, &other.address, &live.address], LONG).await.unwrap();
    assert_eq!(answer.candidate.address, live.address);
    let passed: Vec<_> = answer.passed.into_iter().map(|candidate| candidate.address).collect();
    assert_eq!(passed, [one.address.clone(), other.address.clone()], "who was passed over is known");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

/// What a slow service costs: its clients must not ask it to death.
#[tokio::test]
async fn a_slow_service_is_asked_few_times_more() {
    let count = Arc::new(AtomicUsize::new(0));
    let mut slow = vec![];
    for _ in 0..4 {
        let asked = count.clone();
        slow.push(
            Fake::node(move |_| {
                counted(&asked);
                async {
                    tokio::time::sleep(Duration::from_millis(2_800)).await; // the service's own slowness
                    Ok(NodeReply::Unsubscribed(wire::Unsubscribed { already: false }))
                }
            })
            .await,
        );
    }
    let addresses: Vec<&str> = slow.iter().map(|server| server.address.as_str()).collect();
    ask(&addresses, LONG).await.unwrap();
    assert!(count.load(Ordering::SeqCst) <= 3, "{count:?} times for one answer");
}

#[tokio::test]
async fn the_first_server_may_still_win_after_the_second_was_asked() {
    let (asked, was_asked) = tokio::sync::watch::channel(false);
    let slow = Fake::node(move |_| {
        let mut was_asked = was_asked.clone();
        async move {
            was_asked.wait_for(|&asked| asked).await.unwrap();
            Ok(NodeReply::Unsubscribed(wire::Unsubscribed { already: true }))
        }
    })
    .await;
    let silent = Fake::node(move |_| {
        asked.send_replace(true);
        std::future::pending()
    })
    .await;
    let answer = ask(&[&slow.address, &silent.address], LONG).await.unwrap();
    assert_eq!(answer.candidate.address, slow.address);
}

#[tokio::test]
async fn a_definite_answer_ends_the_race() {
    let count = Arc::new(AtomicUsize::new(0));
    let asked = count.clone();
    let refusing = Fake::node(move |_| {
        counted(&asked);
        async { Err(ErrorReply::new(ErrorCode::Denied, "no")) }
    })
    .await;
    let failure = ask(&[&refusing.address, &refusing.address], LONG).await.err().unwrap();
    assert_eq!(failure.exit_code(), 5);
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn busy_is_asked_again_when_it_said() {
    let count = Arc::new(AtomicUsize::new(0));
    let asked = count.clone();
    let busy_once = Fake::node(move |_| {
        let first = counted(&asked) == 0;
        async move {
            if first {
                Err(ErrorReply::busy("full", 200))
            } else {
                Ok(NodeReply::Unsubscribed(wire::Unsubscribed { already: false }))
            }
        }
    })
    .await;
    let started = Instant::now();
    ask(&[&busy_once.address], LONG).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 2);
    assert!(started.elapsed() >= Duration::from_millis(200));
}

/// Who is told to wait waits by itself, as long as it was told, and says so once.
#[tokio::test]
async fn a_long_busy_is_waited_for_and_told_at_a_terminal() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let style = Style { stderr_terminal: true, ..Style::default() };
    let output = Output::to(style, Arc::new(Mutex::new(std::io::sink())), told.clone());
    let tell = Tell::new(move |told| {
        if let Told::Waiting(what) = told {
            output.waiting(what);
        }
    });
    let started = Instant::now();
    let open_at = started + Duration::from_millis(1_000);
    let busy = Fake::node(move |_| async move {
        let left = open_at.saturating_duration_since(Instant::now());
        match left.as_millis() as u32 {
            0 => Ok(NodeReply::Unsubscribed(wire::Unsubscribed { already: false })),
            left_ms => Err(ErrorReply::busy("too many wrong passwords", left_ms + 1)),
        }
    })
    .await;
    ask_telling(&[&busy.address], LONG, tell).await.unwrap();
    assert!(Instant::now() >= open_at);
    let told = String::from_utf8(told.lock().unwrap().clone()).unwrap();
    assert_eq!(told, "… waiting: too many wrong passwords\n");
}

#[tokio::test]
async fn a_busy_that_takes_longer_than_there_is_time_ends_it_at_once() {
    let busy = || Fake::node(|_| async { Err(ErrorReply::busy("next try in 30 s", 30_000)) });
    let (one, other) = (busy().await, busy().await);
    let started = Instant::now();
    let failure = ask(&[&one.address, &other.address], Duration::from_secs(5)).await.err().unwrap();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!((failure.exit_code(), &*failure.name()), (6, "busy"));
    assert!(failure.message.starts_with("next try in 30 s: come again then"), "{failure}");
    // Somebody else may not be busy.
    let live = live().await;
    let answer = ask(&[&one.address, &live.address], Duration::from_secs(5)).await.unwrap();
    assert_eq!(answer.candidate.address, live.address);
}

#[tokio::test]
async fn the_deadline_ends_it_and_says_why() {
    let dead = nobody().await;
    let failure = ask(&[&dead], Duration::from_millis(200)).await.err().unwrap();
    assert_eq!(failure.exit_code(), 6);
    assert!(failure.message.contains(&dead), "{failure}");

    let busy = Fake::node(|_| async { Err(ErrorReply::busy("full", 50)) }).await;
    let failure = ask(&[&busy.address], Duration::from_millis(200)).await.err().unwrap();
    assert_eq!(failure.name(), "busy");
}

#[tokio::test]
async fn who_speaks_something_else_is_told_at_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ =
                tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let started = Instant::now();
    let failure = ask(&[&address], LONG).await.err().unwrap();
    assert_eq!(failure.exit_code(), 1);
    assert!(started.elapsed() < Duration::from_secs(5));
}
