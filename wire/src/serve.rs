//! The accept loop of every server: a bounded number of connections, one request each, and a drain under a deadline.

use crate::budget::Budget;
use crate::connection::{Connection, ReadError};
use crate::limits::Limits;
use crate::message::{ErrorReply, Reply, Request};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Connections over the limit that are told `busy` at the same time; more are dropped without a word.
const REFUSALS_MAX: usize = 256;
/// When a client that found all connections in use comes again: most requests take milliseconds.
const REFUSED_RETRY_MS: u32 = 500;
/// After a failed accept (out of files): long enough not to spin, short enough not to be noticed.
const ACCEPT_RETRY_MS: u64 = 20;
/// How often that is told: without files some are accepted between those that are not.
const ACCEPT_REMIND_MS: u64 = 10_000;
/// A request with less time left than this is not begun: its client would not hear the end of it.
const BEGIN_WAIT_MIN_MS: u64 = 5;
/// What is kept back of the client's remaining time, so that the answer still reaches it.
const ANSWER_MARGIN_MS: u64 = 20;

/// Connections that the kernel has taken and we have not: when many come at once the rest are dropped, and come again a
/// second later. The kernel may allow fewer (`net.core.somaxconn`, 4,096 on Linux); tokio's own `bind` asks for 128.
const BACKLOG: u32 = 4_096;

/// Listens at `address`, with room for a crowd.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As tokio's own `bind` does it: a server that starts again must not wait for what lingers of the one before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How many connections a server may have, and has.
#[derive(Debug, Clone)]
pub struct Connections {
    permits: Arc<Semaphore>,
    max: usize,
}

impl Connections {
    pub fn new(limits: &Limits) -> Self {
        Self { permits: Arc::new(Semaphore::new(limits.connections_max)), max: limits.connections_max }
    }

    /// Connections that are open, and requests that are still being finished though their client has gone.
    pub fn open(&self) -> usize {
        self.max - self.permits.available_permits()
    }
}

struct Shared<H> {
    limits: Limits,
    budget: Arc<Budget>,
    /// Connections, and the requests that they began.
    tasks: TaskTracker,
    handle: H,
}

/// Serves `listener` until `shutdown`, then waits for what is in progress, at most `limits.shutdown_wait`.
///
/// `handle` gets each request with its peer and answers it. The client gets `unavailable` when its time is over; the handler
/// itself is given up after `limits.handle_wait`.
pub async fn serve<H, F>(
    listener: TcpListener,
    limits: Limits,
    connections: Connections,
    shutdown: CancellationToken,
    handle: H,
) where
    H: Fn(Request, SocketAddr) -> F + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    let budget = Budget::new(limits.unfinished_bytes_max, limits.unfinished_bytes_per_source_max);
    let shutdown_wait = limits.shutdown_wait;
    let tasks = TaskTracker::new();
    let shared = Arc::new(Shared { limits, budget, tasks: tasks.clone(), handle });
    let mut told: Option<Instant> = None;
    let mut stopped = pin!(shutdown.cancelled());
    loop {
        let accepted = tokio::select! {
            () = &mut stopped => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if told.is_none_or(|told| told.elapsed() >= Duration::from_millis(ACCEPT_REMIND_MS)) {
                    let open = connections.open();
                    tracing::warn!(%error, connections = open, "accept fails; trying again and again");
                    told = Some(Instant::now());
                }
                tokio::time::sleep(Duration::from_millis(ACCEPT_RETRY_MS)).await;
                continue;
            }
        };
        if let Ok(permit) = connections.permits.clone().try_acquire_owned() {
            tasks.spawn(one_request(shared.clone(), stream, peer, permit));
        } else if let Ok(permit) = refusals.clone().try_acquire_owned() {
            tasks.spawn(refuse_busy(shared.clone(), stream, permit));
        }
    }
    drop(listener); // from here on new connections are refused, and clients go elsewhere at once
    tasks.close();
    if timeout(shutdown_wait, tasks.wait()).await.is_err() {
        let elapsed_ms = shutdown_wait.as_millis() as u64;
        tracing::warn!(connections = tasks.len(), elapsed_ms, "gave up waiting for connections");
    }
}

async fn one_request<H, F>(
    shared: Arc<Shared<H>>,
    stream: TcpStream,
    peer: SocketAddr,
    permit: OwnedSemaphorePermit,
) where
    H: Fn(Request, SocketAddr) -> F,
    F: Future<Output = Reply> + Send + 'static,
{
    let permit = Arc::new(permit); // held while the reply is written, and by a handler that goes on meanwhile
    let limits = &shared.limits;
    let mut connection = Connection::new(stream);
    let mut charge = shared.budget.charge(peer.ip());
    let request = match connection.read_request(limits, &mut charge).await {
        Ok(request) => request,
        Err(ReadError::Gone) => return,
        Err(ReadError::Refused { request_id, error, unread }) => {
            tracing::debug!(%peer, code = %error.code, "request refused");
            let _ = connection.refuse(request_id, error, unread, limits).await;
            return;
        }
    };
    drop(charge); // the request is whole: from here on the handlers' own limits count
    let request_id = request.request_id;
    let remaining = Duration::from_millis(u64::from(request.remaining_ms).saturating_sub(ANSWER_MARGIN_MS));
    let wait = remaining.min(limits.handle_wait);
    let refused = |error| Reply { request_id, result: Err(error) };
    let unavailable = |text: &str| refused(ErrorReply::unavailable(text));
    let reply = if wait < Duration::from_millis(BEGIN_WAIT_MIN_MS) {
        unavailable("no time is left for an answer: give it more")
    } else {
        let mut handling = caught(Box::pin((shared.handle)(request, peer)));
        match timeout(wait, &mut handling).await {
            Ok(Some(reply)) => reply,
            Ok(None) => refused(ErrorReply::failed()),
            Err(_) => {
                // That its client no longer waits must not stop it in the middle of a statement, which would cost the
                // database connection. It keeps its place among the connections while it runs.
                let rest = limits.handle_wait.saturating_sub(wait);
                let permit = permit.clone();
                shared.tasks.spawn(async move {
                    let _permit = permit;
                    let _ = timeout(rest, handling).await;
                });
                unavailable("no answer in time: a repeat is safe")
            }
        }
    };
    if let Err(error) = connection.write_reply(&reply, limits).await {
        tracing::debug!(%peer, %request_id, %error, "reply not delivered");
    }
}

/// `None`: it panicked, which is logged. One request must not end more than itself. Not an `async fn`: that would hold the
/// handler's state a second time, and followers hold theirs for long.
fn caught<F: Future>(mut handling: Pin<Box<F>>) -> impl Future<Output = Option<F::Output>> + Unpin {
    poll_fn(move |context| {
        let polled = catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |poll| poll.map(Some))
    })
}

async fn refuse_busy<H>(shared: Arc<Shared<H>>, stream: TcpStream, _permit: OwnedSemaphorePermit) {
    let error = ErrorReply::busy("all connections of this server are in use: try again", REFUSED_RETRY_MS);
    let _ = Connection::new(stream).refuse(Uuid::nil(), error, true, &shared.limits).await;
}
