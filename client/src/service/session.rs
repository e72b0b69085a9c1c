//! The service, on behalf of whoever is logged in: which agents to ask, where an area's nodes are, how much time is left.

use super::candidates::{self, Candidate};
use super::failure::Failure;
use super::tell::Tell;
use super::transport::{self, Addresses, Answer, Ask};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use uuid::Uuid;
use wire::{
    AgentReply, AgentRequest, AreaRef, Asker, ErrorCode, NodeReply, NodeRequest, ReplyBody, RequestBody,
    Role, Token,
};

/// Asking again where the nodes are. Long enough for another agent when the first one is silent.
const REFRESH_WAIT: Duration = Duration::from_secs(2);
/// For so long a node that let a request wait is asked after the others: agents send nobody there after three seconds without
/// an answer, and by then it is out, or was only slow for a moment.
const SUSPICION: Duration = Duration::from_secs(10);

/// What one needs to ask: where, as whom, for how long.
#[derive(Debug, Clone)]
pub struct Access {
    /// `HOST:PORT`, at least one.
    pub agents: Vec<String>,
    /// Of `agents` the one that answered the last time, asked first.
    pub last_agent: Option<SocketAddr>,
    pub token: Option<Token>,
    /// Whose token it is, and what they were the last time, where that is known.
    pub identity: Option<Identity>,
    pub role: Option<Role>,
    /// For each command: only waiting for the service counts.
    pub timeout: Duration,
}

/// Whose session it is, and at which installation of the service: the outbox is kept apart by both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub user: String,
    pub service_id: Uuid,
}

pub struct Session {
    agents: Vec<String>,
    token: Option<Token>,
    timeout: Duration,
    asker: Arc<Asker>,
    tell: Tell,
    state: Mutex<State>,
}

struct State {
    last_agent: Option<SocketAddr>,
    role: Option<Role>,
    /// Nodes that were passed over, and when. At most as many as there are.
    suspects: Vec<(String, Instant)>,
    identity: Option<Identity>,
    /// What is left of the time. Only waiting for the service counts, not for a person or a pipe.
    left: Duration,
}

/// An area, and the nodes that serve it.
#[derive(Debug, Clone)]
pub struct Located {
    pub area: AreaRef,
    pub nodes: Nodes,
}

/// Nodes as an agent told, best first, and what to ask to hear of others.
#[derive(Debug, Clone, Default)]
pub struct Nodes {
    areas: Vec<String>,
    pub addresses: Vec<String>,
}

impl Session {
    pub fn new(access: Access, tell: Tell) -> Self {
        let Access { agents, last_agent, token, identity, role, timeout } = access;
        let state = State { last_agent, role, suspects: Vec::new(), identity, left: timeout };
        Self { agents, token, timeout, asker: Arc::default(), tell, state: Mutex::new(state) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner) // every change of it is one assignment
    }

    pub fn agents(&self) -> Vec<String> {
        self.agents.clone()
    }

    pub fn token(&self) -> Option<Token> {
        self.token
    }

    pub fn tell(&self) -> &Tell {
        &self.tell
    }

    /// Who asks: remembers which protocol version each server speaks.
    pub fn asker(&self) -> &Arc<Asker> {
        &self.asker
    }

    /// A question on behalf of whoever is logged in.
    pub fn ask<'a>(&'a self, body: &'a RequestBody, deadline: Instant) -> Ask<'a> {
        Ask { token: self.token, body, deadline, asker: &self.asker, tell: &self.tell }
    }

    /// Who is logged in; asks the service when only a token is known.
    pub async fn identity(&self) -> Result<Identity, Failure> {
        if let Some(identity) = self.state().identity.clone() {
            return Ok(identity);
        }
        self.whoami().await.map(|(identity, _)| identity)
    }

    pub async fn whoami(&self) -> Result<(Identity, Role), Failure> {
        match self.agent(AgentRequest::Whoami(wire::Whoami {})).await? {
            AgentReply::Identified(wire::Identified { user, role, service_id, .. }) => {
                let identity = Identity { user, service_id };
                let is_news = {
                    let mut state = self.state();
                    state.identity = Some(identity.clone());
                    state.role.replace(role) != Some(role)
                };
                if is_news {
                    self.tell.role(role);
                }
                Ok((identity, role))
            }
            _ => Err(Failure::unexpected_reply()),
        }
    }

    /// What one request may still take.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.state().left
    }

    /// A long command (many pages, many lines) that gets on has the whole time again for its next step.
    pub fn progressed(&self) {
        self.state().left = self.timeout;
    }

    /// Waiting on the service's behalf, which counts.
    pub async fn pause(&self, pause: Duration) {
        let started = Instant::now();
        tokio::time::sleep(pause).await;
        self.spend(started);
    }

    fn spend(&self, since: Instant) {
        let mut state = self.state();
        state.left = state.left.saturating_sub(since.elapsed());
    }

    pub async fn agent(&self, request: AgentRequest) -> Result<AgentReply, Failure> {
        let started = Instant::now();
        let answer = self.ask_agents(request, self.deadline()).await;
        self.spend(started);
        match answer? {
            ReplyBody::Agent(reply) => Ok(reply),
            ReplyBody::Node(_) => Err(Failure::unexpected_reply()),
        }
    }

    async fn ask_agents(&self, request: AgentRequest, deadline: Instant) -> Result<ReplyBody, Failure> {
        let body = RequestBody::Agent(request);
        let ask = self.ask(&body, deadline);
        let mut agents = AgentAddresses { session: self, known: 0 };
        let Answer { candidate, body, .. } = transport::race(&mut agents, ask).await?;
        if agents.known > 1 {
            self.remember(&candidate);
        }
        Ok(body)
    }

    pub async fn node(&self, nodes: &Nodes, request: NodeRequest) -> Result<NodeReply, Failure> {
        let body = RequestBody::Node(request);
        let started = Instant::now();
        let ask = self.ask(&body, self.deadline());
        let answer = transport::race(&mut NodeAddresses { session: self, nodes }, ask).await;
        self.spend(started);
        let Answer { candidate, passed, body } = answer?;
        self.suspect(&candidate, passed);
        match body {
            ReplyBody::Node(reply) => Ok(reply),
            ReplyBody::Agent(_) => Err(Failure::unexpected_reply()),
        }
    }

    /// An area by name. `NotFound` when there is none.
    pub async fn locate(&self, name: &str) -> Result<Located, Failure> {
        let (mut areas, nodes) = self.locate_all(vec![name.to_owned()]).await?;
        let area = areas.pop().ok_or_else(Failure::unexpected_reply)?;
        Ok(Located { area, nodes })
    }

    /// Several areas at once; without names any nodes, since every node serves every area.
    pub async fn locate_all(&self, names: Vec<String>) -> Result<(Vec<AreaRef>, Nodes), Failure> {
        match self.agent(AgentRequest::Where(wire::Where { areas: names.clone() })).await? {
            AgentReply::Located(wire::Located { areas, nodes }) if areas.len() == names.len() => {
                Ok((areas, Nodes { areas: names, addresses: nodes }))
            }
            _ => Err(Failure::unexpected_reply()),
        }
    }

    pub async fn any_nodes(&self) -> Result<Nodes, Failure> {
        self.locate_all(Vec::new()).await.map(|(_, nodes)| nodes)
    }

    /// The agent that answered is asked first the next time.
    fn remember(&self, agent: &Candidate) {
        let before = self.state().last_agent.replace(agent.socket);
        if before != Some(agent.socket) {
            self.tell.answered(agent.socket);
        }
    }

    /// Of a command's many requests only the first waits for a node that is silent.
    fn suspect(&self, answered: &Candidate, passed: Vec<Candidate>) {
        let mut state = self.state();
        let passed: Vec<String> = passed.into_iter().map(|candidate| candidate.address).collect();
        state.suspects.retain(|(address, since)| {
            since.elapsed() < SUSPICION && *address != answered.address && !passed.contains(address)
        });
        state.suspects.extend(passed.into_iter().map(|address| (address, Instant::now())));
    }

    fn suspects_last(&self, mut addresses: Vec<String>) -> Vec<String> {
        let state = self.state();
        let is_suspect = |address: &String| {
            state.suspects.iter().any(|(suspect, since)| suspect == address && since.elapsed() < SUSPICION)
        };
        addresses.sort_by_key(is_suspect);
        addresses
    }
}

struct AgentAddresses<'a> {
    session: &'a Session,
    /// How many there are to choose from.
    known: usize,
}

impl Addresses for AgentAddresses<'_> {
    async fn round(&mut self, _round: u32) -> Result<Vec<Candidate>, Failure> {
        let found = candidates::resolve_all(self.session.agents()).await?;
        self.known = found.len();
        let last = self.session.state().last_agent;
        Ok(candidates::begun_at(found, last))
    }

    fn what(&self) -> &'static str {
        "an agent"
    }
}

struct NodeAddresses<'a> {
    session: &'a Session,
    nodes: &'a Nodes,
}

impl Addresses for NodeAddresses<'_> {
    async fn round(&mut self, round: u32) -> Result<Vec<Candidate>, Failure> {
        let known = self.nodes.addresses.clone();
        let addresses = if round == 0 && !known.is_empty() {
            known
        } else {
            let fresh = timeout(REFRESH_WAIT, fresh_nodes(self.session, &self.nodes.areas)).await;
            match fresh {
                Ok(Ok(fresh)) if !fresh.is_empty() => fresh,
                Ok(Err(failure)) if known.is_empty() => return Err(failure),
                _ if known.is_empty() => {
                    return Err(Failure::service(ErrorCode::Unavailable, "no node is live"));
                }
                _ => known, // the agents are no help now; the nodes may be back
            }
        };
        candidates::resolve_all(self.session.suspects_last(addresses)).await
    }

    fn what(&self) -> &'static str {
        "a node"
    }
}

/// Asks where the nodes are now, without touching the command's time: that is counted already.
pub async fn fresh_nodes(session: &Session, areas: &[String]) -> Result<Vec<String>, Failure> {
    let request = AgentRequest::Where(wire::Where { areas: areas.to_vec() });
    match session.ask_agents(request, Instant::now() + REFRESH_WAIT).await? {
        ReplyBody::Agent(AgentReply::Located(wire::Located { nodes, .. })) => Ok(nodes),
        _ => Err(Failure::unexpected_reply()),
    }
}
