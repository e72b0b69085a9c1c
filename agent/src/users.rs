//! Other people's accounts and the audit trail: for administrators, which each statement checks itself.

use crate::Agent;
use crate::accounts::{role_of, summaries};
use crate::attempts::guarded;
use db::names::Name;
use db::users::Credentials;
use server::{Failure, token_hash};
use std::net::IpAddr;
use wire::limits::LIST_ROWS_MAX;
use wire::{AgentReply, AuditEntry, ErrorCode, ErrorReply, Password, Role, Token, UserSummary};

pub async fn list(agent: &Agent, token: Option<Token>, after: Option<String>) -> Result<AgentReply, Failure> {
    let token = token_hash(token)?;
    let rows = db::users::list(&agent.db, &token, after.as_deref(), LIST_ROWS_MAX.into()).await?;
    let more = rows.len() == LIST_ROWS_MAX as usize;
    let users = rows
        .into_iter()
        .map(|user| UserSummary {
            role: role_of(&user.role),
            name: user.name,
            created_at_us: user.created_at_us,
            disabled_at_us: user.disabled_at_us,
            sessions: user.sessions,
        })
        .collect();
    Ok(AgentReply::UserList { users, more })
}

pub async fn add(
    agent: &Agent,
    from: IpAddr,
    token: Option<Token>,
    name: String,
    password: Password,
    role: Role,
) -> Result<AgentReply, Failure> {
    let token = token_hash(token)?;
    let name = Name::parse(&name)?;
    let hash = agent.passwords.hash(password.0.clone()).await?;
    if db::users::add(&agent.db, &token, &name, &hash, role.name()).await? {
        return Ok(AgentReply::Done { already: false });
    }
    // A repeat finds the account with this password and role (I10).
    let user = db::users::credentials(&agent.db, &name.text).await?;
    let user = user.filter(|user| user.role == role.name());
    if let Some(user) = user
        && is_password_of(agent, from, user, password).await?
    {
        return Ok(AgentReply::Done { already: true });
    }
    Err(ErrorReply::new(ErrorCode::Conflict, format!("there is a user {:?} already", name.text)).into())
}

pub async fn set_password(
    agent: &Agent,
    from: IpAddr,
    token: Option<Token>,
    name: String,
    password: Password,
) -> Result<AgentReply, Failure> {
    let token = token_hash(token)?;
    let hash = agent.passwords.hash(password.0.clone()).await?;
    match db::users::set_password(&agent.db, &token, &name, &hash).await {
        Ok(()) => Ok(AgentReply::Done { already: false }),
        // One's own sessions end by it, too: the repeat comes with one of them, and finds the password in place (I10).
        Err(error @ db::Error::Unauthenticated(_)) => {
            let is_own = db::users::is_own_session(&agent.db, &token, &name).await?;
            let user = db::users::credentials(&agent.db, &name).await?;
            if let Some(user) = user.filter(|_| is_own)
                && is_password_of(agent, from, user, password).await?
            {
                return Ok(AgentReply::Done { already: true });
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

pub async fn set_role(
    agent: &Agent,
    token: Option<Token>,
    name: String,
    role: Role,
) -> Result<AgentReply, Failure> {
    let already = db::users::set_role(&agent.db, &token_hash(token)?, &name, role.name()).await?;
    Ok(AgentReply::Done { already })
}

pub async fn disable(agent: &Agent, token: Option<Token>, name: String) -> Result<AgentReply, Failure> {
    let already = db::users::disable(&agent.db, &token_hash(token)?, &name).await?;
    Ok(AgentReply::Done { already })
}

pub async fn enable(agent: &Agent, token: Option<Token>, name: String) -> Result<AgentReply, Failure> {
    let already = db::users::enable(&agent.db, &token_hash(token)?, &name).await?;
    Ok(AgentReply::Done { already })
}

pub async fn sessions(agent: &Agent, token: Option<Token>, name: String) -> Result<AgentReply, Failure> {
    let user_id = db::users::find(&agent.db, &token_hash(token)?, &name).await?;
    let sessions = db::sessions::of_user(&agent.db, user_id).await?;
    Ok(AgentReply::Sessions { sessions: summaries(sessions, None) })
}

pub async fn audit(
    agent: &Agent,
    token: Option<Token>,
    before: Option<i64>,
    limit: u32,
) -> Result<AgentReply, Failure> {
    let limit = limit.clamp(1, LIST_ROWS_MAX);
    let rows = db::audit::list(&agent.db, &token_hash(token)?, before, limit.into()).await?;
    let more = rows.len() == limit as usize;
    let entries = rows
        .into_iter()
        .map(|entry| AuditEntry {
            audit_id: entry.audit_id,
            at_us: entry.at_us,
            actor: entry.actor,
            action: entry.action,
            target: entry.target,
            detail: entry.detail,
        })
        .collect();
    Ok(AgentReply::Audit { entries, more })
}
