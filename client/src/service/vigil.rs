//! A long poll at one node, and beside it the question whether that node still lives.
//!
//! A node that is paused, or cut off, keeps its connections: nothing breaks, and who waits for news could wait for as long as the
//! poll may take. So it is pinged meanwhile, and left when it does not answer: nothing is lost, the next node is asked the same.

use super::candidates::Candidate;
use super::failure::Failure;
use super::transport::{self, Ask, jittered};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use uuid::Uuid;
use wire::limits::FOLLOW_WAIT_MS_MAX;
use wire::{Asker, ErrorCode, NodeRequest, ReplyBody, Request, RequestBody, call};

/// How long a poll waits for news. The longest there is, since it is not what notices a node that is stuck: so a thousand idle
/// followers cost the database 40 looks a second. (Polls short enough to notice would cost it 400.)
pub const POLL_WAIT_MS: u32 = FOLLOW_WAIT_MS_MAX;
/// After this the answer of a poll that ended is not on its way any more.
pub const ANSWER_MARGIN: Duration = Duration::from_secs(2);
/// Between two pings, more or less a quarter. With [`PING_WAIT`] a node that is stuck is left within 3.5 s, and one more that
/// is stuck as well keeps nobody beyond 5 s. A ping asks no database: a thousand followers are 500 small connections a second, over
/// all nodes; at half the interval it would be twice as many, for one second.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// A healthy node answers a ping within a round trip. Who is left by mistake costs one more poll elsewhere, nothing else.
const PING_WAIT: Duration = Duration::from_secs(1);

/// Asks, and gives up as soon as the node shows no sign of life.
pub async fn poll(candidate: &Candidate, ask: &Ask<'_>) -> Result<ReplyBody, Failure> {
    tokio::select! {
        biased;
        answered = transport::single(candidate, ask) => answered,
        () = silence(ask.asker, candidate.socket) => {
            let why = format!("{}: it does not answer any more", candidate.address);
            Err(Failure::service(ErrorCode::Unavailable, why))
        }
    }
}

/// Returns when the node did not answer a ping. Any answer counts: also that it is busy, of another release, or an agent, which says
/// that nodes answer this.
async fn silence(asker: &Asker, socket: SocketAddr) {
    loop {
        sleep(jittered(PING_INTERVAL)).await;
        let request = Request {
            request_id: Uuid::now_v7(),
            token: None,
            remaining_ms: PING_WAIT.as_millis() as u32,
            body: RequestBody::Node(NodeRequest::Check(wire::Check {})),
        };
        let ping = async { asker.exchange(call::connect(socket).await?, &request).await };
        if !matches!(timeout(PING_WAIT, ping).await, Ok(Ok(_))) {
            return;
        }
    }
}
