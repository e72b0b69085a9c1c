//! A whole run: a fleet, people, faults by chance, then quiet, then what the checker says.

use crate::check::{self, Violation, availability};
use crate::faults;
use crate::fleet::Fleet;
use crate::history::recorder::Recorder;
use crate::history::{Entry, LeaderSeen, Run, ended, file};
use crate::load::followers::ask_node;
use crate::load::place::Place;
use crate::load::{Crowd, Load, put_all};
use crate::person::{Person, pause};
use crate::seed::Chance;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, NoTls};
use tokio_util::sync::CancellationToken;
use wire::{AreaId, NodeRequest, Seq};

/// Who leads is looked at this often.
const LEADER_LOOK_MS: u64 = 100;
/// A database that is well answers at once.
const LEADER_WAIT: Duration = Duration::from_secs(2);
const VERIFY_WAIT_MS: u32 = 5_000;

#[derive(Debug, Clone)]
pub struct Plan {
    pub name: String,
    pub seed: u64,
    pub agents: usize,
    pub nodes: usize,
    pub time: Duration,
    pub crowd: Crowd,
}

/// What came of a run.
pub struct Judged {
    pub entries: Vec<Entry>,
    pub violations: Vec<Violation>,
    pub figures: availability::Figures,
    /// Servers that ended without being told to.
    pub mishaps: Vec<String>,
}

impl Judged {
    /// Keeps the history where somebody can look at it.
    pub fn keep(&self, plan: &Plan) -> PathBuf {
        let path = file::kept(&plan.name, plan.seed);
        file::write(&path, &self.entries).unwrap();
        path
    }
}

pub async fn run(plan: &Plan) -> Judged {
    let fleet = Fleet::start(plan.agents, plan.nodes).await;
    run_with(plan, &fleet, async |recorder, stop| {
        faults::at_random(&fleet, recorder, Chance::new(plan.seed).apart(u64::MAX), stop).await;
    })
    .await
}

/// With these faults, which last until the token says that it is enough.
pub async fn run_with(
    plan: &Plan,
    fleet: &Fleet,
    faults: impl AsyncFnOnce(&Recorder, &CancellationToken),
) -> Judged {
    let recorder = Recorder::default();
    let _kept = recorder.kept_in_a_panic(&plan.name, plan.seed);
    recorder.put(Entry::Run(Run { name: plan.name.clone(), seed: plan.seed }));
    let chance = Chance::new(plan.seed);
    let place = Place::own(&fleet.agent_addresses(), &fleet.node_addresses());
    let load = Load::start(recorder.clone(), place, plan.crowd.clone(), &chance).await.unwrap();
    let watching = tokio::spawn(watch_leader(fleet.database.dsn.clone(), recorder.clone()));
    let enough = CancellationToken::new();
    tokio::join!(faults(&recorder, &enough), async {
        sleep(plan.time).await;
        enough.cancel();
    });
    fleet.mend().await;
    let entries = quiet(load, &fleet.database.client().await).await;
    watching.abort();
    Judged {
        violations: check::check(&entries),
        figures: availability::figures(&entries),
        mishaps: fleet.mishaps.lock().await.clone(),
        entries,
    }
}

/// Lets everything come to an end, writes down how it ended, and returns the whole history. The service must be well, and
/// `client` leads to its database, past every breaker.
pub async fn quiet(mut load: Load, client: &Client) -> Vec<Entry> {
    load.stop_changes().await;
    let areas = load.area_ids();
    let heads = "select area_id, last_seq from heads where area_id = any($1)";
    let rows = client.query(heads, &[&areas]).await.unwrap();
    load.see_all(rows.iter().map(|row| (row.get(0), row.get(1))).collect()).await;
    load.ask_unread().await;
    let mut entries = ended::state(client, Some(&areas)).await;
    add_verified(&mut entries, &load.auditor, &load.scene.nodes()).await;
    put_all(&load.scene.recorder, entries);
    load.scene.recorder.entries()
}

/// What `verify` says of each area, each by another node.
async fn add_verified(entries: &mut [Entry], person: &Person, nodes: &[String]) {
    for entry in entries {
        let Entry::Area(area) = entry else { continue };
        let area_id = AreaId(area.area);
        let mut letters = String::new();
        for attempt in area.area as usize.. {
            let node = &nodes[attempt % nodes.len()];
            let after = letters.len() as Seq;
            if after >= area.last_seq {
                break;
            }
            match ask_node(node, person, NodeRequest::Verify(wire::Verify { area_id, after }), VERIFY_WAIT_MS)
                .await
            {
                Ok(reply) => letters += &ended::letters(&ended::page(reply)),
                Err(error) if error.code.is_retryable() => pause().await,
                Err(error) => panic!("{error:?}"),
            }
        }
        area.verified = Some(letters);
    }
}

/// Writes down each change of the lease, past every breaker. The database may be away, and come back as another server: a
/// connection that says nothing is given up.
pub async fn watch_leader(dsn: String, recorder: Recorder) {
    let mut last = None;
    loop {
        if let Ok(Ok((client, connection))) = timeout(LEADER_WAIT, tokio_postgres::connect(&dsn, NoTls)).await
        {
            let connection = tokio::spawn(connection);
            let who = "select holder, epoch from leader";
            while let Ok(Ok(rows)) = timeout(LEADER_WAIT, client.query(who, &[])).await {
                let seen = rows.first().map(|row| (row.get(0), row.get(1)));
                if let Some((holder, epoch)) = seen
                    && seen != last
                {
                    recorder.put(Entry::Leader(LeaderSeen { at_us: recorder.now_us(), holder, epoch }));
                    last = seen;
                }
                sleep(Duration::from_millis(LEADER_LOOK_MS)).await;
            }
            connection.abort();
        }
        sleep(Duration::from_millis(LEADER_LOOK_MS)).await;
    }
}

/// What a run did to those outside, for people to read.
pub fn told(figures: &availability::Figures) -> String {
    let availability::Figures { succeeded, refused, unknown, operation, delivery, delivered, .. } = figures;
    let mut text = format!(
        "{succeeded} operations succeeded, {refused} were refused, {unknown} unknown; they took {} ms (median), \
         {} ms (99 %), {} ms at the most\n{delivered} articles were shown, {} ms after their acknowledgement \
         (median), {} ms (99 %), {} ms at the most\n",
        operation.median_ms,
        operation.p99_ms,
        operation.max_ms,
        delivery.median_ms,
        delivery.p99_ms,
        delivery.max_ms
    );
    for fault in &figures.faults {
        text += &format!(
            "  {:>8} {}: no post for {} ms, nothing shown for {} ms, slowest operation {} ms\n",
            check::seconds(fault.began_us),
            fault.what,
            fault.without_post_ms,
            fault.without_read_ms,
            fault.slowest_ms
        );
    }
    text
}
