//! Every request that an agent answers, and the function that answers it.

use crate::{Agent, accounts, areas, control, load, registry, settings, users};
use server::Failure;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;
use wire::{
    AdminRequest, AgentReply, AgentRequest, ErrorReply, Reply, ReplyBody, Request, RequestBody, Token,
};

/// Answers one request, and logs it once.
pub async fn dispatch(agent: Arc<Agent>, request: Request, peer: SocketAddr) -> Reply {
    let started = Instant::now();
    let Request { request_id, token, body, .. } = request;
    let result = match body {
        RequestBody::Agent(body) => answer(&agent, request_id, peer.ip(), token, body).await,
        RequestBody::Node(_) => {
            Err(ErrorReply::invalid("this is an agent: nodes answer this request").into())
        }
    };
    let elapsed_ms = started.elapsed().as_millis() as u64;
    match &result {
        Ok(_) => tracing::debug!(%request_id, %peer, elapsed_ms, "answered"),
        Err(Failure(error)) => {
            tracing::debug!(%request_id, %peer, elapsed_ms, code = error.code.name(), "refused");
        }
    }
    Reply { request_id, result: result.map(ReplyBody::Agent).map_err(|failure| failure.0) }
}

async fn answer(
    agent: &Agent,
    request_id: Uuid,
    from: IpAddr,
    token: Option<Token>,
    request: AgentRequest,
) -> Result<AgentReply, Failure> {
    match request {
        AgentRequest::Register { name, password, label } => {
            accounts::register(agent, request_id, from, name, password, label).await
        }
        AgentRequest::Login { name, password, label } => {
            accounts::login(agent, request_id, from, name, password, label).await
        }
        AgentRequest::Logout => accounts::logout(agent, token).await,
        AgentRequest::Whoami => accounts::whoami(agent, token).await,
        AgentRequest::ChangePassword { old, new } => {
            accounts::change_password(agent, from, token, old, new).await
        }
        AgentRequest::Sessions => accounts::sessions(agent, token).await,
        AgentRequest::EndSession { session_id } => accounts::end_session(agent, token, session_id).await,
        AgentRequest::EndAllSessions => accounts::end_all_sessions(agent, token).await,
        AgentRequest::Areas { after } => areas::areas(agent, token, after).await,
        AgentRequest::Subscriptions { after } => areas::subscriptions(agent, token, after).await,
        AgentRequest::Where { areas } => registry::locate(agent, token, areas).await,
        AgentRequest::Admin(request) => administrate(agent, from, token, request).await,
        AgentRequest::Announce { node_id } => registry::announce(agent, node_id).await,
        AgentRequest::Status => registry::status(agent, token).await,
    }
}

/// The role is asked by each statement itself.
async fn administrate(
    agent: &Agent,
    from: IpAddr,
    token: Option<Token>,
    request: AdminRequest,
) -> Result<AgentReply, Failure> {
    match request {
        AdminRequest::AreaAdd { creation_id, name, settings } => {
            areas::add(agent, token, creation_id, name, settings).await
        }
        AdminRequest::AreaSet { name, settings } => areas::set(agent, token, name, settings).await,
        AdminRequest::AreaRemove { area_id } => areas::remove(agent, token, area_id).await,
        AdminRequest::AreaRestore { name } => areas::restore(agent, token, name).await,
        AdminRequest::AreaList { after } => areas::list(agent, token, after).await,
        AdminRequest::ArticleRemove { area, seq } => areas::remove_article(agent, token, area, seq).await,
        AdminRequest::UserList { after } => users::list(agent, token, after).await,
        AdminRequest::UserAdd { name, password, role } => {
            users::add(agent, from, token, name, password, role).await
        }
        AdminRequest::UserPassword { name, password } => {
            users::set_password(agent, from, token, name, password).await
        }
        AdminRequest::UserRole { name, role } => users::set_role(agent, token, name, role).await,
        AdminRequest::UserDisable { name } => users::disable(agent, token, name).await,
        AdminRequest::UserEnable { name } => users::enable(agent, token, name).await,
        AdminRequest::UserSessions { name } => users::sessions(agent, token, name).await,
        AdminRequest::Audit { before, limit } => users::audit(agent, token, before, limit).await,
        AdminRequest::NodeList => control::node_list(agent, token).await,
        AdminRequest::NodeDrain { node } => control::node_drain(agent, token, node).await,
        AdminRequest::NodeResume { node } => control::node_resume(agent, token, node).await,
        AdminRequest::AgentList => control::agent_list(agent, token).await,
        AdminRequest::Load { span_s } => load::load(agent, token, span_s).await,
        AdminRequest::SettingsList => settings::list(agent, token).await,
        AdminRequest::SettingsChange { changes, expected_version } => {
            settings::change(agent, token, changes, expected_version).await
        }
        AdminRequest::SettingsStatus => settings::status(agent, token).await,
        AdminRequest::SettingsWatch { version, wait_ms } => {
            settings::watch(agent, token, version, wait_ms).await
        }
    }
}
