//! What every command gets: the service on behalf of whoever is logged in, what was said about the command, and where to
//! tell a person something meanwhile.

use crate::context::Context;
use crate::execute::lines;
use crate::exit::Failure;
use crate::render::Output;
use crate::service;
use crate::service::session::{Access, Identity, Located, Nodes};
use crate::service::tell::{Tell, Told};
use crate::settings::{AGENT_DEFAULT, Settings};
use std::time::Duration;
use tokio::time::Instant;
use wire::{AgentReply, AgentRequest, AreaRef, ErrorCode, NodeReply, NodeRequest, Role, Token};

pub struct Session {
    pub settings: Settings,
    pub output: Output,
    pub service: service::session::Session,
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
        let access = Access {
            agents: given.or(known).unwrap_or_else(|| vec![AGENT_DEFAULT.into()]),
            last_agent: context.last_agent.as_deref().and_then(|last| last.parse().ok()),
            token: settings.token.or_else(|| context.token()),
            // A token from outside may be anybody's: who it is, only the service knows.
            identity: if settings.token.is_some() { None } else { context.identity },
            role: context.role,
            timeout: settings.timeout,
        };
        let service = service::session::Session::new(access, telling(settings, output, context.token));
        Ok(Self { settings: settings.clone(), output: output.clone(), service })
    }

    pub fn agents(&self) -> Vec<String> {
        self.service.agents()
    }

    pub fn token(&self) -> Option<Token> {
        self.service.token()
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
        Ok(self.service.identity().await?)
    }

    pub async fn whoami(&self) -> Result<(Identity, Role), Failure> {
        Ok(self.service.whoami().await?)
    }

    /// What one request may still take.
    pub fn deadline(&self) -> Instant {
        self.service.deadline()
    }

    /// A long command (many pages, many lines) that gets on has the whole time again for its next step.
    pub fn progressed(&self) {
        self.service.progressed();
    }

    /// Waiting on the service's behalf, which counts.
    pub async fn pause(&self, pause: Duration) {
        self.service.pause(pause).await;
    }

    pub async fn agent(&self, request: AgentRequest) -> Result<AgentReply, Failure> {
        Ok(self.service.agent(request).await?)
    }

    /// For administrators' and others' requests whose answer is only whether it was so already.
    pub async fn agent_done(&self, request: AgentRequest) -> Result<bool, Failure> {
        match self.agent(request).await? {
            AgentReply::Done(wire::Done { already }) => Ok(already),
            _ => Err(Failure::unexpected_reply()),
        }
    }

    pub async fn node(&self, nodes: &Nodes, request: NodeRequest) -> Result<NodeReply, Failure> {
        Ok(self.service.node(nodes, request).await?)
    }

    /// An area by name. `NotFound` when there is none.
    pub async fn locate(&self, name: &str) -> Result<Located, Failure> {
        Ok(self.service.locate(name).await?)
    }

    /// Several areas at once; without names any nodes, since every node serves every area.
    pub async fn locate_all(&self, names: Vec<String>) -> Result<(Vec<AreaRef>, Nodes), Failure> {
        Ok(self.service.locate_all(names).await?)
    }

    pub async fn any_nodes(&self) -> Result<Nodes, Failure> {
        Ok(self.service.any_nodes().await?)
    }
}

/// Waiting is told to the person; what the service told of itself is written down for the next command. Failing to write it
/// down matters to nobody. `token` is the context's.
fn telling(settings: &Settings, output: &Output, token: Option<String>) -> Tell {
    let (settings, output) = (settings.clone(), output.clone());
    Tell::new(move |told| match told {
        Told::Waiting(what) => output.waiting(what),
        Told::Away(why) => output.note(&format!("Waiting for the service ({why}); goes on by itself.")),
        Told::Back => output.note("The service is back."),
        Told::Answered(agent) => {
            let agent = agent.to_string();
            let _ = Context::update(&settings, |context| context.last_agent = Some(agent));
        }
        // For `help`, which lists what this person may do.
        Told::Role(role) if settings.token.is_none() => {
            let _ = Context::update(&settings, |context| {
                if context.token == token {
                    context.role = Some(role);
                }
            });
        }
        Told::Role(_) => {} // of a token from outside, not of this context
    })
}
