//! Accounts and sessions.

use crate::command::PasswordArgs;
use crate::context::Context;
use crate::exit::Failure;
use crate::outcome::Outcome;
use crate::render::Output;
use crate::service::session::Identity;
use crate::session::Session;
use crate::settings::Settings;
use crate::terminal;
use wire::limits::LABEL_BYTES_MAX;
use wire::{AgentReply, AgentRequest, ErrorCode, LoggedIn, Password};

pub async fn register(session: &Session, name: String, args: &PasswordArgs) -> Result<Outcome, Failure> {
    let prompt = format!("Password for {name}");
    let password = terminal::new_password(&session.settings, args.password_stdin, &prompt).await?;
    log_in(session, AgentRequest::Register(wire::Register { name, password, label: label() }), true).await
}

pub async fn login(session: &Session, name: String, args: &PasswordArgs) -> Result<Outcome, Failure> {
    let prompt = format!("Password for {name}");
    let password = terminal::password(&session.settings, args.password_stdin, &prompt).await?;
    log_in(session, AgentRequest::Login(wire::Login { name, password, label: label() }), false).await
}

async fn log_in(session: &Session, request: AgentRequest, registers: bool) -> Result<Outcome, Failure> {
    let logged_in = store_session(session, request).await?;
    let context = session.settings.context.clone();
    let registered = registers && !logged_in.already;
    Ok(Outcome::LoggedIn { user: logged_in.user, role: logged_in.role, context, registered })
}

async fn store_session(session: &Session, request: AgentRequest) -> Result<LoggedIn, Failure> {
    Context::check_writable(&session.settings)?;
    match session.agent(request).await? {
        AgentReply::LoggedIn(logged_in) => {
            let agents = session.agents();
            Context::update(&session.settings, |context| context.log_in(&logged_in, &agents))?;
            Ok(logged_in)
        }
        _ => Err(Failure::unexpected_reply()),
    }
}

/// Logs in without asking anybody, and keeps the session in the context of `settings`: for standalone, whose first
/// administrator is logged in from the start.
pub async fn login_with_password(
    settings: &Settings,
    user: &str,
    password: &str,
) -> anyhow::Result<Identity> {
    let session = Session::open(settings, &Output::silent())?;
    let password = Password(password.to_owned());
    let request = AgentRequest::Login(wire::Login { name: user.to_owned(), password, label: label() });
    let logged_in = store_session(&session, request).await?;
    Ok(Identity { user: logged_in.user, service_id: logged_in.service_id })
}

/// How a person recognises this session in a list: `user@host`, or the host alone.
fn label() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut label = user.map_or(host.clone(), |user| format!("{user}@{host}"));
    label.retain(|c| !c.is_control());
    while label.len() > LABEL_BYTES_MAX {
        label.pop();
    }
    label
}

pub async fn logout(session: &Session) -> Result<Outcome, Failure> {
    // Whose a token from the environment is, the context does not know.
    let of_context = session.settings.token.is_none();
    let identity = of_context.then(|| Context::load(&session.settings)).transpose()?.and_then(|c| c.identity);
    let user = identity.map(|identity| identity.user);
    match session.agent(AgentRequest::Logout(wire::Logout {})).await {
        Ok(_) => {}
        // It was ended from elsewhere: gone is gone.
        Err(failure) if failure.code() == Some(ErrorCode::Unauthenticated) => {}
        Err(failure) => return Err(failure),
    }
    forget(session)?;
    Ok(Outcome::LoggedOut { user })
}

/// A token from the environment is not ours to forget.
fn forget(session: &Session) -> Result<(), Failure> {
    if session.settings.token.is_none() {
        Context::update(&session.settings, Context::log_out)?;
    }
    Ok(())
}

pub async fn whoami(session: &Session) -> Result<Outcome, Failure> {
    let (identity, role) = session.whoami().await?;
    let context = session.settings.context.clone();
    Ok(Outcome::Whoami { user: identity.user, role, context, agents: session.agents() })
}

pub async fn passwd(session: &Session, password_stdin: bool) -> Result<Outcome, Failure> {
    let (old, new) = terminal::old_and_new_password(&session.settings, password_stdin).await?;
    session.agent_done(AgentRequest::ChangePassword(wire::ChangePassword { old, new })).await?;
    Ok(Outcome::PasswordChanged)
}

pub async fn sessions(session: &Session) -> Result<Outcome, Failure> {
    match session.agent(AgentRequest::Sessions(wire::Sessions {})).await? {
        AgentReply::SessionsListed(wire::SessionsListed { sessions }) => Ok(Outcome::Sessions(sessions)),
        _ => Err(Failure::unexpected_reply()),
    }
}

pub async fn end_session(session: &Session, session_id: i64) -> Result<Outcome, Failure> {
    let current = match session.agent(AgentRequest::Whoami(wire::Whoami {})).await? {
        AgentReply::Identified(wire::Identified { session_id, .. }) => session_id,
        _ => return Err(Failure::unexpected_reply()),
    };
    let ended = ended(session, AgentRequest::EndSession(wire::EndSession { session_id })).await?;
    if session_id == current {
        forget(session)?;
    }
    Ok(ended)
}

pub async fn end_all_sessions(session: &Session) -> Result<Outcome, Failure> {
    let ended = ended(session, AgentRequest::EndAllSessions(wire::EndAllSessions {})).await?;
    forget(session)?;
    Ok(ended)
}

async fn ended(session: &Session, request: AgentRequest) -> Result<Outcome, Failure> {
    match session.agent(request).await? {
        AgentReply::Ended(wire::Ended { sessions }) => Ok(Outcome::SessionsEnded { sessions }),
        AgentReply::Done(wire::Done { already }) => {
            Ok(Outcome::SessionsEnded { sessions: u64::from(!already) })
        }
        _ => Err(Failure::unexpected_reply()),
    }
}
