//! Registering, logging in and out, one's own password and sessions.

use crate::agent::{Agent, FIRST_ADMIN};
use crate::attempts::guarded;
use db::TokenHash;
use db::names::Name;
use db::sessions::{Me, Session};
use server::{Caller, Failure};
use wire::limits::LABEL_BYTES_MAX;
use wire::{AgentReply, ErrorCode, ErrorReply, LoggedIn, Password, Role, SessionSummary, Token};

pub async fn register(
    agent: &Agent,
    caller: &Caller,
    request: wire::Register,
) -> Result<AgentReply, Failure> {
    let wire::Register { name, password, label } = request;
    let name = Name::parse(&name)?;
    if name.key == FIRST_ADMIN {
        // Where no administrator was made yet, a stranger must not sit on the name.
        let text =
            format!("the name {FIRST_ADMIN:?} is the first administrator's: choose another one, or log in");
        return Err(ErrorReply::new(ErrorCode::Conflict, text).into());
    }
    // The same name with the same password is a repeat (I10): the answer to the first one may have been lost. So this tells
    // whether a password is right, too, and is guarded like a log-in.
    let registered = guarded(agent, &name.text, caller.peer.ip(), async {
        let hash = agent.passwords.hash(password.0.clone()).await?;
        let added = db::users::register(&agent.db, &name, &hash).await?;
        let logged_in = start_session(agent, &name.text, password.clone(), label).await?;
        Ok(logged_in.map(|logged_in| LoggedIn { already: !added, ..logged_in }))
    });
    match agent.twins.once(caller.request_id, &name.text, &password, registered).await? {
        Some(logged_in) => Ok(AgentReply::LoggedIn(logged_in)),
        None => Err(ErrorReply::new(
            ErrorCode::Conflict,
            format!("the name {:?} is taken: choose another one, or log in", name.text),
        )
        .into()),
    }
}

pub async fn login(agent: &Agent, caller: &Caller, request: wire::Login) -> Result<AgentReply, Failure> {
    let wire::Login { name, password, label } = request;
    let logged_in =
        guarded(agent, &name, caller.peer.ip(), start_session(agent, &name, password.clone(), label));
    match agent.twins.once(caller.request_id, &name, &password, logged_in).await? {
        Some(logged_in) => Ok(AgentReply::LoggedIn(logged_in)),
        None => Err(ErrorReply::new(ErrorCode::Unauthenticated, "wrong name or password").into()),
    }
}

/// `None` if the name is unknown or the password another one; both take as long.
async fn start_session(
    agent: &Agent,
    name: &str,
    password: Password,
    label: String,
) -> Result<Option<LoggedIn>, Failure> {
    let user = db::users::credentials(&agent.db, name).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    if !agent.passwords.verify(password.0, hash).await? {
        return Ok(None);
    }
    let Some(user) = user else { return Ok(None) };
    if user.disabled {
        let text = "this account is disabled: ask an administrator";
        return Err(ErrorReply::new(ErrorCode::Denied, text).into());
    }
    let token = new_token()?;
    let started = db::sessions::start(
        &agent.db,
        user.user_id,
        &user.password_hash,
        &TokenHash::of(&token.0),
        &clean_label(&label),
    )
    .await?;
    Ok(started.map(|session_id| LoggedIn {
        token,
        session_id,
        role: role_of(&user.role),
        user: user.name,
        service_id: agent.service_id,
        already: false,
    }))
}

fn new_token() -> Result<Token, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "no random numbers");
        Failure(ErrorReply::failed())
    })?;
    Ok(Token(bytes))
}

/// A label comes from a host's name; whatever it holds, it fits and is one line.
fn clean_label(label: &str) -> String {
    let mut clean: String = label.chars().filter(|c| !c.is_control()).collect();
    while clean.len() > LABEL_BYTES_MAX {
        clean.pop();
    }
    clean
}

pub(crate) fn role_of(name: &str) -> Role {
    if name == "admin" { Role::Admin } else { Role::User }
}

pub async fn logout(agent: &Agent, caller: &Caller, request: wire::Logout) -> Result<AgentReply, Failure> {
    let wire::Logout {} = request;
    let already = db::sessions::end_own(&agent.db, &caller.token_hash()?).await?;
    Ok(AgentReply::Done(wire::Done { already }))
}

pub async fn whoami(agent: &Agent, caller: &Caller, request: wire::Whoami) -> Result<AgentReply, Failure> {
    let wire::Whoami {} = request;
    let me = me(agent, caller).await?;
    let Me { user_id: _, user, role, session_id } = me;
    let (role, service_id) = (role_of(&role), agent.service_id);
    Ok(AgentReply::Identified(wire::Identified { user, role, session_id, service_id }))
}

async fn me(agent: &Agent, caller: &Caller) -> Result<Me, Failure> {
    let me = db::sessions::me(&agent.db, &caller.token_hash()?).await?;
    me.ok_or_else(|| db::Error::unauthenticated().into())
}

pub async fn change_password(
    agent: &Agent,
    caller: &Caller,
    request: wire::ChangePassword,
) -> Result<AgentReply, Failure> {
    let wire::ChangePassword { old, new } = request;
    let me = me(agent, caller).await?;
    let changed = guarded(
        agent,
        &me.user,
        caller.peer.ip(),
        change_own(agent, caller.token_hash()?, &me.user, old, new),
    );
    match changed.await? {
        Some(already) => Ok(AgentReply::Done(wire::Done { already })),
        None => Err(ErrorReply::new(ErrorCode::Unauthenticated, "the old password is wrong").into()),
    }
}

/// Whether it was changed already; `None` if the old password is wrong. Looks at two passwords at most, for somebody who
/// has a session: that is one attempt.
async fn change_own(
    agent: &Agent,
    token: TokenHash,
    user: &str,
    old: Password,
    new: Password,
) -> Result<Option<bool>, Failure> {
    let hash_of = async || {
        let user = db::users::credentials(&agent.db, user).await?;
        user.map(|user| user.password_hash).ok_or_else(db::Error::unauthenticated)
    };
    let old_hash = hash_of().await?;
    if !agent.passwords.verify(old.0, Some(old_hash.clone())).await? {
        // A repeat whose first answer was lost finds the new password in place (I10).
        return Ok(agent.passwords.verify(new.0, Some(old_hash)).await?.then_some(true));
    }
    let new_hash = agent.passwords.hash(new.0.clone()).await?;
    if !db::users::change_password(&agent.db, &token, &old_hash, &new_hash).await? {
        // Changed since it was verified: by a twin of this request, or by another one.
        if agent.passwords.verify(new.0, Some(hash_of().await?)).await? {
            return Ok(Some(true));
        }
        let text = "the password was changed elsewhere at the same moment: try again";
        return Err(ErrorReply::new(ErrorCode::Conflict, text).into());
    }
    Ok(Some(false))
}

pub async fn sessions(
    agent: &Agent,
    caller: &Caller,
    request: wire::Sessions,
) -> Result<AgentReply, Failure> {
    let wire::Sessions {} = request;
    let me = me(agent, caller).await?;
    let sessions = db::sessions::of_user(&agent.db, me.user_id).await?;
    Ok(AgentReply::SessionsListed(wire::SessionsListed {
        sessions: summaries(sessions, Some(me.session_id)),
    }))
}

pub(crate) fn summaries(sessions: Vec<Session>, current: Option<i64>) -> Vec<SessionSummary> {
    sessions
        .into_iter()
        .map(|session| {
            let Session { session_id, label, created_at_us, last_used_at_us, expires_at_us } = session;
            let current = Some(session_id) == current;
            SessionSummary { session_id, label, created_at_us, last_used_at_us, expires_at_us, current }
        })
        .collect()
}

pub async fn end_session(
    agent: &Agent,
    caller: &Caller,
    request: wire::EndSession,
) -> Result<AgentReply, Failure> {
    let wire::EndSession { session_id } = request;
    let already = db::sessions::end(&agent.db, &caller.token_hash()?, session_id).await?;
    Ok(AgentReply::Done(wire::Done { already }))
}

pub async fn end_all_sessions(
    agent: &Agent,
    caller: &Caller,
    request: wire::EndAllSessions,
) -> Result<AgentReply, Failure> {
    let wire::EndAllSessions {} = request;
    let sessions = db::sessions::end_all(&agent.db, &caller.token_hash()?).await?;
    Ok(AgentReply::Ended(wire::Ended { sessions }))
}
