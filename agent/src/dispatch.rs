//! Every request that an agent answers, and the function that answers it.

use crate::agent::Agent;
use crate::{accounts, areas, control, load, registry, settings, users};
use server::{Caller, Failure};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use wire::{AdminRequest, AgentReply, AgentRequest, ErrorReply, Reply, ReplyBody, Request, RequestBody};

/// Answers one request, and logs it once.
pub async fn dispatch(agent: Arc<Agent>, request: Request, peer: SocketAddr) -> Reply {
    let started = Instant::now();
    let Request { request_id, token, body, remaining_ms: _ } = request; // `wire::serve` keeps the time
    let caller = Caller { request_id, peer, token };
    let result = match body {
        RequestBody::Agent(body) => answer(&agent, &caller, body).await,
        RequestBody::Node(_) => {
            Err(ErrorReply::invalid("this is an agent: nodes answer this request").into())
        }
    };
    let elapsed_ms = started.elapsed().as_millis() as u64;
    match &result {
        Ok(_) => tracing::debug!(%request_id, %peer, elapsed_ms, "answered"),
        Err(Failure(error)) => {
            tracing::debug!(%request_id, %peer, elapsed_ms, code = %error.code, "refused");
        }
    }
    Reply { request_id, result: result.map(ReplyBody::Agent).map_err(|failure| failure.0) }
}

async fn answer(agent: &Agent, caller: &Caller, request: AgentRequest) -> Result<AgentReply, Failure> {
    match request {
        AgentRequest::Register(request) => accounts::register(agent, caller, request).await,
        AgentRequest::Login(request) => accounts::login(agent, caller, request).await,
        AgentRequest::Logout(request) => accounts::logout(agent, caller, request).await,
        AgentRequest::Whoami(request) => accounts::whoami(agent, caller, request).await,
        AgentRequest::ChangePassword(request) => accounts::change_password(agent, caller, request).await,
        AgentRequest::Sessions(request) => accounts::sessions(agent, caller, request).await,
        AgentRequest::EndSession(request) => accounts::end_session(agent, caller, request).await,
        AgentRequest::EndAllSessions(request) => accounts::end_all_sessions(agent, caller, request).await,
        AgentRequest::Areas(request) => areas::areas(agent, caller, request).await,
        AgentRequest::Subscriptions(request) => areas::subscriptions(agent, caller, request).await,
        AgentRequest::Where(request) => registry::locate(agent, caller, request).await,
        AgentRequest::Admin(request) => administrate(agent, caller, request).await,
        AgentRequest::Announce(request) => registry::announce(agent, caller, request).await,
        AgentRequest::Status(request) => registry::status(agent, caller, request).await,
    }
}

/// The role is asked by each statement itself.
async fn administrate(agent: &Agent, caller: &Caller, request: AdminRequest) -> Result<AgentReply, Failure> {
    match request {
        AdminRequest::AreaAdd(request) => areas::add(agent, caller, request).await,
        AdminRequest::AreaSet(request) => areas::set(agent, caller, request).await,
        AdminRequest::AreaRemove(request) => areas::remove(agent, caller, request).await,
        AdminRequest::AreaRestore(request) => areas::restore(agent, caller, request).await,
        AdminRequest::AreaList(request) => areas::list(agent, caller, request).await,
        AdminRequest::ArticleRemove(request) => areas::remove_article(agent, caller, request).await,
        AdminRequest::UserList(request) => users::list(agent, caller, request).await,
        AdminRequest::UserAdd(request) => users::add(agent, caller, request).await,
        AdminRequest::UserPassword(request) => users::set_password(agent, caller, request).await,
        AdminRequest::UserRole(request) => users::set_role(agent, caller, request).await,
        AdminRequest::UserDisable(request) => users::disable(agent, caller, request).await,
        AdminRequest::UserEnable(request) => users::enable(agent, caller, request).await,
        AdminRequest::UserSessions(request) => users::sessions(agent, caller, request).await,
        AdminRequest::Audit(request) => users::audit(agent, caller, request).await,
        AdminRequest::NodeList(request) => control::node_list(agent, caller, request).await,
        AdminRequest::NodeDrain(request) => control::node_drain(agent, caller, request).await,
        AdminRequest::NodeResume(request) => control::node_resume(agent, caller, request).await,
        AdminRequest::AgentList(request) => control::agent_list(agent, caller, request).await,
        AdminRequest::Load(request) => load::load(agent, caller, request).await,
        AdminRequest::SettingsList(request) => settings::list(agent, caller, request).await,
        AdminRequest::SettingsChange(request) => settings::change(agent, caller, request).await,
        AdminRequest::SettingsStatus(request) => settings::status(agent, caller, request).await,
        AdminRequest::SettingsWatch(request) => settings::watch(agent, caller, request).await,
    }
}
