//! The election: every agent stands for it, one leads for a term. What a leader does runs as tasks of its term and ends with it;
//! each of its writes is fenced by the lease all the same, since a process that is paused ends nothing (I7).

use crate::agent::Agent;
use crate::leader::term::{Ending, ms};
use crate::leader::{checks, retention, sampling, upkeep};
use db::Db;
use db::leader::{Reason, Term};
use db::settings::Settings;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// How often a candidate tries: with the time of a lease, that is how long nobody leads when a leader is killed.
const CANDIDATE_INTERVAL_MS: u64 = 1_000;
/// After a renewal that failed. The lease runs on, and the next one may succeed.
const RENEWAL_RETRY_MS: u64 = 200;
/// A leader that doubted itself does not stand for so long: the next one has seen by then what there is to see.
const DOUBTS_REST_MS: u64 = 30_000;
/// How long handing on may take; without an answer the lease ends by itself.
const RELEASE_WAIT_MS: u64 = 1_000;

/// The connections of a leader, one for each kind of work, so that none waits behind requests or behind what is less urgent.
/// With those for requests an agent has ten at the most.
pub struct Connections {
    lease: Db,
    checks: Db,
    /// Samples, and clearing away.
    upkeep: Db,
}

impl Connections {
    pub fn new(db: &Db) -> db::Result<Self> {
        Ok(Self { lease: db.apart(1)?, checks: db.apart(1)?, upkeep: db.apart(1)? })
    }
}

/// Stands for election and leads, again and again, until `shutdown`.
pub async fn keep(agent: Arc<Agent>, connections: Connections, shutdown: CancellationToken) {
    let mut stands_from = Instant::now();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = sleep_until(stands_from) => {}
        }
        let ttl_ms = agent.live.settings().lease_ttl_ms;
        let asked = Instant::now();
        stands_from = asked + Duration::from_millis(CANDIDATE_INTERVAL_MS);
        let take = db::leader::take(&connections.lease, agent.agent_id, &agent.address, ttl_ms);
        let taken = tokio::select! {
            () = shutdown.cancelled() => return, // perhaps taken: then it ends by itself
            taken = take => taken,
        };
        match taken {
            Ok(None) => {}
            Ok(Some(term)) => {
                let ends = asked + ms(ttl_ms);
                let ending = lead(&agent, &connections, term, ends, &shutdown).await;
                let rests_ms = if ending == Ending::Doubts { DOUBTS_REST_MS } else { CANDIDATE_INTERVAL_MS };
                stands_from = Instant::now() + Duration::from_millis(rests_ms);
            }
            Err(error) => tracing::debug!(%error, "not elected"),
        }
    }
}

/// One term. `ends` is when its lease ends unless it is renewed, by this agent's clock: measured from before it was asked for.
async fn lead(
    agent: &Arc<Agent>,
    connections: &Connections,
    term: Term,
    ends: Instant,
    shutdown: &CancellationToken,
) -> Ending {
    tracing::info!(epoch = term.epoch, "this agent leads");
    let mut tasks = JoinSet::new();
    let reports = Arc::new(checks::Reports::default());
    tasks.spawn(checks::run(agent.clone(), connections.checks.clone(), term, reports.clone()));
    tasks.spawn(sampling::run(agent.clone(), connections.upkeep.clone(), term, reports));
    tasks.spawn(upkeep::run(agent.clone(), connections.upkeep.clone(), term));
    tasks.spawn(expire(agent.clone(), connections.upkeep.clone(), term));
    let ending = tokio::select! {
        () = shutdown.cancelled() => Ending::Stopped,
        () = hold(agent, &connections.lease, term, ends) => Ending::Lost,
        Some(ended) = tasks.join_next() => ended.unwrap_or(Ending::Failed),
    };
    // Where they stand: what they were about to write is fenced.
    tasks.shutdown().await;
    let reason = match ending {
        Ending::Lost => None,
        Ending::Stopped => Some(Reason::Stops),
        Ending::Doubts => Some(Reason::Doubts),
        Ending::Failed => Some(Reason::Failed),
    };
    if let Some(reason) = reason {
        let release = db::leader::release(&connections.lease, term, &agent.address, reason);
        match timeout(Duration::from_millis(RELEASE_WAIT_MS), release).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => not_handed_on(term, &error.to_string()),
            Err(_) => not_handed_on(term, "no answer in time"),
        }
    }
    tracing::info!(epoch = term.epoch, ?ending, "this agent leads no more");
    ending
}

/// Renews the lease; returns when it is gone, or when by this agent's own clock it may be: measured from before each renewal
/// was asked for, so that this is over before the database lets another one lead.
async fn hold(agent: &Agent, db: &Db, term: Term, mut ends: Instant) {
    let mut has_failed = false;
    loop {
        let waits = Instant::now();
        let pause_ms = |settings: &Settings| {
            if has_failed { RENEWAL_RETRY_MS as i64 } else { settings.lease_renewal_ms }
        };
        tokio::select! {
            () = sleep_until(ends) => {}
            () = agent.live.passed(waits, pause_ms) => {}
        }
        let asked = Instant::now();
        if asked >= ends {
            tracing::warn!(epoch = term.epoch, "the lease could not be renewed in time");
            return;
        }
        let ttl_ms = agent.live.settings().lease_ttl_ms;
        // One connection that hangs must not take all of the time.
        let wait = (ends - asked).min(ms(ttl_ms / 2));
        // Every try fails alike while the database is away: said once.
        let is_told = std::mem::replace(&mut has_failed, true);
        match timeout(wait, db::leader::renew(db, term, ttl_ms)).await {
            Ok(Ok(true)) => {
                ends = asked + ms(ttl_ms);
                has_failed = false;
            }
            Ok(Ok(false)) => {
                tracing::warn!(epoch = term.epoch, "the lease has been handed on");
                return;
            }
            Ok(Err(error)) if !is_told => not_renewed(term, &error.to_string()),
            Err(_) if !is_told => not_renewed(term, "no answer in time"),
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

fn not_renewed(term: Term, error: &str) {
    tracing::warn!(epoch = term.epoch, error, "the lease was not renewed");
}

fn not_handed_on(term: Term, error: &str) {
    tracing::warn!(epoch = term.epoch, error, "the lease was not handed on: it ends by itself");
}

/// The retention of articles as a task of a term, which ends it by being dropped.
async fn expire(agent: Arc<Agent>, db: Db, term: Term) -> Ending {
    let limits = || agent.live.settings().into();
    retention::keep(db, term, limits).await;
    Ending::Lost
}
