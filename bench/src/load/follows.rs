//! Followers of one area, each with a long poll at one node, and the posts that they wait for. Followers and poster are in
//! one process, so that one clock decides; on threads of their own, so that the poster sees the acknowledgement when it
//! comes and not when the followers leave time for it.

use super::closed_loop::{Trouble, quantile_ms};
use super::exchange::ask;
use crate::costs::{Spent, own_s, postgres_s, process_s};
use crate::people::Crowd;
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;
use wire::limits::FOLLOW_WAIT_MS_MAX;
use wire::{AreaId, FollowArea, NodeReply, NodeRequest, Page, Post, Seq, Shown, Token};

/// Followers that come at once; the next ones come when these wait. As many as the shortest usual backlog of a listener
/// holds: what does not fit there is sent again after a second.
const WAVE: usize = 128;
/// While it waits, a client asks its node for a sign of life, this often, more or less a quarter.
const PING_INTERVAL_MS: u64 = 2_000;
/// Whoever is told `busy` asks again after this, as clients do.
const BUSY_PAUSE_MS: u64 = 50;
/// How often the node is asked how many wait: only while nothing is measured.
const LOOK_INTERVAL_MS: u64 = 5;
/// All of them wait, or have the article, by then; else something is broken. A follower that is lost to the node would come
/// again within the longest wait of a poll.
const ALL_WAIT_S: u64 = 60;

#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    pub node: SocketAddr,
    pub node_pid: u32,
    pub postmaster: u32,
    /// With this the node tells how many wait: the leader's own question.
    pub check_token: Token,
    /// Follower n is the nth person of the first area.
    pub crowd: Crowd,
    pub followers: usize,
    /// Whether they ask for signs of life while they wait, as clients do.
    pub ping: bool,
    pub body_bytes: usize,
    /// Posts into the followed area, each when all wait.
    pub posts: usize,
    /// Posts into the second area before anybody waits, and again while all do.
    pub elsewhere: usize,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Followed {
    /// From the acknowledgement of a post to the last delivery; 0 where the delivery came first.
    pub after_ack: Times,
    /// The same from the moment the post was sent.
    pub after_sending: Times,
    /// One post at a time into the second area, before anybody waits and while all do.
    pub elsewhere_before: Times,
    pub elsewhere_while: Times,
    /// From the first post to the last delivery: how many there were, how long it took, with the followers' coming back and
    /// their signs of life, and what was spent on it.
    pub deliveries: u64,
    pub delivering_s: f64,
    pub spent: Spent,
    /// Polls that were answered `busy`, and repeated.
    pub busy: u64,
    /// Of the node, before and with all of them.
    pub resident_before_kib: u64,
    pub resident_with_kib: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Times {
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Times {
    fn of(mut taken_us: Vec<u32>) -> Self {
        taken_us.sort_unstable();
        Self { p50_ms: quantile_ms(&taken_us, 0.5), p99_ms: quantile_ms(&taken_us, 0.99) }
    }
}

/// Everybody has this article.
struct Delivered {
    seq: Seq,
    /// When the last one got it.
    at: Instant,
    /// So many polls were answered `busy` so far.
    busy: u64,
}

/// What the followers' thread tells; the reason when one of them failed.
type News = Result<Delivered, String>;

pub fn run(plan: &Plan) -> anyhow::Result<Followed> {
    let (order, orders) = unbounded_channel();
    let (tell, news) = unbounded_channel();
    std::thread::scope(|scope| {
        scope.spawn(|| follow_all(plan, orders, tell));
        runtime()?.block_on(Poster { plan, order, news }.run())
    })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

struct Poster<'a> {
    plan: &'a Plan,
    /// Let these followers come. The thread ends when this is dropped.
    order: UnboundedSender<Range<usize>>,
    news: UnboundedReceiver<News>,
}

impl Poster<'_> {
    async fn run(mut self) -> anyhow::Result<Followed> {
        let plan = self.plan;
        let mut followed = Followed { elsewhere_before: self.post_elsewhere().await?, ..Followed::default() };
        followed.resident_before_kib = resident_kib(plan.node_pid)?;
        for first in (0..plan.followers).step_by(WAVE) {
            let wave = first..plan.followers.min(first + WAVE);
            self.order.send(wave.clone())?;
            self.until_waiting(wave.end).await?;
        }
        followed.resident_with_kib = resident_kib(plan.node_pid)?;
        followed.elsewhere_while = self.post_elsewhere().await?;
        let (mut after_ack, mut after_sending) = (vec![], vec![]);
        let (begun, before) = (Instant::now(), self.spent()?);
        for _ in 0..plan.posts {
            self.until_waiting(plan.followers).await?;
            let sent = Instant::now();
            let seq = self.post(0).await?;
            let acknowledged = Instant::now();
            let last = timeout(Duration::from_secs(ALL_WAIT_S), self.news.recv()).await;
            let delivered = match last.context("not everybody got the article")? {
                Some(Ok(delivered)) => delivered,
                Some(Err(reason)) => bail!("a follower failed: {reason}"),
                None => bail!("the followers ended"),
            };
            anyhow::ensure!(delivered.seq == seq, "delivered {}, not {seq}", delivered.seq);
            after_ack.push(delivered.at.saturating_duration_since(acknowledged).as_micros() as u32);
            after_sending.push((delivered.at - sent).as_micros() as u32);
            followed.busy = delivered.busy;
        }
        followed.delivering_s = begun.elapsed().as_secs_f64();
        followed.spent = self.spent()?.since(before);
        followed.deliveries = plan.posts as u64 * plan.followers as u64;
        Ok(Followed { after_ack: Times::of(after_ack), after_sending: Times::of(after_sending), ..followed })
    }

    /// So far, by all who take part.
    fn spent(&self) -> anyhow::Result<Spent> {
        let Plan { node_pid, postmaster, .. } = *self.plan;
        Ok(Spent { load: own_s(), nodes: process_s(node_pid)?, postgres: postgres_s(postmaster)? })
    }

    /// Posts into an area, as the first person who is subscribed to it.
    async fn post(&self, area: usize) -> anyhow::Result<Seq> {
        let Plan { node, crowd, body_bytes, .. } = *self.plan;
        let post = Post { area_id: crowd.area(area), id: Uuid::now_v7(), body: "n".repeat(body_bytes) };
        let posted = ask(node, crowd.token(area), NodeRequest::Post(wire::PostBatch { posts: vec![post] }));
        match posted.await {
            Ok(NodeReply::Posted(wire::PostedBatch { results })) => match results.into_iter().next() {
                Some(Ok(posted)) => Ok(posted.seq),
                other => bail!("not posted: {other:?}"),
            },
            other => bail!("not posted: {other:?}"),
        }
    }

    async fn post_elsewhere(&self) -> anyhow::Result<Times> {
        let mut taken_us = vec![];
        for _ in 0..self.plan.elsewhere {
            let sent = Instant::now();
            self.post(1).await?;
            taken_us.push(sent.elapsed().as_micros() as u32);
        }
        Ok(Times::of(taken_us))
    }

    /// Until the node counts so many followers.
    async fn until_waiting(&mut self, followers: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(ALL_WAIT_S);
        let mut waiting = 0;
        while Instant::now() < deadline {
            waiting = match ask(self.plan.node, self.plan.check_token, NodeRequest::Report(wire::Report {}))
                .await
            {
                Ok(NodeReply::Reported(report)) => report.load.followers as usize,
                other => bail!("the node does not tell how many wait: {other:?}"),
            };
            if waiting >= followers {
                return Ok(());
            }
            if let Ok(Err(reason)) = self.news.try_recv() {
                bail!("a follower failed: {reason}");
            }
            sleep(Duration::from_millis(LOOK_INTERVAL_MS)).await;
        }
        bail!("only {waiting} of {followers} followers wait")
    }
}

/// Counts who has the latest article.
struct Tally {
    followers: usize,
    latest: Cell<Seq>,
    got: Cell<usize>,
    /// Polls that were answered `busy`.
    busy: Cell<u64>,
    tell: UnboundedSender<News>,
}

impl Tally {
    fn delivered(&self, seq: Seq) {
        let at = Instant::now();
        if seq > self.latest.get() {
            self.latest.set(seq);
            self.got.set(0);
        }
        self.got.set(self.got.get() + 1);
        if self.got.get() == self.followers {
            let _ = self.tell.send(Ok(Delivered { seq, at, busy: self.busy.get() }));
        }
    }
}

/// The followers' thread.
fn follow_all(plan: &Plan, mut orders: UnboundedReceiver<Range<usize>>, tell: UnboundedSender<News>) {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return drop(tell.send(Err(error.to_string()))),
    };
    let tally = Rc::new(Tally {
        followers: plan.followers,
        latest: Cell::new(0),
        got: Cell::new(0),
        busy: Cell::new(0),
        tell,
    });
    let Plan { node, crowd, ping: ping_too, .. } = *plan;
    let all = LocalSet::new();
    all.block_on(&runtime, async {
        while let Some(numbers) = orders.recv().await {
            for person in numbers.map(|number| number * crowd.areas) {
                let tally = tally.clone();
                tokio::task::spawn_local(async move {
                    let token = crowd.token(person);
                    let failed = tokio::select! {
                        followed = follow(node, token, crowd.area(person), &tally) => followed,
                        pinged = ping(node, token, person), if ping_too => pinged,
                    };
                    if let Err(trouble) = failed {
                        let _ = tally.tell.send(Err(format!("{trouble:?}")));
                    }
                });
            }
        }
    });
}

/// As the client does it: each poll carries what the one before has shown.
async fn follow(node: SocketAddr, token: Token, area_id: AreaId, tally: &Tally) -> Result<(), Trouble> {
    let reading_id = Uuid::now_v7();
    let mut place = FollowArea { area_id, after: 0, shown: None };
    loop {
        let request =
            NodeRequest::Follow(wire::Follow { areas: vec![place.clone()], wait_ms: FOLLOW_WAIT_MS_MAX });
        let reply = match ask(node, token, request).await {
            Err(Trouble::Busy) => {
                tally.busy.set(tally.busy.get() + 1);
                sleep(Duration::from_millis(BUSY_PAUSE_MS)).await;
                continue;
            }
            answered => answered?,
        };
        let NodeReply::Followed(wire::Followed { pages, ended }) = &reply else {
            return Err(Trouble::Failed(format!("not the answer to a follow: {reply:?}")));
        };
        place.shown = None; // it arrived, since it was answered
        if !ended.is_empty() {
            return Err(Trouble::Failed(format!("it ended: {ended:?}")));
        }
        for page in pages {
            if page.from != place.after + 1 {
                return Err(Trouble::Failed(format!("from {} after {}", page.from, place.after)));
            }
            place.after = page.upto;
            let Page { from, upto, generation, .. } = *page;
            place.shown = Some(Shown { from, upto, generation, reading_id });
            page.articles.iter().for_each(|article| tally.delivered(article.seq));
        }
        // A thousand followers are a thousand machines. Here one thread is all of them: whatever has arrived for the others is
        // read before this one asks again.
        tokio::task::yield_now().await;
    }
}

async fn ping(node: SocketAddr, token: Token, person: usize) -> Result<(), Trouble> {
    // Any number without a common divisor with the spread, so that neighbours do not ping together.
    let spread_ms = PING_INTERVAL_MS / 2;
    let interval_ms = PING_INTERVAL_MS - spread_ms / 2 + person as u64 * 379 % spread_ms;
    loop {
        sleep(Duration::from_millis(interval_ms)).await;
        match ask(node, token, NodeRequest::Check(wire::Check {})).await {
            Ok(_) | Err(Trouble::Busy) => {} // a sign of life
            Err(failed) => return Err(failed),
        }
    }
}

/// Memory of a process that is not swapped out or dropped. What the kernel holds for its sockets is not in it.
pub fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    line.trim().trim_end_matches(" kB").parse().context("VmRSS")
}
