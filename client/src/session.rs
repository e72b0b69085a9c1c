//! The service, on behalf of whoever is logged in: which agents to ask, where an area's nodes are, how much time is left.

use crate::candidates::{self, Candidate};
use crate::context::{Context, Identity};
use crate::execute::lines;
use crate::exit::Failure;
use crate::render::Output;
use crate::settings::{AGENT_DEFAULT, Settings};
use crate::transport::{self, Addresses, Answer, Ask};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use wire::{
    AgentReply, AgentRequest, AreaRef, ErrorCode, NodeReply, NodeRequest, ReplyBody, RequestBody, Role, Token,
};

/// Asking again where the nodes are. Long enough for another agent when the first one is silent.
const REFRESH_WAIT: Duration = Duration::from_secs(2);
/// For so long a node that let a request wait is asked after the others: agents send nobody there after three seconds without
/// an answer, and by then it is out, or was only slow for a moment.
const SUSPICION: Duration = Duration::from_secs(10);

pub struct Session {
    pub settings: Settings,
    pub output: Output,
    state: Mutex<State>,
}

struct State {
    context: Context,
    agents: Vec<String>,
    /// Nodes that were passed over, and when. At most as many as there are.
    suspects: Vec<(String, Instant)>,
    token: Option<Token>,
    identity: Option<Identity>,
    /// What is left of `--timeout`. Only waiting for the service counts, not for a person or a pipe.
    left: Duration,
}

/// An area, and the nodes that serve it.
#[derive(Debug, Clone)]
pub struct Located {
    pub area: AreaRef,
    pub nodes: Nodes,
}

/// Nodes as an agent told, best first, and what to ask to hear of others.
#[derive(Debug, Clone)]
pub struct Nodes {
    areas: Vec<String>,
    pub addresses: Vec<String>,
}

impl Session {
    pub fn open(settings: &Settings, output: &Output) -> Result<Self, Failure> {
        Self::with_context(settings, output, Context::load(settings)?)
    }

    /// For what needs no session and may make one: a damaged context is no reason not to.
    pub fn open_anew(settings: &Settings, output: &Output) -> Result<Self, Failure> {
        Self::with_context(settings, output, Context::load(settings).unwrap_or_default())
    }

    fn with_context(settings: &Settings, output: &Output, context: Context) -> Result<Self, Failure> {
        let given = settings.agents.clone().filter(|agents| !agents.is_empty());
        let written = settings.config()?.agents(&settings.context).to_vec();
        let known = [written, context.agents.clone()].into_iter().find(|agents| !agents.is_empty());
        let agents = given.or(known).unwrap_or_else(|| vec![AGENT_DEFAULT.into()]);
        // A token from outside may be anybody's: who it is, only the service knows.
        let identity = if settings.token.is_some() { None } else { context.identity.clone() };
        let state = State {
            agents,
            suspects: Vec::new(),
            token: settings.token.or_else(|| context.token()),
            identity,
            left: settings.timeout,
            context,
        };
        Ok(Self { settings: settings.clone(), output: output.clone(), state: Mutex::new(state) })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner) // every change of it is one assignment
    }

    pub fn agents(&self) -> Vec<String> {
        self.state().agents.clone()
    }

    pub fn token(&self) -> Option<Token> {
        self.state().token
    }

    /// Before anything that needs a session, and before a person is asked for a text that could not be sent.
    pub fn require_login(&self) -> Result<(), Failure> {
        match self.token() {
            Some(_) => Ok(()),
            None => {
                let [login, register] =
                    ["login NAME", "register NAME"].map(|command| lines::in_context(&self.settings, command));
                let why = format!("not logged in: `{login}`, or `{register}` for a new account");
                Err(Failure::service(ErrorCode::Unauthenticated, why))
            }
        }
    }

    /// Who is logged in; asks the service when only a token is known.
    pub async fn identity(&self) -> Result<Identity, Failure> {
        self.require_login()?;
        if let Some(identity) = self.state().identity.clone() {
            return Ok(identity);
        }
        self.whoami().await.map(|(identity, _)| identity)
    }

    pub async fn whoami(&self) -> Result<(Identity, Role), Failure> {
        match self.agent(AgentRequest::Whoami).await? {
            AgentReply::Whoami { user, role, service_id, .. } => {
                let identity = Identity { user, service_id };
                self.state().identity = Some(identity.clone());
                self.remember_role(role);
                Ok((identity, role))
            }
            _ => Err(Failure::unexpected_reply()),
        }
    }

    /// For `help`, which lists what this person may do. Failing to write it down matters to nobody.
    fn remember_role(&self, role: Role) {
        let is_of_context = self.settings.token.is_none();
        if is_of_context && self.state().context.role != Some(role) {
            let token = self.token();
            let same_session = |context: &Context| context.token() == token;
            let _ = Context::update(&self.settings, |context| {
                if same_session(context) {
                    context.role = Some(role);
                }
            });
        }
    }

    /// What one request may still take.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.state().left
    }

    /// A long command (many pages, many lines) that gets on has the whole time again for its next step.
    pub fn progressed(&self) {
        self.state().left = self.settings.timeout;
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
        let ask = Ask { token: self.token(), body: &body, deadline, output: &self.output };
        let mut agents = AgentAddresses { session: self, known: 0 };
        let Answer { candidate, body, .. } = transport::race(&mut agents, ask).await?;
        if agents.known > 1 {
            self.remember(&candidate);
        }
        Ok(body)
    }

    /// For administrators' and others' requests whose answer is only whether it was so already.
    pub async fn agent_done(&self, request: AgentRequest) -> Result<bool, Failure> {
        match self.agent(request).await? {
            AgentReply::Done { already } => Ok(already),
            _ => Err(Failure::unexpected_reply()),
        }
    }

    pub async fn node(&self, nodes: &Nodes, request: NodeRequest) -> Result<NodeReply, Failure> {
        let body = RequestBody::Node(request);
        let started = Instant::now();
        let ask = Ask { token: self.token(), body: &body, deadline: self.deadline(), output: &self.output };
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
        match self.agent(AgentRequest::Where { areas: names.clone() }).await? {
            AgentReply::Located { areas, nodes } if areas.len() == names.len() => {
                Ok((areas, Nodes { areas: names, addresses: nodes }))
            }
            _ => Err(Failure::unexpected_reply()),
        }
    }

    pub async fn any_nodes(&self) -> Result<Nodes, Failure> {
        self.locate_all(Vec::new()).await.map(|(_, nodes)| nodes)
    }

    /// The agent that answered is asked first the next time. Failing to write that down matters to nobody.
    fn remember(&self, agent: &Candidate) {
        let answered = agent.socket.to_string();
        {
            let mut state = self.state();
            if state.context.last_agent.as_ref() == Some(&answered) {
                return;
            }
            state.context.last_agent = Some(answered.clone());
        }
        let _ = Context::update(&self.settings, |context| context.last_agent = Some(answered));
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
        let last = self.session.state().context.last_agent.as_deref().and_then(|last| last.parse().ok());
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
    let request = AgentRequest::Where { areas: areas.to_vec() };
    match session.ask_agents(request, Instant::now() + REFRESH_WAIT).await? {
        ReplyBody::Agent(AgentReply::Located { nodes, .. }) => Ok(nodes),
        _ => Err(Failure::unexpected_reply()),
    }
}
