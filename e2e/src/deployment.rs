//! Agents and nodes as processes of their own, on a database of the test's own, and the people at it.

use crate::gaceta::Gaceta;
use crate::processes::{Process, command};
use crate::programs;
use crate::service::PASSWORD;
use db::testing::TestDatabase;
use std::net::SocketAddr;
use std::path::PathBuf;
use tempfile::TempDir;

pub struct Deployment {
    pub database: TestDatabase,
    pub agent: Server,
    /// Beside the first one. Nodes and people know all of them.
    pub other_agents: Vec<Server>,
    pub nodes: Vec<Server>,
    directory: TempDir,
}

pub struct Server {
    pub process: Process,
    pub address: SocketAddr,
}

impl Deployment {
    pub async fn start(nodes: usize) -> Self {
        programs::directory(); // before the first wait that is watched: it may take minutes
        Self::start_on(db::testing::database().await, nodes).await
    }

    pub async fn start_on(database: TestDatabase, nodes: usize) -> Self {
        Self::start_with_agents(database, 1, nodes).await
    }

    pub async fn start_with_agents(database: TestDatabase, agents: usize, nodes: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let password_file = directory.path().join("admin-password");
        std::fs::write(&password_file, format!("{PASSWORD}\n")).unwrap();
        let mut agent = agent(&database.dsn, "127.0.0.1:0");
        agent.arg("--admin-password-file").arg(password_file);
        let agent = Server::start("agent", agent).await;
        let mut deployment = Self { database, agent, other_agents: vec![], nodes: vec![], directory };
        for _ in 1..agents {
            let other = Server::start("agent", self::agent(&deployment.database.dsn, "127.0.0.1:0")).await;
            deployment.other_agents.push(other);
        }
        for _ in 0..nodes {
            let node = deployment.start_node("127.0.0.1:0").await;
            deployment.nodes.push(node);
        }
        deployment
    }

    /// A path for a file of this test.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    async fn start_node(&self, listen: &str) -> Server {
        Server::start("node", node_of(&self.database.dsn, listen, &self.agents())).await
    }

    /// The first one first.
    pub fn agents(&self) -> Vec<SocketAddr> {
        std::iter::once(&self.agent).chain(&self.other_agents).map(|agent| agent.address).collect()
    }

    /// Starts a node that has ended again, at the same address.
    pub async fn restart_node(&mut self, index: usize) {
        let address = self.nodes[index].address.to_string();
        self.nodes[index] = self.start_node(&address).await;
    }

    pub async fn restart_agent(&mut self) {
        let address = self.agent.address.to_string();
        self.agent = Server::start("agent", agent(&self.database.dsn, &address)).await;
    }

    pub async fn person(&self, name: &str) -> Gaceta {
        Gaceta::at_all(&self.agents()).register(name).await
    }

    pub async fn admin(&self) -> Gaceta {
        Gaceta::at_all(&self.agents()).log_in("admin", PASSWORD).await
    }

    /// Somebody who is subscribed to an area that the administrator makes, if need be.
    pub async fn reader(&self, name: &str, area: &str) -> Gaceta {
        let person = self.person(name).await;
        if person.run(&format!("subscribe {area}")).await.code != Some(0) {
            self.admin().await.json(&format!("admin area add {area}")).await;
            person.json(&format!("subscribe {area}")).await;
        }
        person
    }
}

impl Server {
    /// `what` as in its ready line.
    pub async fn start(what: &str, command: std::process::Command) -> Self {
        let mut process = Process::start(what, command);
        let address = process.ready(what).await;
        Self { process, address }
    }
}

pub fn agent(database_url: &str, listen: &str) -> std::process::Command {
    let mut agent = command("gaceta-agent");
    agent.args(["--listen", listen, "--database-url", database_url, "--http", "127.0.0.1:0"]);
    agent
}

pub fn node(database_url: &str, listen: &str, agent: SocketAddr) -> std::process::Command {
    node_of(database_url, listen, &[agent])
}

/// A node that knows several agents.
pub fn node_of(database_url: &str, listen: &str, agents: &[SocketAddr]) -> std::process::Command {
    let mut node = command("gaceta-node");
    node.args(["--listen", listen, "--database-url", database_url, "--http", "127.0.0.1:0"]);
    let agents: Vec<_> = agents.iter().map(SocketAddr::to_string).collect();
    node.args(["--agents", &agents.join(",")]);
    node
}
