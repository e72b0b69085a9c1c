//! The rounds of the leader: every node is asked how it is; its state, and which areas it serves, follow from that.

use crate::agent::Agent;
use crate::ask::ask;
use crate::leader::placement::{self, Candidate};
use crate::leader::suspicion::Memory;
use crate::leader::term::{Ending, is_over, ms};
use crate::leader::weights::{Busy, Weights};
use db::Db;
use db::leader::Term;
use db::nodes::{Found, Node};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;
use wire::{Asker, NodeReply, NodeReport, NodeRequest, Token};

/// One check, at the most: who takes longer is of no use to people either.
const CHECK_WAIT_MS_MAX: i64 = 900;
/// What live nodes reported in the last round.
pub type Reports = Mutex<HashMap<Uuid, NodeReport>>;

/// Checks in rounds until the lease is lost, or this agent doubts itself.
pub async fn run(agent: Arc<Agent>, db: Db, term: Term, reports: Arc<Reports>) -> Ending {
    let mut rounds = Rounds {
        check_token: None,
        memory: Memory::default(),
        may_be_cut_off: false,
        weights: Weights::default(),
        assigned: None,
        agent,
        db,
        term,
        reports,
    };
    loop {
        let began = Instant::now();
        let round = rounds.round().await;
        if let Ok(Doubts::Justified) = round {
            return Ending::Doubts;
        }
        if is_over(round.map(drop), "checking nodes") {
            return Ending::Lost;
        }
        rounds.agent.live.passed(began, |settings| settings.check_interval_ms).await;
    }
}

/// The reports of the last round.
pub fn lock(reports: &Reports) -> std::sync::MutexGuard<'_, HashMap<Uuid, NodeReport>> {
    reports.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Rounds {
    agent: Arc<Agent>,
    db: Db,
    term: Term,
    reports: Arc<Reports>,
    check_token: Option<Token>,
    memory: Memory,
    /// Until it is known whether another agent could do better.
    may_be_cut_off: bool,
    weights: Weights,
    /// What the last assignment was made from.
    assigned: Option<(Vec<Candidate>, i64)>,
}

enum Doubts {
    None,
    /// Most nodes were lost in one moment, and another agent may reach them.
    Justified,
}

impl Rounds {
    async fn round(&mut self) -> db::Result<Doubts> {
        let token = self.check_token().await?;
        let settings = self.agent.live.settings();
        let nodes = db::nodes::list(&self.db).await?;
        let wait = ms((settings.check_interval_ms * 9 / 10).min(CHECK_WAIT_MS_MAX));
        let mut reports = ask_all(&self.agent.asker, &nodes, token, wait).await;

        // Those that say that they leave count as gone at once, and as nobody's fault.
        let checks: Vec<(Uuid, bool)> = nodes
            .iter()
            .map(|node| (node.node_id, reports.get(&node.node_id).map(|report| report.draining)))
            .filter(|(_, draining)| *draining != Some(true))
            .map(|(node_id, draining)| (node_id, draining.is_some()))
            .collect();
        let verdict = self.memory.round(&checks, settings.check_misses_max.unsigned_abs() as u32);
        self.may_be_cut_off |= verdict.doubts;
        if self.may_be_cut_off && db::agents::is_other_live(&self.db, self.term.agent_id).await? {
            let (epoch, nodes) = (self.term.epoch, nodes.len());
            tracing::warn!(
                epoch,
                nodes,
                lost = verdict.lost.len(),
                "most nodes were lost in one moment: another agent may reach them"
            );
            return Ok(Doubts::Justified);
        }
        self.may_be_cut_off = false;

        let found: Vec<Found> = nodes
            .iter()
            .filter_map(|node| {
                let to = match reports.get(&node.node_id) {
                    Some(report) if report.draining => "left",
                    Some(_) => "live",
                    None if verdict.lost.contains(&node.node_id) => "out",
                    None => return None,
                };
                (node.state != to).then(|| Found { node_id: node.node_id, from: node.state.clone(), to })
            })
            .collect();
        if !found.is_empty() {
            db::nodes::set_states(&self.db, self.term, &found).await?;
            for Found { node_id, from, to } in &found {
                let address = nodes.iter().find(|node| node.node_id == *node_id).map(|node| &node.address);
                if *to == "out" {
                    tracing::warn!(%node_id, address, was = from, "a node does not answer: no clients are sent there");
                } else {
                    tracing::info!(%node_id, address, was = from, is = to, "a node's state changed");
                }
            }
        }
        // As they are now; a node may have left, or come, meanwhile.
        let mut live = db::nodes::list(&self.db).await?;
        live.retain(|node| node.state == "live");
        reports.retain(|node_id, _| live.iter().any(|node| node.node_id == *node_id));
        self.weigh(&mut live, &reports).await?;
        *lock(&self.reports) = reports;
        self.assign(&live).await?;
        Ok(Doubts::None)
    }

    async fn check_token(&mut self) -> db::Result<Token> {
        if let Some(token) = self.check_token {
            return Ok(token);
        }
        let token = Token(db::nodes::check_token(&self.db).await?);
        self.check_token = Some(token);
        Ok(token)
    }

    async fn weigh(&mut self, live: &mut [Node], reports: &HashMap<Uuid, NodeReport>) -> db::Result<()> {
        let busy: Vec<Busy> = live
            .iter()
            .filter_map(|node| {
                let load = reports.get(&node.node_id)?.load;
                let done_s = load.posts_s
                    + load.reads_s
                    + load.follows_s
                    + load.deletes_s
                    + load.others_s
                    + load.deliveries_s;
                Some(Busy { node_id: node.node_id, weight: node.weight, done_s })
            })
            .collect();
        let changed = self.weights.round(&busy);
        if changed.is_empty() {
            return Ok(());
        }
        db::nodes::set_weights(&self.db, self.term, &changed).await?;
        for (node_id, weight) in changed {
            live.iter_mut().filter(|node| node.node_id == node_id).for_each(|node| node.weight = weight);
            tracing::info!(%node_id, quarters = weight, "a node's share of the areas changed");
        }
        Ok(())
    }

    /// Assigns what must be, where anything has changed since the last time.
    async fn assign(&mut self, live: &[Node]) -> db::Result<()> {
        let candidates: Vec<Candidate> = live
            .iter()
            .map(|node| Candidate {
                node_id: node.node_id,
                drained: node.drained,
                weight: u32::from(node.weight.unsigned_abs()),
            })
            .collect();
        let digest = db::assignments::digest(&self.db).await?;
        if self.assigned.as_ref().is_some_and(|(nodes, then)| *nodes == candidates && *then == digest) {
            return Ok(());
        }
        let areas = db::assignments::list(&self.db).await?;
        let changed = placement::assign(&areas, &candidates);
        if changed.is_empty() {
            self.assigned = Some((candidates, digest));
            return Ok(());
        }
        db::assignments::write(&self.db, self.term, &changed).await?;
        tracing::info!(areas = changed.len(), "areas were assigned");
        Ok(())
    }
}

/// What nodes report that answer in time, each of which is really the node whose row says so.
async fn ask_all(
    asker: &Arc<Asker>,
    nodes: &[Node],
    token: Token,
    wait: Duration,
) -> HashMap<Uuid, NodeReport> {
    let mut checks = JoinSet::new();
    for node in nodes {
        let (asker, node_id, address) = (asker.clone(), node.node_id, node.address.clone());
        checks.spawn(async move {
            match ask(&asker, &address, Some(token), NodeRequest::Report(wire::Report {}), wait).await {
                Some(NodeReply::Reported(report)) if report.node_id == node_id => Some((node_id, report)),
                _ => None,
            }
        });
    }
    checks.join_all().await.into_iter().flatten().collect()
}
