//! What was promised, one scenario for each: servers killed, paused and rolled under load, with what it did to people.

use super::judged;
use super::table::{Row, Verdict};
use crate::chaos::{self, Judged, Plan, run_with};
use crate::check::availability::Around;
use crate::faults::during;
use crate::fleet::{Fleet, Member};
use crate::history::Entry;
use crate::history::recorder::Recorder;
use crate::load::Crowd;
use crate::seed::Chance;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

pub const NAMES: [&str; 7] = [
    "node killed",
    "agent killed",
    "leader killed",
    "leader paused",
    "half of the nodes paused",
    "rolling restart",
    "random faults",
];

const AGENTS: usize = 3;
const NODES: usize = 4;
/// Before the first fault, between two, and after the last: people at work, aftermath over.
const CALM: Duration = Duration::from_secs(4);
/// How long a killed server is away.
const AWAY: Duration = Duration::from_secs(6);
/// A paused leader must lose its lease and find the next one in office when it goes on.
const LEADER_PAUSE: Duration = Duration::from_secs(12);
const HALF_PAUSE: Duration = Duration::from_secs(20);
/// An election that takes longer has failed.
const ELECTION_WAIT: Duration = Duration::from_secs(15);
/// Between two looks at the lease.
const LOOK: Duration = Duration::from_millis(50);
/// Times each is done: one may be lucky.
const TIMES: usize = 3;

/// `None`: it is none of these.
pub async fn run(name: &str, seed: u64, minutes: f64) -> Option<Vec<Row>> {
    Some(vec![match name {
        "node killed" => killed(name, seed, true).await,
        "agent killed" => killed(name, seed, false).await,
        "leader killed" => leader(name, seed, false).await,
        "leader paused" => leader(name, seed, true).await,
        "half of the nodes paused" => half_paused(name, seed).await,
        "rolling restart" => rolled(name, seed).await,
        "random faults" => random(name, seed, minutes).await,
        _ => return None,
    }])
}

fn plan(name: &str, seed: u64) -> Plan {
    let (name, crowd) = (name.replace(' ', "-"), Crowd::steady());
    Plan { name, seed, agents: AGENTS, nodes: NODES, time: Duration::ZERO, crowd }
}

pub fn row(plan: &Plan, name: &str, of: &Judged, target: &str, measured: String, is_met: bool) -> Row {
    let detail = judged(plan, of);
    let measured = match of.violations.len() {
        0 => measured,
        violations => format!("{measured}; {violations} violations"),
    };
    let failed = of.figures.failed.len();
    let measured = if failed == 0 { measured } else { format!("{measured}; {failed} operations failed") };
    let is_met = is_met && of.violations.is_empty();
    let mut detail = detail.unwrap_or_default();
    of.figures.failed.iter().take(5).for_each(|failed| detail += &format!("  {failed}\n"));
    Row {
        name: name.into(),
        target: target.into(),
        measured,
        verdict: if is_met { Verdict::Met } else { Verdict::Missed },
        seed: plan.seed,
        detail: (!detail.is_empty()).then_some(detail),
    }
}

pub fn worst(faults: &[Around], of: impl Fn(&Around) -> u64) -> u64 {
    faults.iter().map(of).max().unwrap_or(0)
}

async fn killed(name: &str, seed: u64, is_node: bool) -> Row {
    let plan = plan(name, seed);
    let fleet = Fleet::start(plan.agents, plan.nodes).await;
    let of = run_with(&plan, &fleet, async |recorder, _| {
        let members = if is_node { &fleet.nodes } else { &fleet.agents };
        let mut chance = Chance::new(seed);
        for _ in 0..TIMES {
            sleep(CALM).await;
            let member = &members[chance.below(members.len())];
            away(recorder, member).await;
        }
        sleep(CALM).await;
    })
    .await;
    let faults = &of.figures.faults;
    let slowest_ms = worst(faults, |fault| fault.slowest_ms);
    let measured = format!(
        "slowest operation {slowest_ms} ms; no post for {} ms, nothing shown for {} ms, {TIMES} times",
        worst(faults, |fault| fault.without_post_ms),
        worst(faults, |fault| fault.without_read_ms)
    );
    let is_met = slowest_ms <= 3_000 && of.figures.failed.is_empty();
    row(&plan, name, &of, "every client operation within 3 s", measured, is_met)
}

async fn away(recorder: &Recorder, member: &Member) {
    during(recorder, format!("{} killed", member.name), async {
        member.kill().await;
        sleep(AWAY).await;
        member.begin().await;
    })
    .await;
}

/// Who holds the lease now.
struct Leader<'a> {
    member: &'a Member,
    id: Uuid,
    epoch: i64,
}

/// `None` when nobody has led for too long. An epoch above `after`.
async fn elected<'a>(fleet: &'a Fleet, client: &tokio_postgres::Client, after: i64) -> Option<Leader<'a>> {
    let deadline = Instant::now() + ELECTION_WAIT;
    let who = "select l.holder, l.epoch, a.address from leader l join agents a on a.agent_id = l.holder
                where l.expires_at > clock_timestamp()";
    while Instant::now() < deadline {
        if let Some(row) = client.query_opt(who, &[]).await.unwrap() {
            let (id, epoch, address): (Uuid, i64, String) = (row.get(0), row.get(1), row.get(2));
            let member = fleet.agents.iter().find(|agent| agent.listen.to_string() == address);
            if let Some(member) = member.filter(|_| epoch > after) {
                return Some(Leader { member, id, epoch });
            }
        }
        sleep(LOOK).await;
    }
    None
}

async fn leader(name: &str, seed: u64, is_paused: bool) -> Row {
    const TARGET: &str = "a new leader within 8 s, the old one's writes refused";
    let plan = plan(name, seed);
    let fleet = Fleet::start(plan.agents, plan.nodes).await;
    let client = fleet.database.client().await;
    if elected(&fleet, &client, 0).await.is_none() {
        return Row::skipped(name, TARGET, "no agent takes the lease", seed);
    }
    let (mut slowest_ms, mut accepted) = (0, 0);
    let of = run_with(&plan, &fleet, async |recorder, _| {
        for _ in 0..TIMES {
            sleep(CALM).await;
            let old = elected(&fleet, &client, 0).await.unwrap();
            let began = Instant::now();
            let what =
                format!("{} {}, the leader", if is_paused { "paused" } else { "killed" }, old.member.name);
            during(recorder, what, async {
                if is_paused {
                    old.member.pause().await
                } else {
                    old.member.kill().await
                }
                let next = elected(&fleet, &client, old.epoch).await;
                let took = if next.is_some() { began.elapsed() } else { Duration::MAX };
                slowest_ms = slowest_ms.max(took.as_millis());
                // As its own statement would ask.
                let fence = client.query("select from lease($1, $2)", &[&old.id, &old.epoch]).await;
                accepted += fence.unwrap().len();
                if is_paused {
                    sleep(LEADER_PAUSE.saturating_sub(began.elapsed())).await;
                    old.member.proceed().await;
                } else {
                    old.member.begin().await;
                }
            })
            .await;
        }
        sleep(CALM).await;
    })
    .await;
    let writes = of.entries.iter().filter(|entry| matches!(entry, Entry::LeaderWrite(_))).count();
    let measured = format!(
        "new leader after {slowest_ms} ms at the most of {TIMES}; {accepted} of the old ones' writes accepted, \
         {writes} leader writes in order of their epochs; slowest operation {} ms",
        worst(&of.figures.faults, |fault| fault.slowest_ms)
    );
    row(&plan, name, &of, TARGET, measured, slowest_ms <= 8_000 && accepted == 0)
}

async fn half_paused(name: &str, seed: u64) -> Row {
    let plan = plan(name, seed);
    let fleet = Fleet::start(plan.agents, plan.nodes).await;
    let of = run_with(&plan, &fleet, async |recorder, _| {
        sleep(CALM).await;
        let half = &fleet.nodes[..NODES / 2];
        during(recorder, format!("{} of {NODES} nodes paused", half.len()), async {
            for node in half {
                node.pause().await;
            }
            sleep(HALF_PAUSE).await;
            for node in half {
                node.proceed().await;
            }
        })
        .await;
        sleep(CALM).await;
    })
    .await;
    let slowest_ms = worst(&of.figures.faults, |fault| fault.slowest_ms);
    let shown_ms = of.figures.client_delivery.max_ms;
    let measured = format!(
        "slowest operation {slowest_ms} ms, slowest delivery to `gaceta follow` {shown_ms} ms; no post for {} ms",
        worst(&of.figures.faults, |fault| fault.without_post_ms)
    );
    let is_met = slowest_ms <= 5_000 && shown_ms <= 5_000 && of.figures.failed.is_empty();
    row(&plan, name, &of, "operations move within 5 s", measured, is_met)
}

async fn rolled(name: &str, seed: u64) -> Row {
    let plan = plan(name, seed);
    let fleet = Fleet::start(plan.agents, plan.nodes).await;
    let of = run_with(&plan, &fleet, async |recorder, _| {
        sleep(CALM).await;
        for member in fleet.members() {
            during(recorder, format!("{} rolled", member.name), async {
                member.terminate().await;
                member.begin().await;
            })
            .await;
            sleep(CALM / 2).await;
        }
    })
    .await;
    let figures = &of.figures;
    let measured = format!(
        "{} of {} operations failed; slowest {} ms",
        figures.failed.len(),
        figures.succeeded + figures.refused + figures.unknown,
        figures.operation.max_ms
    );
    let is_met = figures.failed.is_empty();
    row(&plan, name, &of, "0 failed client operations", measured, is_met)
}

async fn random(name: &str, seed: u64, minutes: f64) -> Row {
    let time = Duration::from_secs_f64(minutes * 60.0);
    let plan = Plan { time, crowd: Crowd::whole(), ..plan(name, seed) };
    let of = chaos::run(&plan).await;
    let figures = &of.figures;
    let measured = format!(
        "{} faults in {minutes} min, {} operations, {} deliveries: {} violations",
        figures.faults.len(),
        figures.succeeded + figures.refused + figures.unknown,
        figures.delivered,
        of.violations.len()
    );
    let mut row = row(&plan, name, &of, "nothing lost, doubled, out of order or missed", measured, true);
    row.detail.get_or_insert_default().push_str(&crate::chaos::told(figures));
    row
}
