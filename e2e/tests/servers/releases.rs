//! Releases side by side. `service.release_min`: a server of an older release does not start, and one that runs drains and ends, while
//! newer ones beside it serve on. Functions and views: an older agent changes nothing of a newer set.
#![allow(clippy::unwrap_used)]

use db::Release;
use gaceta_e2e::deployment::{Deployment, Server, agent, node, node_of};
use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::processes::{Process, until};
use gaceta_e2e::programs;
use gaceta_e2e::service::{PASSWORD, Service};
use gaceta_e2e::standalone::Place;
use gaceta_e2e::watchdog;
use serde_json::Value;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, atomic::AtomicBool};
use tokio_postgres::NoTls;

/// Newer than any that these tests are built as.
const NEWER: &str = "1000.0.0";

async fn raise_release_min(dsn: &str) {
    let (client, connection) = tokio_postgres::connect(dsn, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.execute("update service set release_min = $1", &[&NEWER]).await.unwrap();
}

/// It names both releases and says what to do.
fn check_sentence(told: &str) {
    let this = format!("this is release {}", Release::THIS);
    for part in [&*this, &format!("by release {NEWER} or newer only"), "deploy a newer release"] {
        assert!(told.contains(part), "{part:?} in {told:?}");
    }
}

/// It ends by itself, with 1 and the sentence.
async fn ends_with_the_sentence(process: &mut Process) {
    assert_eq!(process.end().await.code(), Some(1), "{}", process.log());
    check_sentence(&process.logged("error: ").await);
}

/// It was never ready, and ends with 1 and the sentence.
async fn does_not_start(name: &str, command: Command) {
    let mut process = Process::start(name, command);
    assert_eq!(process.line().await, None, "{name} says nothing on standard output");
    ends_with_the_sentence(&mut process).await;
}

#[tokio::test]
async fn a_server_below_release_min_does_not_start_and_writes_nothing() {
    programs::directory();
    let database = db::testing::database().await;
    raise_release_min(&database.dsn).await;
    let directory = tempfile::tempdir().unwrap();
    let password_file = directory.path().join("password");
    std::fs::write(&password_file, PASSWORD).unwrap();
    let with_password = || {
        let mut agent = agent(&database.dsn, "127.0.0.1:0");
        agent.arg("--admin-password-file").arg(&password_file);
        agent
    };
    does_not_start("agent", with_password()).await;
    let mut reset = with_password();
    reset.arg("admin-reset");
    does_not_start("admin-reset", reset).await;
    does_not_start("node", node(&database.dsn, "127.0.0.1:0", "127.0.0.1:9".parse().unwrap())).await;
    let rows =
        "select (select count(*) from users) + (select count(*) from agents) + (select count(*) from nodes)";
    let written: i64 = database.client().await.query_one(rows, &[]).await.unwrap().get(0);
    assert_eq!(written, 0);
}

#[tokio::test]
async fn a_standalone_below_release_min_stops_and_does_not_start_again() {
    programs::directory();
    let place = Place::new();
    let serve = ["--no-prompt", "--listen", "127.0.0.1:0"];
    let mut standalone = Process::start("standalone", place.standalone(&serve));
    standalone.ready("agent").await;
    raise_release_min(&place.dsn()).await;
    ends_with_the_sentence(&mut standalone).await;
    assert_eq!(place.running(), Vec::<String>::new(), "PostgreSQL has stopped, too");
    does_not_start("again", place.standalone(&serve)).await;
    assert_eq!(place.running(), Vec::<String>::new());
}

/// Whoever uses the service while its older half goes.
struct Crowd {
    stop: Arc<AtomicBool>,
    posted: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Crowd {
    /// Each posts and reads, one command after the other; a command that fails fails the test.
    fn start(people: Vec<Gaceta>) -> Self {
        let (stop, posted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let tasks = people.into_iter().map(|person| {
            let (stop, posted) = (stop.clone(), posted.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    person.json("post news hello").await;
                    posted.fetch_add(1, Ordering::Relaxed);
                    person.json("read news").await;
                    person.json("areas").await;
                }
            })
        });
        let tasks = tasks.collect();
        Self { stop, posted, tasks }
    }

    async fn posts_more(&self, posts: usize) {
        let wanted = self.posted.load(Ordering::Relaxed) + posts;
        let enough = async || (self.posted.load(Ordering::Relaxed) >= wanted).then_some(());
        until("the crowd to post", enough).await;
    }

    /// How many articles they posted, once each has ended.
    async fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.posted.load(Ordering::Relaxed)
    }
}

/// Agents and nodes of this release and of a newer one serve side by side; then the newer one alone may.
#[tokio::test]
async fn i1_i3_older_servers_drain_and_end_and_nobody_who_is_served_notices() {
    watchdog(async {
        programs::directory();
        let newer = Release::parse(NEWER).unwrap();
        let mut service = Service::start(0).await;
        let config = agent::Config { release: newer, ..agent::Config::default() };
        service.add_agent(config).await;
        service.add_node(|config| config.release = newer).await;
        let mut older_agent = Server::start("agent", agent(&service.database.dsn, "127.0.0.1:0")).await;
        let mut agents = service.agents();
        agents.push(older_agent.address);
        let mut older_node =
            Server::start("node", node_of(&service.database.dsn, "127.0.0.1:0", &agents)).await;

        let admin = Gaceta::at_all(&agents).log_in("admin", PASSWORD).await;
        admin.json("admin area add news --replicas 2").await;
        let mut people = vec![];
        for name in ["ana", "bob", "eve", "max"] {
            let person = Gaceta::at_all(&agents).register(name).await;
            person.json("subscribe news").await;
            people.push(person);
        }
        let mut follower = people[0].start("--json follow news");
        let crowd = Crowd::start(people);
        crowd.posts_more(20).await;

        raise_release_min(&service.database.dsn).await;
        for older in [&mut older_agent, &mut older_node] {
            let told = older.process.logged("this release may serve no more").await;
            assert!(told.contains("ERROR") && told.contains(&format!("release_min={NEWER}")), "{told}");
            ends_with_the_sentence(&mut older.process).await;
        }
        // The first agent, in this process, is an older one, too.
        check_sentence(&service.agent.failure().await.to_string());
        crowd.posts_more(20).await;
        let posted = crowd.stop().await;
        for seq in 1..=posted {
            let article: Value = serde_json::from_str(&follower.line().await.unwrap()).unwrap();
            assert_eq!(article["seq"], seq, "I3: {article}");
        }
        // An older node says good-bye; on a machine that is too busy for that it is found gone.
        let live = "select string_agg(version, ',') from nodes where state = 'live'";
        let newer_alone = async || {
            let row = service.db.query_one(live, &[]).await.unwrap();
            (row.get::<_, Option<&str>>(0) == Some(NEWER)).then_some(())
        };
        until("the newer node to be the only live one", newer_alone).await;
    })
    .await;
}

/// The other way round: what a later release's migrations have added disturbs no agent or node of this one.
#[tokio::test]
async fn release_min_of_this_release_lets_it_serve() {
    let database = db::testing::database().await;
    let set = format!("update service set release_min = '{}'", Release::THIS);
    database.client().await.batch_execute(&set).await.unwrap();
    let deployment = Deployment::start_on(database, 1).await;
    let ana = deployment.reader("ana", "news").await;
    ana.json("post news hello").await;
}

/// All functions and views as the database has them, and the number of their set.
const SET: &str = "select (select string_agg(pg_get_functiondef(oid), '' order by oid) from pg_proc
                            where pronamespace = 'public'::regnamespace)
                       || (select string_agg(viewname || definition, '' order by viewname) from pg_views
                            where schemaname = 'public')
                       || (select sql_set from service)";

/// The set of a later release: `post_group` has another text, and there is a function more.
async fn apply_later_set(client: &tokio_postgres::Client) {
    let sql = "select pg_get_functiondef(oid) from pg_proc where proname = 'post_group'";
    let post_group: String = client.query_one(sql, &[]).await.unwrap().get(0);
    let later = post_group.replacen("\nbegin\n", "\nbegin\n    -- of a later set\n", 1);
    assert_ne!(later, post_group);
    let sql = format!(
        "begin; {later};
         create function later() returns integer language sql return 1;
         update service set sql_set = sql_set + 1; commit"
    );
    client.batch_execute(&sql).await.unwrap();
}

#[tokio::test]
async fn an_agent_of_a_lower_set_that_restarts_ten_times_under_load_changes_nothing() {
    watchdog(async {
        let deployment = Deployment::start(2).await;
        let mut people = vec![];
        for name in ["ana", "bob", "eve"] {
            people.push(deployment.reader(name, "news").await);
        }
        let client = deployment.database.client().await;
        apply_later_set(&client).await;
        let set = async || client.query_one(SET, &[]).await.unwrap().get::<_, String>(0);
        let before = set().await;
        let crowd = Crowd::start(people);
        for _ in 0..10 {
            let mut older = Server::start("agent", agent(&deployment.database.dsn, "127.0.0.1:0")).await;
            crowd.posts_more(2).await;
            assert_eq!(set().await, before);
            assert_eq!(older.process.terminate().await, Some(0));
        }
        assert!(crowd.stop().await >= 20);
        assert_eq!(set().await, before);
    })
    .await;
}
