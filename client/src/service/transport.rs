//! One request, several servers, one answer: the race between them.
//!
//! The next server is tried at once when one refuses, breaks off or is draining. When one is only slow (300 ms without
//! a connection, 1 s without an answer) the next is asked *as well*, and the first definite answer wins. Every request
//! may be repeated (I10), so nothing can happen twice.

use super::candidates::Candidate;
use super::failure::Failure;
use super::tell::Tell;
use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;
use wire::call::{self, CallError};
use wire::{Asker, ErrorCode, ErrorReply, Reply, ReplyBody, Request, RequestBody, Token};

/// A healthy server accepts within a round trip; three lost in a row are rare.
const CONNECT_PATIENCE: Duration = Duration::from_millis(300);
/// A healthy server answers within milliseconds; a failing over database takes longer than any patience.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);
/// From the second server asked as well on both patiences double, up to this many times. Not for the first: two servers in a row
/// that are paused (they still accept, so that only silence tells) keep nobody for more than 2.5 s. Of a service that is only slow
/// each request costs one more attempt by then, and three more in the 8 s after.
const DOUBLINGS_MAX: u32 = 5;
/// Attempts at the same time: with the doubling patience they last for 16 s, and are no burden.
const ATTEMPTS_MAX: usize = 5;
/// With less time left than this another attempt has no chance: servers keep 20 ms back for the way of the answer.
const ATTEMPT_WAIT_MIN: Duration = Duration::from_millis(50);
/// Between two rounds through all servers, doubling.
const ROUND_PAUSE_MIN: Duration = Duration::from_millis(50);
const ROUND_PAUSE_MAX: Duration = Duration::from_secs(1);
/// After this a person is told what is waited for.
const SILENCE_MAX: Duration = Duration::from_millis(300);
/// For a `busy` that does not say when to come again.
const BUSY_WAIT_MS_DEFAULT: u32 = 500;

/// Where servers are. `round` counts from 0; later rounds may find others.
pub trait Addresses {
    fn round(&mut self, round: u32) -> impl Future<Output = Result<Vec<Candidate>, Failure>> + Send;
    /// Like `an agent`.
    fn what(&self) -> &'static str;
}

/// What is asked.
pub struct Ask<'a> {
    pub token: Option<Token>,
    pub body: &'a RequestBody,
    pub deadline: Instant,
    pub asker: &'a Arc<Asker>,
    pub tell: &'a Tell,
}

pub struct Answer {
    /// Who answered.
    pub candidate: Candidate,
    /// Who was asked before and failed, or had not answered by then.
    pub passed: Vec<Candidate>,
    pub body: ReplyBody,
}

/// What came of one attempt.
enum Verdict {
    Answer(ReplyBody),
    /// No server will say anything else.
    Definite(ErrorReply),
    /// Another one may know better.
    Elsewhere(Failure),
    /// It says itself when to come again.
    Busy(ErrorReply),
    /// Not one of ours, it seems, or of a release that does not know the request: waiting does not help, another server may.
    Foreign(Failure),
}

/// Asks until there is a definite answer, or the deadline.
pub async fn race<A: Addresses>(addresses: &mut A, ask: Ask<'_>) -> Result<Answer, Failure> {
    let started = Instant::now();
    let what = addresses.what();
    let mut race = Race::new(what, &ask, started);
    loop {
        tokio::select! {
            biased;
            Some(done) = race.attempts.join_next(), if !race.attempts.is_empty() => {
                let Ok((candidate, result)) = done else { continue };
                if let Some(end) = race.finished(candidate, result) {
                    return end;
                }
            }
            () = sleep_until(ask.deadline) => return Err(race.out_of_time(started)),
            () = sleep_until(race.tell_at), if !race.told => race.tell(),
            () = sleep_until(race.next_at), if race.attempts.len() < ATTEMPTS_MAX && !race.is_too_late() => {
                if race.still_patient() {
                    continue;
                }
                if race.queue.is_empty() {
                    let round = addresses.round(race.rounds);
                    tokio::pin!(round);
                    // Looking for servers takes a while, too; who was asked already may answer meanwhile.
                    let found = loop {
                        tokio::select! {
                            biased;
                            Some(Ok((candidate, result))) = race.attempts.join_next() => {
                                if let Some(end) = race.finished(candidate, result) {
                                    return end;
                                }
                            }
                            found = &mut round => break found,
                            () = sleep_until(ask.deadline) => return Err(race.out_of_time(started)),
                            () = sleep_until(race.tell_at), if !race.told => race.tell(),
                        }
                    };
                    race.new_round(found);
                }
                race.start_next();
            }
        }
    }
}

struct Race<'a> {
    what: &'static str,
    ask: &'a Ask<'a>,
    request_id: Uuid,
    attempts: JoinSet<(Candidate, Result<Reply, CallError>)>,
    queue: VecDeque<Candidate>,
    /// Whoever was asked, each once.
    tried: Vec<Candidate>,
    rounds: u32,
    round_pause: Duration,
    /// When the next server may be asked.
    next_at: Instant,
    newest: Option<Newest>,
    hedges: u32,
    /// At all: the first attempt is made however little time there is.
    asked_ever: bool,
    /// In this round: how many were asked, and how many did not speak our protocol.
    asked: usize,
    foreign: usize,
    last: Option<Failure>,
    tell_at: Instant,
    told: bool,
    /// The last wait that was told: said once, however often it is asked for.
    told_wait: String,
}

/// The attempt that was started last: how long it gets depends on whether it has a connection.
struct Newest {
    started: Instant,
    connected: Arc<AtomicBool>,
}

impl<'a> Race<'a> {
    fn new(what: &'static str, ask: &'a Ask<'a>, now: Instant) -> Self {
        Self {
            what,
            ask,
            request_id: Uuid::now_v7(),
            attempts: JoinSet::new(),
            queue: VecDeque::new(),
            tried: Vec::new(),
            rounds: 0,
            round_pause: ROUND_PAUSE_MIN,
            next_at: now,
            newest: None,
            hedges: 0,
            asked_ever: false,
            asked: 0,
            foreign: 0,
            last: None,
            tell_at: now + SILENCE_MAX,
            told: false,
            told_wait: String::new(),
        }
    }

    /// Whether the newest attempt, having a connection, gets more time before another is asked as well.
    fn still_patient(&mut self) -> bool {
        let Some(newest) = &self.newest else { return false };
        if !newest.connected.load(Ordering::Relaxed) {
            return false;
        }
        let until = newest.started + jittered(self.doubled(ANSWER_PATIENCE));
        self.newest = None; // asked once; the next time is the time
        self.next_at = until;
        until > Instant::now()
    }

    fn doubled(&self, patience: Duration) -> Duration {
        patience * 2_u32.pow(self.hedges.saturating_sub(1).min(DOUBLINGS_MAX))
    }

    /// Whether the deadline is too near for one more attempt: its "no time is left" would only hide why the others failed.
    fn is_too_late(&self) -> bool {
        self.asked_ever && self.next_at.max(Instant::now()) + ATTEMPT_WAIT_MIN > self.ask.deadline
    }

    fn new_round(&mut self, found: Result<Vec<Candidate>, Failure>) {
        self.rounds += 1;
        self.asked = 0;
        self.foreign = 0;
        match found {
            Ok(candidates) => self.queue = candidates.into(),
            Err(failure) => self.last = Some(failure),
        }
        if self.queue.is_empty() {
            let none = || Failure::service(ErrorCode::Unavailable, format!("no address of {}", self.what));
            self.last.get_or_insert_with(none);
            self.pause();
        }
    }

    fn start_next(&mut self) {
        let Some(candidate) = self.queue.pop_front() else { return };
        self.asked_ever = true;
        self.asked += 1;
        let connected = Arc::new(AtomicBool::new(false));
        let now = Instant::now();
        self.newest = Some(Newest { started: now, connected: connected.clone() });
        let others = self.attempts.len() as u32; // they have not answered: this one is asked as well
        self.hedges = if others == 0 { 0 } else { self.hedges + 1 };
        self.next_at = now + jittered(self.doubled(CONNECT_PATIENCE));
        if !self.tried.contains(&candidate) {
            self.tried.push(candidate.clone());
        }
        let request = self.ask.request(self.request_id, self.ask.deadline);
        let (deadline, asker) = (self.ask.deadline, self.ask.asker.clone());
        self.attempts.spawn(async move {
            let result = attempt(&asker, candidate.socket, &request, deadline, deadline, &connected).await;
            (candidate, result)
        });
    }

    /// `Some` when the race is over.
    fn finished(
        &mut self,
        who: Candidate,
        result: Result<Reply, CallError>,
    ) -> Option<Result<Answer, Failure>> {
        match judge(&who.address, self.request_id, result) {
            Verdict::Answer(body) => {
                let passed = self.tried.iter().filter(|tried| **tried != who).cloned().collect();
                return Some(Ok(Answer { candidate: who, passed, body }));
            }
            Verdict::Definite(error) => return Some(Err(error.into())),
            Verdict::Foreign(failure) => {
                self.foreign += 1;
                if self.foreign == self.asked && self.queue.is_empty() && self.attempts.is_empty() {
                    return Some(Err(failure)); // nobody there understands this
                }
                self.last = Some(failure);
                self.next();
            }
            Verdict::Elsewhere(why) => {
                self.last = Some(why);
                self.next();
            }
            Verdict::Busy(error) => return self.busy(&who.address, error).map(Err),
        }
        None
    }

    /// Waits as long as it was told to, and tells a person so; `Some` at once when there is no time for that, nor anybody else
    /// to ask.
    fn busy(&mut self, address: &str, error: ErrorReply) -> Option<Failure> {
        let wait = Duration::from_millis(error.retry_after_ms.unwrap_or(BUSY_WAIT_MS_DEFAULT).into());
        let latest = self.ask.deadline - ATTEMPT_WAIT_MIN;
        let now = Instant::now();
        let fits = now + wait <= latest;
        if !fits && self.queue.is_empty() && self.attempts.is_empty() {
            let text = format!("{}: come again then, or wait longer with --timeout", error.message);
            return Some(Failure::service(error.code, text));
        }
        self.last = Some(Failure::service(error.code, format!("{address}: {}", error.message)));
        if !fits {
            self.next();
            return None;
        }
        self.newest = None;
        // Not earlier, or it would be told the same again; a little later, so that a crowd does not come back as one.
        self.next_at = (now + wait + jittered(wait.min(ROUND_PAUSE_MAX)) / 4).min(latest);
        if wait >= SILENCE_MAX && self.told_wait != error.message {
            self.ask.tell.waiting(&format!("waiting: {}", error.message));
            self.told = true;
            self.told_wait = error.message;
        }
        None
    }

    fn next(&mut self) {
        self.newest = None;
        if self.queue.is_empty() && self.attempts.is_empty() {
            self.pause(); // everyone was asked
        } else {
            self.next_at = Instant::now();
        }
    }

    fn pause(&mut self) {
        self.next_at = Instant::now() + jittered(self.round_pause);
        self.round_pause = (self.round_pause * 2).min(ROUND_PAUSE_MAX);
    }

    fn tell(&mut self) {
        self.told = true;
        let why = self.last.as_ref().map_or("no answer yet".into(), |last| last.message.clone());
        self.ask.tell.waiting(&format!("waiting for {}: {why}", self.what));
    }

    fn out_of_time(&self, started: Instant) -> Failure {
        let waited = match started.elapsed() {
            long if long >= Duration::from_secs(1) => format!("{:.0} s", long.as_secs_f64()),
            short => format!("{} ms", short.as_millis()),
        };
        let last = self.last.as_ref();
        let why = last.map_or("no answer".into(), |last| last.message.clone());
        let code =
            last.and_then(Failure::code).filter(|code| code.is_retryable()).unwrap_or(ErrorCode::Unavailable);
        let what = self.what;
        Failure::service(
            code,
            format!("{what} could not be reached within {waited}: {why}; a repeat is safe"),
        )
    }
}

impl Ask<'_> {
    fn request(&self, request_id: Uuid, deadline: Instant) -> Request {
        let remaining = deadline.saturating_duration_since(Instant::now());
        let remaining_ms = u32::try_from(remaining.as_millis()).unwrap_or(u32::MAX);
        Request { request_id, token: self.token, remaining_ms, body: self.body.clone() }
    }
}

/// One attempt at one server, for those who race nobody (`follow`): `Err` says why to go elsewhere.
pub async fn single(candidate: &Candidate, ask: &Ask<'_>) -> Result<ReplyBody, Failure> {
    let request = ask.request(Uuid::now_v7(), ask.deadline);
    let connect_by = Instant::now() + ANSWER_PATIENCE;
    let connected = AtomicBool::new(false);
    let result = attempt(ask.asker, candidate.socket, &request, connect_by, ask.deadline, &connected).await;
    match judge(&candidate.address, request.request_id, result) {
        Verdict::Answer(body) => Ok(body),
        Verdict::Definite(error) => Err(error.into()),
        Verdict::Elsewhere(why) => Err(why),
        Verdict::Busy(error) => {
            Err(Failure::service(error.code, format!("{}: {}", candidate.address, error.message)))
        }
        Verdict::Foreign(failure) => Err(Failure::service(ErrorCode::Unavailable, failure.message)),
    }
}

async fn attempt(
    asker: &Asker,
    socket: SocketAddr,
    request: &Request,
    connect_by: Instant,
    deadline: Instant,
    connected: &AtomicBool,
) -> Result<Reply, CallError> {
    let stream = timeout_at(connect_by, call::connect(socket)).await.unwrap_or(Err(CallError::Timeout))?;
    connected.store(true, Ordering::Relaxed);
    timeout_at(deadline, asker.exchange(stream, request)).await.unwrap_or(Err(CallError::Timeout))
}

fn judge(address: &str, request_id: Uuid, result: Result<Reply, CallError>) -> Verdict {
    let elsewhere =
        |code, why: String| Verdict::Elsewhere(Failure::service(code, format!("{address}: {why}")));
    let unavailable = |why| elsewhere(ErrorCode::Unavailable, why);
    let foreign = |why: String| Verdict::Foreign(Failure::foreign(format!("{address}: {why}")));
    let reply = match result {
        Ok(reply) => reply,
        Err(CallError::Malformed(why)) => return foreign(why),
        Err(error) => return unavailable(error.to_string()),
    };
    match reply.result {
        Err(error) if error.is_unknown_request() => Verdict::Foreign(error.into()),
        // A server that could not read the request answers with the nil id.
        Err(error) if reply.request_id != request_id && !error.code.is_retryable() => foreign(error.message),
        Ok(_) if reply.request_id != request_id => unavailable("it answered another request".into()),
        Ok(body) => Verdict::Answer(body),
        Err(error) if !error.code.is_retryable() => Verdict::Definite(error),
        Err(error) if error.code == ErrorCode::Busy => Verdict::Busy(error),
        Err(error) => elsewhere(error.code, error.message),
    }
}

/// Up to a quarter more or less, so that clients that failed together do not come back together.
pub fn jittered(duration: Duration) -> Duration {
    let random = getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX));
    duration.mul_f64(0.75 + random / 2.0)
}
