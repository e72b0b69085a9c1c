//! `gaceta-proof --against`: load on a service that runs elsewhere, which others break meanwhile and say so. Here the fleet is
//! the service, and this test says what happens to it.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_e2e::breaker::{PASS, RESET};
use gaceta_e2e::caller::Caller;
use gaceta_e2e::check;
use gaceta_e2e::deployment::{Deployment, Server, node};
use gaceta_e2e::fleet::Fleet;
use gaceta_e2e::history::recorder::Recorder;
use gaceta_e2e::history::{Entry, file};
use gaceta_e2e::load::place::{Place, live_nodes};
use gaceta_e2e::load::{Crowd, Load, OPERATION_WAIT};
use gaceta_e2e::person::Person;
use gaceta_e2e::processes::{event, until};
use gaceta_e2e::proof::against::{self, Against, Told};
use gaceta_e2e::seed::{self, Chance};
use gaceta_e2e::service::PASSWORD;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const MARKS_BYTES: usize = 1024;

/// Few of each: the run itself is what this is about.
fn crowd() -> Crowd {
    Crowd {
        areas: 4,
        writers: 3,
        followers: 4,
        readers: 1,
        guests: 1,
        twins: 1,
        follow_processes: 1,
        post_processes: 1,
        has_crashes: false,
        pause_ms: (50, 300),
        quiet_wait: Duration::from_secs(20),
    }
}

async fn said(lines: &mut UnboundedReceiver<String>) -> String {
    event("a line", lines.recv()).await.unwrap()
}

async fn mark(marks: &mut DuplexStream, lines: &mut UnboundedReceiver<String>, line: &str) -> String {
    marks.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    said(lines).await
}

/// An area with an article of somebody who is no part of the load.
async fn stranger(fleet: &Fleet) -> (Person, wire::AreaId) {
    let (agents, nodes) = (fleet.agent_addresses(), fleet.node_addresses());
    let admin = Person::log_in(agents[0], &nodes, "admin", PASSWORD).await.unwrap();
    let area = admin.area_add("area 1").await;
    let ana = Person::join(agents[0], &nodes, "ana").await;
    ana.subscribe(area).await;
    ana.post(area, "nobody of the load asked for this").await.unwrap();
    (ana, area)
}

async fn node_killed(fleet: &Fleet, admin: &Caller) {
    let node = &fleet.nodes[1];
    let is_live =
        async || live_nodes(admin).await.is_ok_and(|live| live.contains(&node.advertised.to_string()));
    node.kill().await;
    until("the node to be out", async || (!is_live().await).then_some(())).await;
    node.begin().await;
    until("the node to be back", async || is_live().await.then_some(())).await;
}

async fn database_away(fleet: &Fleet, (ana, area): &(Person, wire::AreaId)) {
    fleet.members().for_each(|member| member.database.set(RESET));
    let is_away = async || ana.post(*area, "now?").await.is_err_and(|error| error.code.is_retryable());
    until("somebody to be told that the database is away", async || is_away().await.then_some(())).await;
    fleet.members().for_each(|member| member.database.set(PASS));
    until("a post", async || ana.post(*area, "and now?").await.ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_runs_elsewhere_is_judged_phase_by_phase() {
    let fleet = Fleet::start(2, 3).await;
    let stranger = stranger(&fleet).await;
    let directory = tempfile::tempdir().unwrap();
    let history = directory.path().join("history.jsonl");
    let against = Against {
        // Names, as in a stack.
        agents: fleet.agent_addresses().iter().map(|at| format!("localhost:{}", at.port())).collect(),
        database_url: fleet.database.dsn.clone(),
        admin_password: PASSWORD.into(),
        seed: seed::from_environment(),
        crowd: crowd(),
        history: Some(history.clone()),
    };
    let place = Place::elsewhere(against.agents.clone(), PASSWORD.into(), against.seed);
    let admin = Caller::new(&place.admin().await.unwrap(), &place.agents, OPERATION_WAIT);

    let (mut marks, theirs) = duplex(MARKS_BYTES);
    let (out, mut lines) = unbounded_channel();
    let (err, mut wrong) = unbounded_channel();
    let out = move |line: &str| out.send(line.to_owned()).unwrap();
    let err = move |line: &str| err.send(line.to_owned()).unwrap();
    let script = async {
        assert_eq!(said(&mut lines).await, "ready");
        assert_eq!(mark(&mut marks, &mut lines, "begin node killed").await, "began node killed");
        node_killed(&fleet, &admin).await;
        let ended = mark(&mut marks, &mut lines, "end").await;
        let form = r"^ended node killed: [1-9]\d* operations, 0 failed, longest pause [1-9]\d* ms, slowest operation [1-9]\d* ms, no post for \d+ ms, nothing shown for \d+ ms$";
        assert!(regex::Regex::new(form).unwrap().is_match(&ended), "{ended}");
        let begun = mark(&mut marks, &mut lines, "begin-without-database database away").await;
        assert_eq!(begun, "began database away");
        database_away(&fleet, &stranger).await;
        let ended = mark(&mut marks, &mut lines, "end").await;
        assert!(ended.starts_with("ended database away: "), "{ended}");
        drop(marks);
        lines
    };
    let mut told = Told { out, err };
    let (is_met, mut lines) = tokio::join!(against::run(&against, BufReader::new(theirs), &mut told), script);
    let is_met = is_met.unwrap();
    drop(told);

    let table = said(&mut lines).await;
    assert!(is_met, "{table}");
    let row = |name: &str| {
        let is_of = |row: &&str| row.starts_with(&format!("| {name} | "));
        table.lines().find(is_of).unwrap_or_else(|| panic!("no row of {name}: {table}"))
    };
    assert!(row("node killed").contains("| 0 failed client operations | 0 of "), "{table}");
    assert!(row("database away").contains("said unavailable; longest pause "), "{table}");
    assert!(row("the whole run").contains(" 0 violations; "), "{table}");
    assert_eq!(table.matches(" | met | ").count(), 3, "{table}");
    assert!(wrong.recv().await.unwrap().starts_with("the history is in "));
    assert_eq!(wrong.recv().await, None);

    // It can be judged again, and knows nothing of what was not the load's.
    let entries = file::read(&history).unwrap();
    assert_eq!(check::check(&entries), []);
    let areas = entries.iter().filter(|entry| matches!(entry, Entry::Area(_))).count();
    assert_eq!(areas, 4);
    let away = |entry: &&Entry| matches!(entry, Entry::Fault(fault) if fault.without_database);
    assert_eq!(entries.iter().filter(away).count(), 1);
}

/// Others in their place, at other addresses: whoever asks nodes by himself must hear of them.
#[tokio::test]
async fn nodes_that_come_and_go_are_known() {
    let mut deployment = Deployment::start(1).await;
    let agents = vec![deployment.agent.address.to_string()];
    let place = Place::elsewhere(agents, PASSWORD.into(), seed::from_environment());
    let nobody = Crowd {
        areas: 1,
        writers: 0,
        followers: 0,
        readers: 0,
        guests: 0,
        twins: 0,
        follow_processes: 0,
        post_processes: 0,
        ..crowd()
    };
    let load = Load::start(Recorder::default(), place, nobody, &Chance::new(0)).await.unwrap();
    assert_eq!(load.scene.nodes(), [deployment.nodes[0].address.to_string()]);
    let other = node(&deployment.database.dsn, "127.0.0.1:0", deployment.agent.address);
    let other = Server::start("node", other).await;
    deployment.nodes[0].process.terminate().await;
    let known = async || (load.scene.nodes() == [other.address.to_string()]).then_some(());
    until("the other node to be known, and nobody else", known).await;
}
