//! `gaceta-agent` and `gaceta-node` as an orchestrator meets them: ready, healthy, ended; and refused starts that say why.
#![allow(clippy::unwrap_used)]

use db::private::Shutdown;
use gaceta_e2e::deployment::{Deployment, Server, agent, node};
use gaceta_e2e::gaceta::{Gaceta, ran};
use gaceta_e2e::processes::{Process, command, event, until};
use gaceta_e2e::programs;
use gaceta_e2e::service::PASSWORD;
use gaceta_e2e::standalone::Place;
use rustix::process::Signal;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What an orchestrator grants between SIGTERM and SIGKILL.
const STOP_S: u64 = 10;

/// The status of an answer, by hand.
async fn get(address: SocketAddr, path: &str) -> u16 {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap()
    };
    event("an answer over HTTP", asked).await
}

/// A start that must fail: what it told.
async fn refused(command: std::process::Command) -> String {
    let mut process = Process::start("server", command);
    assert_eq!(process.line().await, None, "nothing on standard output");
    assert_eq!(process.end().await.code(), Some(1), "{}", process.log());
    let log = process.log();
    assert!(log.contains("error: "), "{log}");
    assert!(!log.contains("backtrace") && !log.contains("panicked"), "{log}");
    log
}

/// An empty database, made as told, in the cluster of these tests.
async fn empty_database(name: &str, how: &str) -> String {
    programs::directory();
    let cluster = db::testing::cluster().await;
    let (client, connection) =
        tokio_postgres::connect(&cluster.dsn("postgres"), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("create database {name} template template0 {how}")).await.unwrap();
    cluster.dsn(name)
}

#[tokio::test]
async fn health_follows_the_database() {
    programs::directory();
    let cluster = db::testing::own_cluster().await;
    let deployment = Deployment::start_on(cluster.database().await, 1).await;
    let ana = deployment.reader("ana", "news").await;
    let https = [deployment.agent.process.http().await, deployment.nodes[0].process.http().await];
    for http in https {
        assert_eq!((get(http, "/healthz").await, get(http, "/readyz").await), (200, 200));
        assert_eq!(get(http, "/other").await, 404);
    }
    cluster.halt(Shutdown::Fast).await.unwrap();
    for http in https {
        until("503", async || (get(http, "/readyz").await == 503).then_some(())).await;
        assert_eq!(get(http, "/healthz").await, 200, "the process itself is well");
    }
    ana.fails("--timeout 1s areas", 6).await;
    cluster.resume().await.unwrap();
    for http in https {
        until("200", async || (get(http, "/readyz").await == 200).then_some(())).await;
    }
    ana.json("post news hello").await;
}

#[tokio::test]
async fn standalone_has_health_too() {
    programs::directory();
    let place = Place::new();
    let args = ["--no-prompt", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    let mut standalone = Process::start("standalone", place.standalone(&args));
    standalone.ready("agent").await;
    let http = standalone.http().await;
    assert_eq!((get(http, "/healthz").await, get(http, "/readyz").await), (200, 200));
    assert_eq!(standalone.terminate().await, Some(0));
}

#[tokio::test]
async fn sigterm_and_sigint_end_a_server_soon_and_a_follower_loses_nothing() {
    let mut deployment = Deployment::start(2).await;
    let ana = deployment.reader("ana", "news").await;
    let mut follower = ana.start("follow --json");
    ana.json("post news one").await;
    assert!(follower.line().await.unwrap().contains("\"one\""));
    for signal in [Signal::TERM, Signal::INT] {
        let mut node = deployment.nodes.remove(0);
        ends_in_time(&mut node.process, signal).await;
        deployment.nodes.push(Server::start("node", node_of(&deployment)).await);
    }
    ana.json("post news two").await;
    assert!(follower.line().await.unwrap().contains("\"two\""), "I3");
    ends_in_time(&mut deployment.agent.process, Signal::TERM).await;
}

fn node_of(deployment: &Deployment) -> std::process::Command {
    node(&deployment.database.dsn, "127.0.0.1:0", deployment.agent.address)
}

async fn ends_in_time(process: &mut Process, signal: Signal) {
    let asked = Instant::now();
    process.signal(signal);
    assert_eq!(process.end().await.code(), Some(0), "{}", process.log());
    assert!(asked.elapsed() < Duration::from_secs(STOP_S), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn starts_that_cannot_succeed_say_why() {
    let deployment = Deployment::start(0).await;
    let dsn = &deployment.database.dsn;

    let unreachable = refused(agent("postgres://gaceta:s3cret@127.0.0.1:1/gaceta", "127.0.0.1:0")).await;
    assert!(unreachable.contains("database") && !unreachable.contains("s3cret"), "{unreachable}");
    let malformed = "postgres://gaceta:s3cret@127.0.0.1:port/gaceta";
    for command in [agent(malformed, "127.0.0.1:0"), node(malformed, "127.0.0.1:0", deployment.agent.address)]
    {
        let told = refused(command).await;
        assert!(!told.contains("s3cret"), "{told}");
    }
    let missing = refused(agent(&dsn.replace(&deployment.database.name, "nowhere"), "127.0.0.1:0")).await;
    assert!(missing.contains("nowhere"), "{missing}");

    let taken = deployment.agent.address.to_string();
    for command in [agent(dsn, &taken), node(dsn, &taken, deployment.agent.address)] {
        let told = refused(command).await;
        assert!(told.contains(&format!("cannot listen on {taken}")), "{told}");
    }
    let mut without = command("gaceta-agent");
    without.args(["--listen", "127.0.0.1:0"]);
    let told = refused(without).await;
    assert!(told.contains("--database-url-file"), "{told}");
    let mut no_file = command("gaceta-agent");
    no_file.args(["--listen", "127.0.0.1:0", "--database-url-file", "/nowhere/url"]);
    let told = refused(no_file).await;
    assert!(told.contains("/nowhere/url"), "{told}");

    let mut usage = command("gaceta-node");
    usage.args(["--database-url", dsn]);
    let mut usage = Process::start("node", usage);
    assert_eq!(usage.end().await.code(), Some(2), "no agents");
}

#[tokio::test]
async fn a_database_that_is_not_utf8_is_refused() {
    for (name, encoding) in [("ascii", "SQL_ASCII"), ("latin", "LATIN1")] {
        let url = empty_database(name, &format!("encoding '{encoding}' locale 'C'")).await;
        let told = refused(agent(&url, "127.0.0.1:0")).await;
        assert!(told.contains(encoding) && told.contains("UTF8"), "{told}");
    }
}

#[tokio::test]
async fn agents_that_start_together_on_an_empty_database_migrate_once() {
    let url = empty_database("fresh", "encoding 'UTF8'").await;
    let mut agents: Vec<_> = (0..3).map(|_| Process::start("agent", agent(&url, "127.0.0.1:0"))).collect();
    for agent in &mut agents {
        agent.ready("agent").await;
    }
    let migrating = agents.iter().filter(|agent| agent.log().contains("migration applied")).count();
    assert_eq!(migrating, 1, "one brings the schema up, the others wait");
}

#[tokio::test]
async fn a_node_waits_for_the_first_agent_and_for_its_schema() {
    let url = empty_database("late", "encoding 'UTF8'").await;
    let address = free_address();
    let mut node = Process::start("node", node(&url, "127.0.0.1:0", address));
    let http = node.http().await;
    assert_eq!(get(http, "/healthz").await, 503, "a rolling update must not go on to the next node");
    let agent = Server::start("agent", agent(&url, &address.to_string())).await;
    node.ready("node").await;
    assert_eq!(get(http, "/healthz").await, 200);
    assert_eq!(agent.address, address);
}

#[tokio::test]
async fn a_server_tells_its_own_health_by_its_subcommand() {
    let deployment = Deployment::start(1).await;
    for (program, process) in
        [("gaceta-agent", &deployment.agent.process), ("gaceta-node", &deployment.nodes[0].process)]
    {
        let healthcheck = async |http: &str| {
            let mut asked = command(program);
            asked.args(["healthcheck", "--http", http]);
            ran(asked, b"").await
        };
        let http = process.http().await;
        let well = healthcheck(&http.to_string()).await;
        assert_eq!((well.code, well.stdout.as_str(), well.stderr.as_str()), (Some(0), "ok\n", ""));
        let everywhere = healthcheck(&format!("0.0.0.0:{}", http.port())).await;
        assert_eq!(
            everywhere.code,
            Some(0),
            "who listens everywhere is asked on this machine: {everywhere:?}"
        );
        let nobody = healthcheck(&free_address().to_string()).await;
        assert!(nobody.code == Some(1) && nobody.stderr.contains("does not answer"), "{nobody:?}");
    }
    let mut asked = command("gaceta-node");
    asked.arg("healthcheck");
    let nowhere = ran(asked, b"").await;
    assert!(nowhere.code == Some(1) && nowhere.stderr.contains("Give --http"), "{nowhere:?}");
}

#[tokio::test]
async fn servers_wait_for_a_database_that_comes_later_if_asked_to_and_are_starting_meanwhile() {
    programs::directory();
    let cluster = db::testing::own_cluster().await;
    let database = cluster.database().await;
    cluster.halt(Shutdown::Fast).await.unwrap();
    let mut starting = agent(&database.dsn, "127.0.0.1:0");
    starting.args(["--database-wait-s", "60"]);
    let mut agent = Process::start("agent", starting);
    let http = agent.http().await;
    agent.logged("waiting for the database").await;
    assert_eq!(get(http, "/healthz").await, 503);
    let mut asked = command("gaceta-agent");
    asked.args(["healthcheck", "--http", &http.to_string()]);
    let asked = ran(asked, b"").await;
    assert!(asked.code == Some(1) && asked.stderr.contains("says: starting"), "{asked:?}");
    cluster.resume().await.unwrap();
    agent.ready("agent").await;
    assert_eq!(get(http, "/healthz").await, 200);
}

/// Nobody listens there, so far.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn secrets_come_from_files_and_admin_reset_gives_access_back() {
    let deployment = Deployment::start(1).await;
    let url_file = deployment.file("url");
    std::fs::write(&url_file, format!("{}\n", deployment.database.dsn)).unwrap();
    let password_file = deployment.file("other-password");
    std::fs::write(&password_file, "another one\n").unwrap();

    // The first administrator is there: a second agent's file changes nothing.
    let mut second = command("gaceta-agent");
    second.args(["--listen", "127.0.0.1:0", "--database-url-file"]).arg(&url_file);
    second.arg("--admin-password-file").arg(&password_file);
    let second = Server::start("agent", second).await;
    let admin = Gaceta::logged_in(second.address, "admin", PASSWORD).await;
    let mut follower = admin.start("follow --json");
    admin.json("admin area add news").await;
    admin.json("subscribe news").await;
    assert_eq!(follower.end().await.code(), Some(0), "nothing was subscribed");
    let mut follower = admin.start("follow --json");
    admin.json("post news hello").await;
    assert!(follower.line().await.unwrap().contains("hello"));

    // As somebody who took the account over would leave it.
    let ana = deployment.person("ana").await;
    admin.json("admin user role ana admin").await;
    ana.json("admin user role admin user").await;
    ana.json("admin user disable admin").await;
    admin.fails("whoami", 4).await;
    assert_eq!(follower.end().await.code(), Some(4), "I5: and its follower ends");

    let mut reset = command("gaceta-agent");
    reset.arg("admin-reset").arg("--database-url-file").arg(&url_file);
    reset.arg("--admin-password-file").arg(&password_file);
    let mut reset = Process::start("admin-reset", reset);
    assert_eq!(reset.end().await.code(), Some(0), "{}", reset.log());
    let at = deployment.agent.address;
    let refused = Gaceta::at(at);
    refused.fails_with(&["login", "admin", "--password-stdin"], PASSWORD, 4).await;
    let admin = Gaceta::logged_in(at, "admin", "another one").await;
    assert_eq!(admin.json("whoami").await["role"], "admin");

    // Once more, on a healthy account: its sessions end.
    let mut reset = command("gaceta-agent");
    reset.arg("admin-reset").arg("--database-url-file").arg(&url_file);
    reset.arg("--admin-password-file").arg(&password_file);
    assert_eq!(Process::start("admin-reset", reset).end().await.code(), Some(0));
    admin.fails("whoami", 4).await;
    Gaceta::logged_in(at, "admin", "another one").await;
}
