//! An agent and some nodes in this process. Each node can be stopped and started again at the same address.

use crate::person::Person;
use db::Db;
use db::testing::TestDatabase;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wire::{AreaId, Role};

/// The password of everyone in these tests.
pub const PASSWORD: &str = "correct horse";

pub struct Service {
    pub database: TestDatabase,
    pub db: Db,
    pub agent: Server,
    pub nodes: Vec<Server>,
}

/// A running server, stopped when dropped.
pub struct Server {
    pub address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    /// As SIGTERM does it: drains, and has ended when this returns.
    pub async fn stop(&mut self) {
        self.shutdown.cancel();
        (&mut self.task).await.unwrap().unwrap();
    }

    /// As `kill -9` does it: every task of it ends where it stands. Its open connections break.
    pub async fn kill(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
        self.shutdown.cancel();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
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
        let agent = start_agent(&database.dsn, "127.0.0.1:0").await;
        let mut service = Self { agent, nodes: vec![], db, database };
        for _ in 0..nodes {
            let node = service.start_node("127.0.0.1:0", &configure).await;
            service.nodes.push(node);
        }
        service
    }

    /// Starts one more node, at `listen`.
    pub async fn start_node(&self, listen: &str, configure: impl Fn(&mut node::Config)) -> Server {
        let listener = TcpListener::bind(listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let mut config = node::Config::new(&self.database.dsn, vec![self.agent.address.to_string()]);
        configure(&mut config);
        let (sender, ready) = oneshot::channel();
        let db = Db::new(&self.database.dsn).unwrap();
        let run = node::run(listener, db, config, shutdown.clone(), |address| {
            let _ = sender.send(address);
        });
        let task = tokio::spawn(run);
        ready.await.expect("the node did not start");
        Server { address, shutdown, task }
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

    pub fn role(name: &str) -> Role {
        if name == agent::FIRST_ADMIN { Role::Admin } else { Role::User }
    }
}

pub async fn start_agent(database_url: &str, listen: &str) -> Server {
    let listener = TcpListener::bind(listen).await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let (sender, ready) = oneshot::channel();
    let run = agent::run(
        listener,
        Db::new(database_url).unwrap(),
        agent::Config::default(),
        shutdown.clone(),
        |address| {
            let _ = sender.send(address);
        },
    );
    let task = tokio::spawn(run);
    ready.await.expect("the agent did not start");
    Server { address, shutdown, task }
}
