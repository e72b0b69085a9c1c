//! I14: servers and askers of several releases meet. Who speaks a version that the other does not finds one that both speak; a request
//! that an older server does not know says so as data.

use gaceta_wire::call::Asker;
use gaceta_wire::frame::{self, HEADER_BYTES, Header, VERSION, VERSION_MIN};
use gaceta_wire::limits::{AGENT_REQUEST_BYTES_MAX, Limits, REPLY_BYTES_MAX};
use gaceta_wire::serve::{Connections, serve};
use gaceta_wire::*;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(20);

/// A server that speaks `versions`, and counts what it was asked and could read.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(address: SocketAddr, versions: RangeInclusive<u16>) -> Self {
        let listener = gaceta_wire::serve::bind(address).expect("a port");
        let address = listener.local_addr().expect("its address");
        let limits = Limits { versions, ..Limits::new(AGENT_REQUEST_BYTES_MAX) };
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let answer = move |request: Request, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            let done = AgentReply::Done(Done { already: false });
            std::future::ready(Reply { request_id: request.request_id, result: Ok(ReplyBody::Agent(done)) })
        };
        let shutdown = CancellationToken::new();
        let connections = Connections::new(&limits);
        let task = tokio::spawn(serve(listener, limits, connections, shutdown.clone(), answer));
        Self { address, asked, shutdown, task }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("the server ends without a panic");
    }
}

/// One that ends with the test's runtime.
async fn server(versions: RangeInclusive<u16>) -> (SocketAddr, Arc<AtomicUsize>) {
    let server = Server::start("127.0.0.1:0".parse().expect("an address"), versions).await;
    (server.address, server.asked)
}

fn request() -> Request {
    let body = RequestBody::Agent(AgentRequest::Logout(Logout {}));
    Request { request_id: Uuid::now_v7(), token: None, remaining_ms: 20_000, body }
}

/// Passes everything on to `server`, and counts the connections.
async fn counting_proxy(server: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut upstream = TcpStream::connect(server).await.expect("the server listens");
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut upstream).await });
        }
    });
    (address, connections)
}

#[tokio::test]
async fn i14_an_asker_of_the_next_version_finds_the_one_that_both_speak_and_remembers_it() {
    let (server, asked) = server(VERSION_MIN..=VERSION).await;
    let (address, connections) = counting_proxy(server).await;
    let asker = Asker::new(VERSION..=VERSION + 1);
    for round in 1..=3 {
        let request = request();
        let reply = asker.call(address, &request, WAIT).await.expect("an answer");
        assert_eq!(reply.request_id, request.request_id);
        assert!(reply.result.is_ok(), "{reply:?}");
        assert_eq!(asked.load(Ordering::Relaxed), round);
    }
    assert_eq!(connections.load(Ordering::Relaxed), 4, "asked twice the first time, once from then on");
}

#[tokio::test]
async fn i14_a_server_of_the_next_version_answers_in_the_version_of_the_request() {
    let (address, _) = server(VERSION_MIN..=VERSION + 1).await;
    let reply = call(address, &request(), WAIT).await.expect("an answer that this release reads");
    assert!(reply.result.is_ok(), "{reply:?}");
}

#[tokio::test]
async fn i14_a_server_that_went_up_is_asked_higher_again() {
    let asker = Asker::new(VERSION..=VERSION + 2);
    let old = Server::start("127.0.0.1:0".parse().expect("an address"), VERSION..=VERSION).await;
    let address = old.address;
    assert!(asker.call(address, &request(), WAIT).await.expect("an answer").result.is_ok());
    old.stop().await;
    // The same address, by then a release that does not speak the old version any more.
    let new = Server::start(address, VERSION + 1..=VERSION + 2).await;
    for _ in 0..2 {
        assert!(asker.call(address, &request(), WAIT).await.expect("an answer").result.is_ok());
    }
    assert_eq!(new.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn who_has_no_version_in_common_says_which_ones_there_are() {
    let (address, asked) = server(VERSION_MIN..=VERSION).await;
    let stream = TcpStream::connect(address).await.expect("connected");
    let reply = raw(stream, &frame::encode_as(&request(), VERSION + 7).expect("encodes")).await;
    let error = reply.result.expect_err("refused");
    assert_eq!(error.code, ErrorCode::Invalid);
    assert_eq!(error.versions, Some(Versions { min: VERSION_MIN.into(), max: VERSION.into() }));
    assert_eq!(asked.load(Ordering::Relaxed), 0);

    let newer = Asker::new(VERSION + 1..=VERSION + 1);
    let error = newer.call(address, &request(), WAIT).await.expect_err("nothing in common");
    let text = error.to_string();
    assert!(text.contains(&format!("version {VERSION} is not spoken here")), "{text}");
}

#[tokio::test]
async fn i14_a_request_of_a_later_release_is_refused_as_unknown_and_nothing_else_is() {
    let (address, asked) = server(VERSION_MIN..=VERSION).await;
    let request = request();
    let known = frame::encode(&request).expect("encodes");
    // Before the empty record and the empty tail of the request stand its numbers: an agent's, and which.
    let numbers = known.len() - 4;
    let logout = AgentRequest::VARIANTS.iter().position(|name| *name == "Logout").expect("there") as u8;
    assert_eq!(known[numbers..], [0, logout, 0, 0], "as this test reads it");
    for (later, of) in [
        (
            vec![0, AgentRequest::VARIANTS.len() as u8],
            format!("AgentRequest {}", AgentRequest::VARIANTS.len()),
        ),
        (
            vec![0, 11, AdminRequest::VARIANTS.len() as u8],
            format!("AdminRequest {}", AdminRequest::VARIANTS.len()),
        ),
        (vec![1, 200], "NodeRequest 200".into()),
        (vec![2], "RequestBody 2".into()),
    ] {
        let body =
            [&known[HEADER_BYTES..numbers], &later, b"what only the next release understands"].concat();
        let reply = raw(TcpStream::connect(address).await.expect("connected"), &framed(&body)).await;
        assert_eq!(reply.request_id, request.request_id);
        let error = reply.result.expect_err("refused");
        assert_eq!(error.code, ErrorCode::Invalid);
        assert_eq!(error.unknown(Noun::Request), Some(&*of));
        assert!(error.is_unknown_request() && error.message.contains(RELEASE), "{error}");
    }
    // What is merely malformed is no request of a later release.
    let cut = framed(&known[HEADER_BYTES..known.len() - 1]);
    let reply = raw(TcpStream::connect(address).await.expect("connected"), &cut).await;
    assert!(!reply.result.expect_err("refused").is_unknown_request());
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = frame::encode(&()).expect("a header");
    bytes[..4].copy_from_slice(&(body.len() as u32 + 6).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

async fn raw(mut stream: TcpStream, frame: &[u8]) -> Reply {
    stream.write_all(frame).await.expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("an answer");
    let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>().expect("a reply");
    Header::read(header, REPLY_BYTES_MAX, &(VERSION..=VERSION)).expect("in our version");
    frame::decode(body).expect("a reply")
}
