//! The accept loop over real sockets: what a peer gets that is too fast, too slow, too large, too many or not ours, and
//! how a server stops. Waits are short where a test is about them and generous elsewhere; nothing is asserted about
//! time but that a watchdog never barks.

use gaceta_wire::frame::{self, HEADER_BYTES, Header, VERSIONS};
use gaceta_wire::limits::{Limits, REPLY_BYTES_MAX};
use gaceta_wire::serve::{Connections, serve};
use gaceta_wire::*;
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Only a hang takes this long.
const WATCHDOG: Duration = Duration::from_secs(30);
/// For waits that a test is about.
const SHORT: Duration = Duration::from_millis(100);
/// For waits that must not end before the watchdog does.
const LONG: Duration = Duration::from_secs(60);

// ---- one request, one reply ---------------------------------------------------------------------------------------

#[tokio::test]
async fn a_request_is_answered_and_the_server_closes_first() {
    let server = Server::start(limits(), answer);
    let mut client = server.connect().await;
    let request = request();
    client.write_all(&frame::encode(&request).expect("encodes")).await.expect("sent");
    // Reading to the end needs the server to close: this side of the connection stays open.
    assert_eq!(read_to_end(&mut client).await, done(request.request_id));
}

#[tokio::test]
async fn a_request_may_come_in_pieces() {
    let server = Server::start(limits(), answer);
    let mut client = server.connect().await;
    let request = request();
    for byte in frame::encode(&request).expect("encodes") {
        client.write_all(&[byte]).await.expect("sent");
        tokio::task::yield_now().await;
    }
    assert_eq!(read_to_end(&mut client).await, done(request.request_id));
}

#[tokio::test]
async fn a_reply_over_the_limit_becomes_an_error() {
    let server = Server::start(limits(), async |request, _| {
        let nodes = vec!["n".repeat(REPLY_BYTES_MAX)];
        let reply = AgentReply::Located(Located { areas: vec![], nodes });
        Reply { request_id: request.request_id, result: Ok(ReplyBody::Agent(reply)) }
    });
    assert_eq!(server.call(&request()).await.code, ErrorCode::TooLarge);
}

#[tokio::test]
async fn a_panicking_handler_costs_its_own_connection_only() {
    let server = Server::start(Limits { connections_max: 1, ..limits() }, async |request, peer| {
        assert!(request.remaining_ms != 7_777, "a handler panics, as this test wants it");
        answer(request, peer).await
    });
    let error = server.call(&Request { remaining_ms: 7_777, ..request() }).await;
    assert_eq!(error.code, ErrorCode::Unavailable);
    server.call_until(&request(), Result::ok).await; // the one permit came back
}

// ---- what is not a request ----------------------------------------------------------------------------------------

#[tokio::test]
async fn strangers_are_told_what_is_wrong() {
    let server = Server::start(limits(), answer);
    let cases: [(&[u8], ErrorCode, &str); 6] = [
        (b"GET / HTTP/1.1\r\nHost: news\r\n\r\n", ErrorCode::Invalid, "not a Gaceta connection"),
        (b"\x00\x00\x00\x05GCTA\x00\x02", ErrorCode::Invalid, "not a Gaceta connection"),
        (b"\x00\x00\x00\x06GCTA\x00\x01", ErrorCode::Invalid, "version 1 is not spoken here, only 2:"),
        // The version is looked at first: a later one may allow longer frames.
        (b"\xff\xff\xff\xffGCTA\x01\x00", ErrorCode::Invalid, "version 256 is not spoken here, only 2:"),
        (b"\xff\xff\xff\xffGCTA\x00\x02", ErrorCode::TooLarge, "4294967295 bytes is over the limit of 4096"),
        (b"\x00\x00\x00\x06GCTA\x00\x02", ErrorCode::Invalid, "this is no request of Gaceta's protocol"),
    ];
    for (bytes, code, text) in cases {
        let mut client = server.connect().await;
        client.write_all(bytes).await.expect("sent");
        let reply = read_to_end(&mut client).await;
        assert_eq!(reply.request_id, Uuid::nil(), "no request was understood");
        let error = reply.result.expect_err("refused");
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(text), "{error}");
    }
}

/// Closing while bytes still come sends a reset, which overtakes the answer: the server reads on for a moment.
#[tokio::test]
async fn a_refused_client_may_go_on_sending() {
    let server = Server::start(limits(), answer);
    let mut client = server.connect().await;
    client.write_all(b"\x00\x00\xc0\x00GCTA\x00\x02").await.expect("sent");
    let error = read_to_end(&mut client).await.result.expect_err("refused");
    assert_eq!(error.code, ErrorCode::TooLarge);
    for _ in 0..48 {
        client.write_all(&[0; 1024]).await.expect("the server still reads");
        tokio::time::sleep(Duration::from_millis(1)).await; // so that a reset would be seen
    }
}

#[tokio::test]
async fn a_large_request_to_a_full_server_gets_its_answer() {
    let full = Limits { connections_max: 0, drain_wait: SHORT, ..limits() };
    let server = Server::start(full, answer);
    let error = server.call(&large_request(1_000_000)).await;
    assert_eq!(error.code, ErrorCode::Busy);
    assert!(error.retry_after_ms.is_some());
}

#[tokio::test]
async fn garbage_is_answered_and_does_no_harm() {
    let server = Server::start(limits(), answer);
    let mut seed = 1_u64;
    for _ in 0..500 {
        let body: Vec<u8> = (0..random(&mut seed) % 200).map(|_| random(&mut seed) as u8).collect();
        let mut client = server.connect().await;
        client.write_all(&framed(&body)).await.expect("sent");
        let result = read_to_end(&mut client).await.result;
        assert!(result.is_ok() || result.is_err_and(|error| error.code == ErrorCode::Invalid), "{body:?}");
    }
    server.call_until(&request(), Result::ok).await;
}

// ---- slow peers ---------------------------------------------------------------------------------------------------

#[tokio::test]
async fn half_a_frame_and_silence_is_refused() {
    let server = Server::start(Limits { frame_wait: SHORT, ..limits() }, answer);
    let whole = frame::encode(&request()).expect("encodes");
    for length in [1, HEADER_BYTES, whole.len() - 1] {
        let mut client = server.connect().await;
        client.write_all(&whole[..length]).await.expect("sent");
        let error = read_to_end(&mut client).await.result.expect_err("refused");
        assert_eq!(error.code, ErrorCode::Invalid);
        assert!(error.message.contains("did not come within"), "{error}");
    }
}

/// The wait is for the whole frame: a byte now and then does not renew it.
#[tokio::test]
async fn a_trickle_is_refused() {
    let server = Server::start(Limits { frame_wait: SHORT, ..limits() }, answer);
    let (mut reading, mut writing) = server.connect().await.into_split();
    let trickle = tokio::spawn(async move {
        let long = large_request(4_000);
        for byte in frame::encode(&long).expect("encodes") {
            let _ = writing.write_all(&[byte]).await;
            tokio::time::sleep(SHORT / 10).await;
        }
    });
    let error = read_to_end(&mut reading).await.result.expect_err("refused");
    trickle.abort();
    assert!(error.message.contains("did not come within"), "{error}");
}

#[tokio::test]
async fn a_silent_connection_is_closed_without_a_word() {
    let server = Server::start(Limits { first_byte_wait: SHORT, ..limits() }, answer);
    let mut client = server.connect().await;
    let mut bytes = Vec::new();
    within(client.read_to_end(&mut bytes)).await.expect("closed, not reset");
    assert!(bytes.is_empty());
}

// ---- too many -----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn connections_over_the_limit_are_told_busy() {
    let (gate, handle) = gated();
    let mut server = Server::start(Limits { connections_max: 1, ..limits() }, handle);
    let first = server.spawn_call();
    gate.entered().await;

    let error = server.call(&request()).await;
    assert_eq!(error.code, ErrorCode::Busy);
    assert!(error.retry_after_ms.is_some());

    gate.open.notify_one();
    assert!(within(first).await.expect("no panic").is_ok());
    gate.open.notify_one(); // the next one passes at once
    server.call_until(&request(), Result::ok).await;
    server.stop().await;
}

#[tokio::test]
async fn i9_unfinished_requests_share_a_budget() {
    let unfinished = Limits { request_bytes_max: 64 * 1024, unfinished_bytes_max: 16 * 1024, ..limits() };
    let server = Server::start(unfinished, answer);
    let hoarder = hoard(server.connect().await).await;
    // Its first step of 16 KiB is taken some time soon. A small request comes whole and is never unfinished.
    let error = server.call_until(&large_request(4_000), Result::err).await;
    assert_eq!(error.code, ErrorCode::Busy);
    assert!(error.retry_after_ms.is_some());

    assert!(call(server.address, &request(), WATCHDOG).await.expect("a reply").result.is_ok());

    drop(hoarder);
    server.call_until(&large_request(4_000), Result::ok).await;
}

/// Linux lets a client come from all of 127/8.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn i9_one_source_cannot_use_up_the_budget_of_all() {
    let unfinished =
        Limits { request_bytes_max: 64 * 1024, unfinished_bytes_per_source_max: 16 * 1024, ..limits() };
    let server = Server::start(unfinished, answer);
    let _hoarder = hoard(server.connect().await).await;
    let error = server.call_until(&large_request(4_000), Result::err).await;
    assert_eq!(error.code, ErrorCode::Busy);

    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.2:0".parse().expect("an address")).expect("bound");
    let mut neighbour = within(socket.connect(server.address)).await.expect("connected");
    let request = large_request(4_000);
    neighbour.write_all(&frame::encode(&request).expect("encodes")).await.expect("sent");
    assert_eq!(read_to_end(&mut neighbour).await, done(request.request_id));
}

/// What is counted are the bytes, however small the pieces in which they come.
#[tokio::test]
async fn i9_a_request_in_small_pieces_weighs_no_more() {
    let unfinished = Limits { request_bytes_max: 64 * 1024, unfinished_bytes_max: 64 * 1024, ..limits() };
    let server = Server::start(unfinished, answer);
    let mut client = server.connect().await;
    let request = large_request(40_000);
    for piece in frame::encode(&request).expect("encodes").chunks(1_000) {
        client.write_all(piece).await.expect("sent");
        tokio::time::sleep(Duration::from_millis(1)).await; // so that each is read by itself
    }
    assert_eq!(read_to_end(&mut client).await, done(request.request_id));
}

// ---- slow handlers and the end ------------------------------------------------------------------------------------

#[tokio::test]
async fn a_client_is_answered_in_its_time_and_a_handler_that_goes_on_is_given_up_in_the_servers() {
    let (given_up, mut is_given_up) = mpsc::unbounded_channel();
    let limits = Limits { handle_wait: 4 * SHORT, ..limits() };
    let server = Server::start(limits, move |_, _| never(given_up.clone()));
    let request = Request { remaining_ms: 100, ..request() };
    let reply = within(call(server.address, &request, WATCHDOG)).await.expect("a reply");
    assert_eq!(reply.request_id, request.request_id);
    assert_eq!(reply.result.expect_err("no answer").code, ErrorCode::Unavailable);
    within(is_given_up.recv()).await.expect("the handler is given up, not left running");
}

#[tokio::test]
async fn a_handler_ends_with_the_servers_patience() {
    let server = Server::start(Limits { handle_wait: SHORT, ..limits() }, |_, _| pending());
    let error = server.call(&Request { remaining_ms: u32::MAX, ..request() }).await;
    assert_eq!(error.code, ErrorCode::Unavailable);
}

#[tokio::test]
async fn shutdown_finishes_what_runs_and_refuses_what_is_new() {
    let (gate, handle) = gated();
    let mut server = Server::start(limits(), handle);
    let running = server.spawn_call();
    gate.entered().await;

    server.shutdown.cancel();
    within(async {
        // One that the kernel had already taken is reset; from then on there is nobody to connect to.
        loop {
            match TcpStream::connect(server.address).await {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => break,
                _ => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    tokio::time::sleep(SHORT).await; // for a server that does not wait, enough to be gone
    assert!(!server.task.is_finished(), "a request is still running");

    gate.open.notify_one();
    assert!(within(running).await.expect("no panic").is_ok());
    server.stop().await;
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let (gate, handle) = gated();
    let mut server = Server::start(Limits { shutdown_wait: SHORT, ..limits() }, handle);
    let running = server.spawn_call();
    gate.entered().await;
    server.stop().await;
    running.abort();
}

// ---- the harness --------------------------------------------------------------------------------------------------

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    fn start<H, F>(limits: Limits, handle: H) -> Self
    where
        H: Fn(Request, SocketAddr) -> F + Send + Sync + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("nonblocking");
        let listener = TcpListener::from_std(listener).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve(
            listener,
            limits.clone(),
            Connections::new(&limits),
            shutdown.clone(),
            handle,
        ));
        Self { address, shutdown, task }
    }

    async fn connect(&self) -> TcpStream {
        let stream = within(TcpStream::connect(self.address)).await.expect("connected");
        stream.set_nodelay(true).expect("nodelay");
        stream
    }

    /// A call that is refused.
    async fn call(&self, request: &Request) -> ErrorReply {
        let reply = within(call(self.address, request, WATCHDOG)).await.expect("a reply");
        reply.result.expect_err("refused")
    }

    fn spawn_call(&self) -> JoinHandle<Result<ReplyBody, ErrorReply>> {
        let address = self.address;
        tokio::spawn(async move { call(address, &request(), LONG).await.expect("a reply").result })
    }

    /// Calls until the result is as wanted: for what becomes true soon, by the server's own doing.
    async fn call_until<T>(
        &self,
        request: &Request,
        wanted: impl Fn(Result<ReplyBody, ErrorReply>) -> Option<T>,
    ) -> T {
        within(async {
            loop {
                let result = call(self.address, request, WATCHDOG).await.expect("a reply").result;
                if let Some(wanted) = wanted(result) {
                    return wanted;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
    }

    async fn stop(&mut self) {
        self.shutdown.cancel();
        within(&mut self.task).await.expect("the server ends without a panic");
    }
}

fn limits() -> Limits {
    Limits {
        versions: VERSIONS,
        request_bytes_max: 4096,
        first_byte_wait: LONG,
        frame_wait: LONG,
        write_wait: LONG,
        handle_wait: LONG,
        connections_max: 16,
        unfinished_bytes_max: 1024 * 1024,
        unfinished_bytes_per_source_max: 1024 * 1024,
        drain_bytes_max: 64 * 1024,
        drain_wait: LONG,
        shutdown_wait: LONG,
    }
}

fn request() -> Request {
    Request {
        request_id: Uuid::now_v7(),
        token: None,
        remaining_ms: 60_000,
        body: RequestBody::Agent(AgentRequest::Logout(Logout {})),
    }
}

fn large_request(body_bytes: usize) -> Request {
    let post = Post { area_id: AreaId(1), id: Uuid::now_v7(), body: "x".repeat(body_bytes) };
    Request { body: RequestBody::Node(NodeRequest::Post(PostBatch { posts: vec![post] })), ..request() }
}

fn done(request_id: Uuid) -> Reply {
    Reply { request_id, result: Ok(ReplyBody::Agent(AgentReply::Done(Done { already: false }))) }
}

async fn answer(request: Request, _peer: SocketAddr) -> Reply {
    done(request.request_id)
}

/// A handler that tells when it is given up.
async fn never(given_up: mpsc::UnboundedSender<()>) -> Reply {
    struct Tell(mpsc::UnboundedSender<()>);
    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let _tell = Tell(given_up);
    pending().await
}

/// Holds handlers until it is opened, once for each.
struct Gate {
    entered: tokio::sync::Mutex<mpsc::UnboundedReceiver<()>>,
    open: Arc<Notify>,
}

impl Gate {
    async fn entered(&self) {
        within(async { self.entered.lock().await.recv().await }).await.expect("a handler");
    }
}

type Answer = std::pin::Pin<Box<dyn Future<Output = Reply> + Send>>;

fn gated() -> (Gate, impl Fn(Request, SocketAddr) -> Answer + Send + Sync + 'static) {
    let (entering, entered) = mpsc::unbounded_channel();
    let open = Arc::new(Notify::new());
    let gate = Gate { entered: tokio::sync::Mutex::new(entered), open: open.clone() };
    let handle = move |request: Request, peer| -> Answer {
        let (entering, open) = (entering.clone(), open.clone());
        Box::pin(async move {
            let _ = entering.send(());
            open.notified().await;
            answer(request, peer).await
        })
    };
    (gate, handle)
}

/// Claims a frame of 60 KiB, sends one byte of its body, and keeps the connection.
async fn hoard(mut client: TcpStream) -> TcpStream {
    client.write_all(b"\x00\x00\xf0\x00GCTA\x00\x02\x10").await.expect("sent");
    client
}

/// The reply, after which there must be nothing but the end.
async fn read_to_end(client: &mut (impl AsyncReadExt + Unpin)) -> Reply {
    let mut bytes = Vec::new();
    within(client.read_to_end(&mut bytes)).await.expect("closed, not reset");
    let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>().expect("a reply");
    let header = Header::read(header, REPLY_BYTES_MAX, &VERSIONS).expect("a reply");
    assert_eq!(header.body_bytes, body.len());
    frame::decode(body).expect("a reply")
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = frame::encode(&()).expect("a header");
    bytes[..4].copy_from_slice(&(body.len() as u32 + 6).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Marsaglia's xorshift: the same bytes each time, so that a failure can be repeated.
fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(WATCHDOG, future).await.expect("the watchdog: this hangs")
}
