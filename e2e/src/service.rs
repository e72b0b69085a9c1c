//! Agents and nodes in this process. Each has a runtime of its own, so that it can be killed as a process can:
//! every task of it ends where it stands and its connections break. Each can be started again at the same address.

use crate::person::Person;
use crate::processes::event;
use db::Db;
use db::testing::TestDatabase;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wire::AreaId;

/// The password of everyone in these tests.
pub const PASSWORD: &str = "correct horse";

/// Enough that two requests really run at the same time.
const SERVER_THREADS: usize = 2;
/// The backends of a stopped server are gone in some milliseconds; nothing tells when.
const BACKENDS_POLL_MS: u64 = 10;

pub struct Service {
    pub database: TestDatabase,
    pub db: Db,
    pub agent: Server,
    /// Beside the first one. Nodes that are started later know all of them.
    pub other_agents: Vec<Server>,
    pub nodes: Vec<Server>,
}

/// A running server, killed when dropped.
pub struct Server {
    pub address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
    runtime: Option<Runtime>,
}

impl Server {
    /// Binds `listen` and runs `run` on a runtime of its own; returns when it says that it is ready.
    async fn start<F>(
        listen: &str,
        run: impl FnOnce(TcpListener, CancellationToken, oneshot::Sender<SocketAddr>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send,
    {
        let listener = std::net::TcpListener::bind(listen).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(SERVER_THREADS)
            .enable_all()
            .build()
            .unwrap();
        let shutdown = CancellationToken::new();
        let (sender, ready) = oneshot::channel();
        let stop = shutdown.clone();
        let task =
            runtime.spawn(async move { run(TcpListener::from_std(listener).unwrap(), stop, sender).await });
        let server = Self { address, shutdown, task, runtime: Some(runtime) };
        ready.await.expect("the server did not start");
        server
    }

    /// As SIGTERM does it, without waiting for the end.
    pub fn terminate(&self) {
        self.shutdown.cancel();
    }

    /// As SIGTERM does it: drains, and has ended when this returns.
    pub async fn stop(&mut self) {
        self.terminate();
        (&mut self.task).await.unwrap().unwrap();
        self.end();
    }

    /// As `kill -9` does it. The address is free when this returns.
    pub async fn kill(&mut self) {
        self.end();
        assert!((&mut self.task).await.is_err(), "the server had ended by itself");
    }

    /// Waits until it ends by itself: with this error.
    pub async fn failure(&mut self) -> anyhow::Error {
        let ended = event("a server to end by itself", &mut self.task).await;
        self.end();
        ended.unwrap().expect_err("it ended without an error")
    }

    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

impl Service {
    /// One agent, `nodes` nodes, and the administrator `admin`.
    pub async fn start(nodes: usize) -> Self {
        Self::start_with(db::testing::database().await, nodes, |_| {}).await
    }

    /// `configure` may change each node's configuration.
    pub async fn start_with(
        database: TestDatabase,
        nodes: usize,
        configure: impl Fn(&mut node::Config),
    ) -> Self {
        let db = Db::new(&database.dsn).unwrap();
        agent::ensure_admin(&db, PASSWORD).await.unwrap();
        let agent = start_agent(&database.dsn, agent::Config::default()).await;
        let mut service = Self { agent, other_agents: vec![], nodes: vec![], db, database };
        for _ in 0..nodes {
            service.add_node(&configure).await;
        }
        service
    }

    /// Starts one more agent.
    pub async fn add_agent(&mut self, config: agent::Config) {
        self.other_agents.push(start_agent(&self.database.dsn, config).await);
    }

    /// The first one first.
    pub fn agents(&self) -> Vec<SocketAddr> {
        std::iter::once(&self.agent).chain(&self.other_agents).map(|agent| agent.address).collect()
    }

    /// Starts one more node.
    pub async fn add_node(&mut self, configure: impl Fn(&mut node::Config)) {
        let node = self.start_node("127.0.0.1:0", configure).await;
        self.nodes.push(node);
    }

    /// Starts a node that was killed or stopped again, at the same address.
    pub async fn restart_node(&mut self, node: usize) {
        let address = self.nodes[node].address.to_string();
        self.nodes[node] = self.start_node(&address, |_| {}).await;
    }

    async fn start_node(&self, listen: &str, configure: impl Fn(&mut node::Config)) -> Server {
        let mut config =
            node::Config::new(&self.database.dsn, self.agents().iter().map(SocketAddr::to_string).collect());
        configure(&mut config);
        let db = Db::new(&self.database.dsn).unwrap();
        Server::start(listen, move |listener, shutdown, ready| {
            node::run(listener, db, config, shutdown, |address| {
                let _ = ready.send(address);
            })
        })
        .await
    }

    /// Registers and logs in.
    pub async fn person(&self, name: &str) -> Person {
        Person::register(self, name).await
    }

    pub async fn admin(&self) -> Person {
        Person::login(self, agent::FIRST_ADMIN).await
    }

    /// An area made by the administrator.
    pub async fn area(&self, name: &str) -> AreaId {
        self.admin().await.area_add(name).await
    }

    /// Somebody who is subscribed to `area`.
    pub async fn reader(&self, name: &str, area: AreaId) -> Person {
        let person = self.person(name).await;
        person.subscribe(area).await;
        person
    }

    /// Runs SQL behind the service's back.
    pub async fn sql(&self, statements: &str) {
        self.database.client().await.batch_execute(statements).await.unwrap();
    }

    /// How many statements wait for a lock: tests hold one to stop a server at a certain place. PostgreSQL signals no
    /// waiting, so this is asked again and again; the servers give up after two seconds.
    pub async fn blocked(&self) -> i64 {
        let blocked = "select count(*) from pg_stat_activity
                        where datname = current_database() and wait_event_type = 'Lock'";
        self.db.query_one(blocked, &[]).await.unwrap().get(0)
    }

    /// Stops all servers and returns how many transactions of theirs were rolled back: each failed group is one. Only
    /// the end of a backend makes its numbers known, so this is the last that a test does.
    pub async fn rollbacks(mut self) -> i64 {
        for node in &mut self.nodes {
            node.stop().await;
        }
        self.agent.stop().await;
        for agent in &mut self.other_agents {
            agent.stop().await;
        }
        drop(self.db);
        let client = self.database.client().await;
        let others = "select count(*) from pg_stat_activity
                       where datname = current_database() and pid <> pg_backend_pid()";
        while client.query_one(others, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(BACKENDS_POLL_MS)).await;
        }
        let rollbacks = "select xact_rollback from pg_stat_database where datname = current_database()";
        client.query_one(rollbacks, &[]).await.unwrap().get(0)
    }
}

pub async fn start_agent(database_url: &str, config: agent::Config) -> Server {
    let db = Db::new(database_url).unwrap();
    Server::start("127.0.0.1:0", move |listener, shutdown, ready| {
        agent::run(listener, db, config, shutdown, |address| {
            let _ = ready.send(address);
        })
    })
    .await
}
