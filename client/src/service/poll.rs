//! Long polls, one after the other, that go on whatever breaks: each at one server, the one that answered last, else at the next.
//! What a poll asks says where one is, so any server can answer it (I6).

use super::candidates::{Candidate, begun_at, resolve_all};
use super::failure::Failure;
use super::outage::Outage;
use super::session::{Nodes, Session, fresh_nodes};
use super::transport::Addresses;
use super::vigil::{self, ANSWER_MARGIN, POLL_WAIT_MS};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;
use wire::{ErrorCode, ReplyBody, RequestBody};

/// The first answer of a server, which is not to wait for news, takes milliseconds. Of a service that is slow all servers are: hence
/// twice as long in each round.
const PATIENCE_MIN: Duration = Duration::from_secs(1);
const PATIENCE_MAX: Duration = Duration::from_secs(8);

pub struct Poll<'a, A> {
    session: &'a Session,
    addresses: A,
    /// Rounds through all servers since one answered.
    round: u32,
    /// Servers not yet tried in this round.
    queue: VecDeque<Candidate>,
    /// The server that answered last.
    current: Option<Candidate>,
    /// The server that failed last: the last one to be tried again.
    failed: Option<Candidate>,
    outage: Outage,
    patience: Duration,
}

impl<'a, A: Addresses> Poll<'a, A> {
    pub fn new(session: &'a Session, addresses: A) -> Self {
        Self {
            session,
            addresses,
            round: 0,
            queue: VecDeque::new(),
            current: None,
            failed: None,
            outage: Outage::new(session.tell().clone()),
            patience: PATIENCE_MIN,
        }
    }

    pub fn addresses(&mut self) -> &mut A {
        &mut self.addresses
    }

    pub fn current(&self) -> Option<&Candidate> {
        self.current.as_ref()
    }

    /// The answer of whatever server has one, however long that takes. Fails only where waiting does not help. `ask` makes
    /// the request, which may wait for so many milliseconds; `take` takes the kind of reply that belongs to it. Cancelled, it
    /// goes on where it was.
    pub async fn answer<T>(
        &mut self,
        ask: impl Fn(u32) -> RequestBody,
        take: impl Fn(ReplyBody) -> Option<T>,
    ) -> Result<T, Failure> {
        loop {
            let polled = match self.candidate().await {
                Ok(candidate) => self.poll(candidate, &ask).await,
                Err(failure) => Err(failure),
            };
            match polled {
                Err(failure) if failure.is_retryable() => self.struggle(&failure).await,
                Err(failure) => return Err(failure),
                Ok((candidate, reply)) => {
                    let taken = take(reply).ok_or_else(Failure::unexpected_reply)?;
                    self.answered(candidate);
                    return Ok(taken);
                }
            }
        }
    }

    /// The last answer was of no use: another server may know better.
    pub async fn disbelieve(&mut self) {
        self.failed = self.current.clone();
        self.struggle(&Failure::unexpected_reply()).await;
    }

    /// The server that answered last, else the next of the round; new rounds ask where the servers are.
    async fn candidate(&mut self) -> Result<Candidate, Failure> {
        if let Some(current) = &self.current {
            return Ok(current.clone());
        }
        if self.queue.is_empty() {
            let found = self.outage.during(self.addresses.round(self.round)).await?;
            self.round += 1;
            self.queue = found.into();
            let failed = self.failed.take();
            self.queue.make_contiguous().sort_by_key(|candidate| Some(candidate) == failed.as_ref());
        }
        let none =
            || Failure::service(ErrorCode::Unavailable, format!("no address of {}", self.addresses.what()));
        self.queue.pop_front().ok_or_else(none)
    }

    async fn poll(
        &mut self,
        candidate: Candidate,
        ask: impl Fn(u32) -> RequestBody,
    ) -> Result<(Candidate, ReplyBody), Failure> {
        // A server that has not answered yet may be stuck; and who waits for the end of an outage must not wait for news.
        let (wait_ms, longest) = match self.current {
            Some(_) => (POLL_WAIT_MS, Duration::from_millis(POLL_WAIT_MS.into()) + ANSWER_MARGIN),
            None => (0, self.patience),
        };
        self.failed = Some(candidate.clone()); // unless it answers
        let body = ask(wait_ms);
        let deadline = Instant::now() + longest;
        let ask = self.session.ask(&body, deadline);
        let reply = self.outage.during(vigil::poll(&candidate, &ask)).await?;
        Ok((candidate, reply))
    }

    fn answered(&mut self, candidate: Candidate) {
        self.current = Some(candidate);
        self.failed = None;
        self.round = 1; // where they were first may be long ago
        self.patience = PATIENCE_MIN;
        self.queue.clear();
        self.outage.is_over();
    }

    /// To the next server; after all of them were tried, a little later.
    async fn struggle(&mut self, failure: &Failure) {
        let was_served = self.current.take().is_some();
        self.outage.goes_on(failure, Instant::now());
        if self.queue.is_empty() {
            self.outage.pause().await;
            // Who leaves the server that served until now has not tried the others yet.
            if !was_served {
                self.patience = (self.patience * 2).min(PATIENCE_MAX);
            }
        }
    }
}

/// Nodes, for what any of them can answer.
pub struct AnyNode<'a> {
    session: &'a Session,
    /// Those that an agent told last, best first; none: it is asked first.
    pub nodes: Nodes,
}

impl<'a> AnyNode<'a> {
    pub fn new(session: &'a Session, nodes: Nodes) -> Self {
        Self { session, nodes }
    }
}

impl Addresses for AnyNode<'_> {
    async fn round(&mut self, round: u32) -> Result<Vec<Candidate>, Failure> {
        let known = &mut self.nodes.addresses;
        if round > 0 || known.is_empty() {
            match fresh_nodes(self.session, &[]).await {
                Ok(addresses) if !addresses.is_empty() => *known = addresses,
                // Where all nodes are new ones, only an agent can say that the session has ended.
                Err(failure) if known.is_empty() || failure.code() == Some(ErrorCode::Unauthenticated) => {
                    return Err(failure);
                }
                _ => {} // the agents are no help now; the nodes may be back
            }
        }
        resolve_all(known.clone()).await
    }

    fn what(&self) -> &'static str {
        "a node"
    }
}

/// Agents, beginning with any of them.
pub struct AnyAgent<'a>(pub &'a Session);

impl Addresses for AnyAgent<'_> {
    async fn round(&mut self, _round: u32) -> Result<Vec<Candidate>, Failure> {
        Ok(begun_at(resolve_all(self.0.agents()).await?, None))
    }

    fn what(&self) -> &'static str {
        "an agent"
    }
}
