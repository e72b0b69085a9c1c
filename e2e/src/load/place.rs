//! Where people go: agents by name, nodes that may come and go, and the way in.

use super::{OPERATION_WAIT, Scene};
use crate::caller::Caller;
use crate::person::{Person, pause};
use crate::service::PASSWORD;
use client::exit::Failure;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;
use uuid::Uuid;
use wire::{AdminRequest, AgentReply, AgentRequest, NodeState, Password};

/// Which nodes there are is asked this often, where they come and go.
const NODES_LOOK: Duration = Duration::from_secs(1);
/// What must succeed, before people begin and after they have ended, is tried for so long: the service should be well then.
const SURELY_WAIT: Duration = Duration::from_secs(60);

/// A service to be used.
#[derive(Debug, Clone)]
pub struct Place {
    /// `HOST:PORT`. A name may have several addresses, and others a moment later: it is resolved at each call.
    pub agents: Vec<String>,
    /// `None`: they come and go, and an administrator is asked again and again which there are.
    pub nodes: Option<Vec<String>>,
    pub admin_password: String,
    /// Of the people that are made.
    pub password: String,
    /// Before the name of each area and person: two runs on one service must not meet.
    pub prefix: String,
}

impl Place {
    /// A service that was started for this run, and whose nodes stay where they are.
    pub fn own(agents: &[SocketAddr], nodes: &[SocketAddr]) -> Self {
        Self {
            agents: agents.iter().map(SocketAddr::to_string).collect(),
            nodes: Some(nodes.iter().map(SocketAddr::to_string).collect()),
            admin_password: PASSWORD.into(),
            password: PASSWORD.into(),
            prefix: String::new(),
        }
    }

    /// A service that runs elsewhere, and may have others' areas and people.
    pub fn elsewhere(agents: Vec<String>, admin_password: String, seed: u64) -> Self {
        // The same seed may be used there again.
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let prefix = format!("proof {seed} {now_s:x} ");
        // The accounts stay, so that nobody else is to know it.
        Self { agents, nodes: None, admin_password, password: Uuid::now_v7().to_string(), prefix }
    }

    /// A new session of the administrator.
    pub async fn admin(&self) -> Result<Person, Failure> {
        surely(async || self.log_in(agent::FIRST_ADMIN, &self.admin_password).await).await
    }

    /// An account that this run makes; its whole name.
    pub async fn join(&self, name: &str) -> Result<Person, Failure> {
        let name = format!("{}{name}", self.prefix);
        surely(async || {
            let (name, password) = (name.clone(), Password(self.password.clone()));
            self.enter(AgentRequest::Register(wire::Register { name, password, label: "proof".into() })).await
        })
        .await
    }

    pub async fn log_in(&self, name: &str, password: &str) -> Result<Person, Failure> {
        let (name, password) = (name.into(), Password(password.into()));
        self.enter(AgentRequest::Login(wire::Login { name, password, label: "proof".into() })).await
    }

    async fn enter(&self, request: AgentRequest) -> Result<Person, Failure> {
        let entered = Caller::nobody(&self.agents, OPERATION_WAIT).enter(request).await?;
        let nodes = self.nodes.iter().flatten().filter_map(|node| node.parse().ok()).collect();
        Ok(Person {
            name: entered.user,
            token: entered.token,
            session_id: entered.session_id,
            agent: self.agents[0].clone(),
            nodes,
        })
    }
}

/// Asks until there is a definite answer, for a minute at the most.
pub async fn surely<T>(mut ask: impl AsyncFnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let begun = Instant::now();
    loop {
        match ask().await {
            Err(failure) if failure.is_retryable() && begun.elapsed() < SURELY_WAIT => pause().await,
            definite => return definite,
        }
    }
}

/// The nodes that clients are sent to now.
pub async fn live_nodes(admin: &Caller) -> Result<Vec<String>, Failure> {
    match admin.administrate(AdminRequest::NodeList(wire::NodeList {})).await? {
        AgentReply::NodesListed(wire::NodesListed { nodes, .. }) => {
            let live = nodes.into_iter().filter(|node| node.state == NodeState::Live);
            Ok(live.map(|node| node.address).collect())
        }
        other => panic!("{other:?}"),
    }
}

/// Keeps the list up to date for as long as it runs. Where nobody answers, the last one stays.
pub async fn watch_nodes(scene: Arc<Scene>, admin: Person) {
    let admin = scene.caller(&admin);
    loop {
        sleep(NODES_LOOK).await;
        if let Ok(nodes) = live_nodes(&admin).await
            && !nodes.is_empty()
        {
            *scene.nodes.lock().unwrap() = nodes;
        }
    }
}
