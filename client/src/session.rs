//! The service, on behalf of whoever is logged in: which agents to ask, where an area's nodes are, how much time is left.

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

/// Asking again where the nodes are, while one of them may still answer.
const REFRESH_WAIT: Duration = Duration::from_secs(1);

pub struct Session {
    pub settings: Settings,
    pub output: Output,
    state: Mutex<State>,
}

struct State {
    context: Context,
    /// In the order in which they are asked.
    agents: Vec<String>,
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
            agents: asked_first(agents, context.last_agent.as_deref()),
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
        let body = RequestBody::Agent(request);
        let started = Instant::now();
        let ask = Ask { token: self.token(), body: &body, deadline: self.deadline(), output: &self.output };
        let answer = transport::race(&mut AgentAddresses(self), ask).await;
        self.spend(started);
        let Answer { address, body } = answer?;
        self.remember(address);
        match body {
            ReplyBody::Agent(reply) => Ok(reply),
            ReplyBody::Node(_) => Err(Failure::unexpected_reply()),
        }
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
        match answer?.body {
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
    fn remember(&self, agent: String) {
        {
            let mut state = self.state();
            if state.agents.len() < 2
                || state.agents.first() == Some(&agent) && state.context.last_agent.is_some()
            {
                return;
            }
            state.agents = asked_first(std::mem::take(&mut state.agents), Some(&agent));
            state.context.last_agent = Some(agent.clone());
        }
        let _ = Context::update(&self.settings, |context| context.last_agent = Some(agent));
    }
}

/// `first` if it is among them, else a random one, so that not every client asks the same agent first.
fn asked_first(mut agents: Vec<String>, first: Option<&str>) -> Vec<String> {
    let random = || getrandom::u32().map_or(0, |random| random as usize % agents.len().max(1));
    let start = first.and_then(|first| agents.iter().position(|agent| agent == first)).unwrap_or_else(random);
    agents.rotate_left(start);
    agents
}

struct AgentAddresses<'a>(&'a Session);

impl Addresses for AgentAddresses<'_> {
    async fn round(&mut self, _round: u32) -> Result<Vec<String>, Failure> {
        Ok(self.0.agents())
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
    async fn round(&mut self, round: u32) -> Result<Vec<String>, Failure> {
        if round == 0 && !self.nodes.addresses.is_empty() {
            return Ok(self.nodes.addresses.clone());
        }
        let known = self.nodes.addresses.clone();
        let fresh = timeout(REFRESH_WAIT, fresh_nodes(self.session, &self.nodes.areas)).await;
        match fresh {
            Ok(Ok(fresh)) if !fresh.is_empty() => Ok(fresh),
            Ok(Err(failure)) if known.is_empty() => Err(failure),
            _ if known.is_empty() => Err(Failure::service(ErrorCode::Unavailable, "no node is live")),
            _ => Ok(known), // the agents are no help now; the nodes may be back
        }
    }

    fn what(&self) -> &'static str {
        "a node"
    }
}

/// Asks where the nodes are now, without touching the command's time: that is counted already.
pub async fn fresh_nodes(session: &Session, areas: &[String]) -> Result<Vec<String>, Failure> {
    let body = RequestBody::Agent(AgentRequest::Where { areas: areas.to_vec() });
    let deadline = Instant::now() + REFRESH_WAIT;
    let ask = Ask { token: session.token(), body: &body, deadline, output: &session.output };
    match transport::race(&mut AgentAddresses(session), ask).await?.body {
        ReplyBody::Agent(AgentReply::Located { nodes, .. }) => Ok(nodes),
        _ => Err(Failure::unexpected_reply()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_that_worked_is_asked_first() {
        let agents: Vec<String> = ["a", "b", "c"].map(String::from).into();
        assert_eq!(asked_first(agents.clone(), Some("b")), ["b", "c", "a"]);
        let mut random = asked_first(agents.clone(), Some("gone"));
        random.sort();
        assert_eq!(random, agents);
        assert_eq!(asked_first(Vec::new(), None), Vec::<String>::new());
    }
}
