//! I7 with real processes: whoever leads dies, is paused or stops, another one leads, and nothing that an older one writes counts.
//! And what the leader does: nodes that are lost, come back, are drained.
#![allow(clippy::unwrap_used)]

use db::testing::TestDatabase;
use gaceta_e2e::deployment::{Deployment, Server, agent};
use gaceta_e2e::processes::until;
use gaceta_e2e::programs;
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// From the death of a leader to the next: its lease, and the pace of those who stand.
const ELECTED_WITHIN: Duration = Duration::from_secs(8);
/// From the death of a node to the moment at which it is out: three rounds, and some for a busy machine.
const OUT_WITHIN: Duration = Duration::from_secs(5);

async fn start(agents: usize, nodes: usize) -> Deployment {
    programs::directory();
    Deployment::start_with_agents(db::testing::database().await, agents, nodes).await
}

struct Leader {
    address: String,
    epoch: i64,
}

async fn number(database: &TestDatabase, sql: &str) -> i64 {
    database.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

/// Waits until somebody leads in a later epoch than `after`.
async fn leader(database: &TestDatabase, after: i64) -> Leader {
    let client = database.client().await;
    let sql = "select a.address, l.epoch from leader l join agents a on a.agent_id = l.holder
                where l.expires_at > clock_timestamp() and l.epoch > $1";
    until("a leader", async || {
        let row = client.query_opt(sql, &[&after]).await.unwrap()?;
        Some(Leader { address: row.get(0), epoch: row.get(1) })
    })
    .await
}

/// Waits until `sql` gives true.
async fn becomes(database: &TestDatabase, sql: &str) {
    let client = database.client().await;
    until(sql, async || client.query_one(sql, &[]).await.unwrap().get::<_, bool>(0).then_some(())).await;
}

/// The agent at this address.
fn at<'a>(deployment: &'a mut Deployment, address: &str) -> &'a mut Server {
    let agents = std::iter::once(&mut deployment.agent).chain(&mut deployment.other_agents);
    agents.into_iter().find(|agent| agent.address.to_string() == address).unwrap()
}

async fn areas(deployment: &Deployment, count: usize) {
    let admin = deployment.admin().await;
    for n in 1..=count {
        admin.json(&format!("admin area add area-{n}")).await;
    }
    becomes(&deployment.database, &format!("select count(*) = {count} from assignments")).await;
}

fn areas_of(node: &Server) -> String {
    let address = node.address;
    format!(
        "(select count(*) from assignments s join nodes n on n.node_id = any(s.node_ids)
           where n.address = '{address}' and n.state = 'live')"
    )
}

fn state_of(node: &Server) -> String {
    format!("(select state from nodes where address = '{}')", node.address)
}

/// Nothing that a leader did carries an older epoch than what was done before.
async fn epochs_rise(database: &TestDatabase) {
    let falls =
        "select count(*) from (select epoch, lag(epoch) over (order by event_id) as before from events
                                        where epoch is not null) e where epoch < before";
    assert_eq!(number(database, falls).await, 0, "I7");
}

#[tokio::test]
async fn i7_a_leader_that_is_killed_is_followed_by_another_in_a_later_epoch() {
    let mut deployment = start(3, 1).await;
    let ana = deployment.reader("ana", "news").await;
    let first = leader(&deployment.database, 0).await;
    let killed = Instant::now();
    at(&mut deployment, &first.address).process.kill().await;
    ana.json("post news hello").await;
    let second = leader(&deployment.database, first.epoch).await;
    assert!(killed.elapsed() < ELECTED_WITHIN, "{:?}", killed.elapsed());
    assert!(second.address != first.address && second.epoch == first.epoch + 1);
    // A leader that is told to stop hands its lease on.
    let told = Instant::now();
    assert_eq!(at(&mut deployment, &second.address).process.terminate().await, Some(0));
    let third = leader(&deployment.database, second.epoch).await;
    assert!(told.elapsed() < Duration::from_secs(3), "{:?}", told.elapsed());
    assert!(third.address != second.address);
    ana.json("post news hello").await;
    epochs_rise(&deployment.database).await;
    let told = "select count(*) from events where kind = 'leader.released' and subject = '";
    assert_eq!(number(&deployment.database, &format!("{told}{}'", second.address)).await, 1);
}

#[tokio::test]
async fn i7_a_leader_that_was_paused_for_longer_than_its_lease_writes_nothing_and_stands_again() {
    let mut deployment = start(2, 2).await;
    areas(&deployment, 4).await;
    let first = leader(&deployment.database, 0).await;
    let paused = at(&mut deployment, &first.address);
    paused.process.signal(Signal::STOP);
    let second = leader(&deployment.database, first.epoch).await;
    assert_ne!(second.address, first.address);
    // The register changes meanwhile, so that there would be something to write.
    deployment.nodes[0].process.kill().await;
    let node = state_of(&deployment.nodes[0]);
    becomes(&deployment.database, &format!("select {node} = 'out'")).await;
    let paused = at(&mut deployment, &first.address);
    paused.process.signal(Signal::CONT);
    paused.process.logged("leads no more").await;
    // It stands again: the only one left, it leads.
    at(&mut deployment, &second.address).process.kill().await;
    let third = leader(&deployment.database, second.epoch).await;
    assert_eq!(third.address, first.address);
    epochs_rise(&deployment.database).await;
}

#[tokio::test]
async fn a_node_that_is_killed_is_out_after_three_checks_and_its_areas_are_elsewhere() {
    let mut deployment = start(1, 3).await;
    areas(&deployment, 9).await;
    let ana = deployment.reader("ana", "area-1").await;
    let balanced = deployment.nodes.iter().map(|node| format!("{} = 3", areas_of(node)));
    let balanced = balanced.collect::<Vec<_>>().join(" and ");
    becomes(&deployment.database, &format!("select {balanced}")).await;
    let before = "create table was as select * from assignments";
    deployment.database.client().await.batch_execute(before).await.unwrap();

    let killed = Instant::now();
    deployment.nodes[0].process.kill().await;
    ana.json("post area-1 hello").await;
    let out = format!("select {} = 'out'", state_of(&deployment.nodes[0]));
    becomes(&deployment.database, &out).await;
    assert!(killed.elapsed() < OUT_WITHIN, "{:?}", killed.elapsed());
    let elsewhere = "select count(*) = 9 from assignments s
                      where not exists (select from unnest(s.node_ids) as on_node (node_id)
                                         where node_id not in (select node_id from nodes where state = 'live'))";
    becomes(&deployment.database, elsewhere).await;
    assert!(killed.elapsed() < OUT_WITHIN, "{:?}", killed.elapsed());
    let moved =
        "select count(*) from was join assignments a using (area_id) where was.node_ids <> a.node_ids";
    assert_eq!(number(&deployment.database, moved).await, 3, "its own areas and no other");

    // Its successor takes its place.
    deployment.restart_node(0).await;
    let back = format!("select {} = 3", areas_of(&deployment.nodes[0]));
    becomes(&deployment.database, &back).await;
    ana.json("post area-1 hello").await;
}

#[tokio::test]
async fn a_node_that_was_put_out_by_mistake_comes_back_by_itself() {
    let deployment = start(1, 2).await;
    areas(&deployment, 4).await;
    let node = &deployment.nodes[0];
    node.process.signal(Signal::STOP);
    becomes(&deployment.database, &format!("select {} = 'out'", state_of(node))).await;
    becomes(&deployment.database, &format!("select {} = 4", areas_of(&deployment.nodes[1]))).await;
    node.process.signal(Signal::CONT);
    becomes(&deployment.database, &format!("select {} = 'live'", state_of(node))).await;
    becomes(&deployment.database, &format!("select {} = 2", areas_of(node))).await;
    let told = "select string_agg(kind, ' ' order by event_id) from events where subject = '";
    let sql = format!("{told}{}'", node.address);
    let told: String = deployment.database.client().await.query_one(&sql, &[]).await.unwrap().get(0);
    assert_eq!(told, "node.registered node.live node.out node.live");
}

#[tokio::test]
async fn nodes_stay_registered_when_all_agents_die() {
    let mut deployment = start(2, 2).await;
    let ana = deployment.reader("ana", "news").await;
    let registered = "select string_agg(node_id::text || state, ' ' order by node_id) from nodes";
    let client = deployment.database.client().await;
    let before: String = client.query_one(registered, &[]).await.unwrap().get(0);
    deployment.agent.process.kill().await;
    deployment.other_agents[0].process.kill().await;
    let address = deployment.agent.address.to_string();
    deployment.agent = Server::start("agent", agent(&deployment.database.dsn, &address)).await;
    ana.json("post news hello").await;
    leader(&deployment.database, 1).await;
    ana.json("post news hello").await;
    let after: String = client.query_one(registered, &[]).await.unwrap().get(0);
    assert_eq!(before, after, "the same nodes, live");
}
