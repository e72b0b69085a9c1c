//! Other people's accounts and the audit trail: for administrators, which each statement checks itself.

use crate::accounts::{role_of, summaries};
use crate::agent::Agent;
use crate::attempts::guarded;
use db::audit::Entry;
use db::names::Name;
use db::users::{Credentials, User};
use server::{Caller, Failure};
use std::net::IpAddr;
use wire::limits::LIST_ROWS_MAX;
use wire::{AgentReply, AuditEntry, ErrorCode, ErrorReply, Password, Role, UserSummary};

pub async fn list(agent: &Agent, caller: &Caller, request: wire::UserList) -> Result<AgentReply, Failure> {
    let wire::UserList { after } = request;
    let token = caller.token_hash()?;
    let rows = db::users::list(&agent.db, &token, after.as_deref(), LIST_ROWS_MAX.into()).await?;
    let more = rows.len() == LIST_ROWS_MAX as usize;
    let users = rows
        .into_iter()
        .map(|user| {
            let User { name, key: _, role, created_at_us, disabled_at_us, sessions } = user;
            let role = role_of(&role);
            UserSummary { name, role, created_at_us, disabled_at_us, sessions }
        })
        .collect();
    Ok(AgentReply::UsersListed(wire::UsersListed { users, more }))
}

pub async fn add(agent: &Agent, caller: &Caller, request: wire::UserAdd) -> Result<AgentReply, Failure> {
    let wire::UserAdd { name, password, role } = request;
    let token = caller.token_hash()?;
    let name = Name::parse(&name)?;
    let role_name = role_name(role)?;
    let hash = agent.passwords.hash(password.0.clone()).await?;
    if db::users::add(&agent.db, &token, &name, &hash, role_name).await? {
        return Ok(AgentReply::Done(wire::Done { already: false }));
    }
    // A repeat finds the account with this password and role (I10).
    let user = db::users::credentials(&agent.db, &name.text).await?;
    let user = user.filter(|user| user.role == role_name);
    if let Some(user) = user
        && is_password_of(agent, caller.peer.ip(), user, password).await?
    {
        return Ok(AgentReply::Done(wire::Done { already: true }));
    }
    Err(ErrorReply::new(ErrorCode::Conflict, format!("there is a user {:?} already", name.text)).into())
}

pub async fn set_password(
    agent: &Agent,
    caller: &Caller,
    request: wire::UserPassword,
) -> Result<AgentReply, Failure> {
    let wire::UserPassword { name, password } = request;
    let token = caller.token_hash()?;
    let hash = agent.passwords.hash(password.0.clone()).await?;
    match db::users::set_password(&agent.db, &token, &name, &hash).await {
        Ok(()) => Ok(AgentReply::Done(wire::Done { already: false })),
        // One's own sessions end by it, too: the repeat comes with one of them, and finds the password in place (I10).
        Err(error @ db::Error::Unauthenticated(_)) => {
            let is_own = db::users::is_own_session(&agent.db, &token, &name).await?;
            let user = db::users::credentials(&agent.db, &name).await?;
            if let Some(user) = user.filter(|_| is_own)
                && is_password_of(agent, caller.peer.ip(), user, password).await?
            {
                return Ok(AgentReply::Done(wire::Done { already: true }));
            }
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Whoever asks this learns whether a password is right: guarded like a log-in.
async fn is_password_of(
    agent: &Agent,
    from: IpAddr,
    user: Credentials,
    password: Password,
) -> Result<bool, Failure> {
    let verified = async {
        let is_right = agent.passwords.verify(password.0, Some(user.password_hash)).await?;
        Ok(is_right.then_some(()))
    };
    Ok(guarded(agent, &user.name, from, verified).await?.is_some())
}

/// As the database has it.
fn role_name(role: Role) -> Result<&'static str, ErrorReply> {
    match role {
        Role::User => Ok("user"),
        Role::Admin => Ok("admin"),
        Role::Other(_) => Err(ErrorReply::unknown_value("role", role)),
    }
}

pub async fn set_role(
    agent: &Agent,
    caller: &Caller,
    request: wire::UserRole,
) -> Result<AgentReply, Failure> {
    let wire::UserRole { name, role } = request;
    let already = db::users::set_role(&agent.db, &caller.token_hash()?, &name, role_name(role)?).await?;
    Ok(AgentReply::Done(wire::Done { already }))
}

pub async fn disable(
    agent: &Agent,
    caller: &Caller,
    request: wire::UserDisable,
) -> Result<AgentReply, Failure> {
    let wire::UserDisable { name } = request;
    let already = db::users::disable(&agent.db, &caller.token_hash()?, &name).await?;
    Ok(AgentReply::Done(wire::Done { already }))
}

pub async fn enable(
    agent: &Agent,
    caller: &Caller,
    request: wire::UserEnable,
) -> Result<AgentReply, Failure> {
    let wire::UserEnable { name } = request;
    let already = db::users::enable(&agent.db, &caller.token_hash()?, &name).await?;
    Ok(AgentReply::Done(wire::Done { already }))
}

pub async fn sessions(
    agent: &Agent,
    caller: &Caller,
    request: wire::UserSessions,
) -> Result<AgentReply, Failure> {
    let wire::UserSessions { name } = request;
    let user_id = db::users::find(&agent.db, &caller.token_hash()?, &name).await?;
    let sessions = db::sessions::of_user(&agent.db, user_id).await?;
    Ok(AgentReply::SessionsListed(wire::SessionsListed { sessions: summaries(sessions, None) }))
}

pub async fn audit(agent: &Agent, caller: &Caller, request: wire::Audit) -> Result<AgentReply, Failure> {
    let wire::Audit { before, limit } = request;
    let limit = limit.clamp(1, LIST_ROWS_MAX);
    let rows = db::audit::list(&agent.db, &caller.token_hash()?, before, limit.into()).await?;
    let more = rows.len() == limit as usize;
    let entries = rows
        .into_iter()
        .map(|entry| {
            let Entry { audit_id, at_us, actor, action, target, detail } = entry;
            AuditEntry { audit_id, at_us, actor, action, target, detail }
        })
        .collect();
    Ok(AgentReply::AuditListed(wire::AuditListed { entries, more }))
}
