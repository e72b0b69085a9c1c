//! What each command does: `Command × Session → Outcome`, data without a printed word. One file for each noun.
//!
//! `read` and `follow` show what they have on the way, because showing comes before marking as read.

pub mod accounts;
pub mod admin;
pub mod areas;
mod contexts;
mod delivery;
mod exec;
pub mod follow;
pub mod lines;
mod man;
pub mod outgoing;
pub mod posting;
pub mod reading;
pub mod servers;
pub mod service_settings;
mod status;
mod suggestions;
pub mod verify;

use crate::command::{Command, ContextCommand, SessionsAction};
use crate::complete;
use crate::exit::Failure;
use crate::outcome::Outcome;
use crate::session::Session;
use crate::stop::Stop;
use crate::topics;
use suggestions::Names;

pub async fn execute(command: Command, session: &Session, stop: &Stop) -> Result<Outcome, Failure> {
    let facts = command.facts();
    let (needs_session, stops_itself) = (facts.needs_session, facts.stops_itself);
    let names = Names::of(&facts);
    if needs_session {
        session.require_login()?;
    }
    let outcome = dispatch(command, session, stop);
    let outcome = match stops_itself {
        true => outcome.await,
        false => tokio::select! {
            outcome = outcome => outcome,
            failure = stop.raised() => Err(failure),
        },
    };
    match outcome {
        Err(failure) => Err(names.suggest(session, failure).await),
        outcome => outcome,
    }
}

async fn dispatch(command: Command, session: &Session, stop: &Stop) -> Result<Outcome, Failure> {
    match command {
        Command::Register { name, password } => accounts::register(session, name, &password).await,
        Command::Login { name, password } => accounts::login(session, name, &password).await,
        Command::Logout => accounts::logout(session).await,
        Command::Whoami => accounts::whoami(session).await,
        Command::Passwd { password_stdin } => accounts::passwd(session, password_stdin).await,
        Command::Sessions { action: Some(SessionsAction::End { session_id: Some(id), .. }), .. } => {
            accounts::end_session(session, id).await
        }
        Command::Sessions { action: Some(_), .. } | Command::Sessions { all: true, .. } => {
            accounts::end_all_sessions(session).await
        }
        Command::Sessions { .. } => accounts::sessions(session).await,
        Command::Areas => areas::areas(session).await.map(Outcome::Areas),
        Command::Subscriptions => areas::subscriptions(session).await.map(Outcome::Subscriptions),
        Command::Subscribe { area, from_start } => areas::subscribe(session, &area, from_start).await,
        Command::Unsubscribe { area } => areas::unsubscribe(session, &area).await,
        Command::Use { .. } => Err(Failure::usage(
            "`use` is for the prompt, where commands then mean that area: here name it, like `gaceta read AREA`",
        )),
        Command::Read(args) => reading::read(session, args, stop).await,
        Command::Catchup { area } => reading::catch_up(session, area).await,
        Command::Undo { area } => reading::undo(session, area).await,
        Command::Follow { areas, new, exec } => {
            follow::follow(session, areas, new, exec::Exec::new(exec), stop).await
        }
        Command::Post(args) => posting::post(session, args, stop).await,
        Command::Outbox => posting::outbox(session).await,
        Command::Delete { article } => posting::delete(session, article).await,
        Command::Verify { area } => verify::verify(session, &area).await,
        Command::Admin(command) => admin::admin(session, command, stop).await,
        Command::Status => status::status(session).await,
        Command::Context(command) => context(session, command),
        Command::Man { dir } => man::man(dir.as_deref()),
        Command::ExitCodes => Ok(Outcome::Text(format!("{}\n", topics::EXIT_CODES))),
        Command::Environment => Ok(Outcome::Text(format!("{}\n", topics::ENVIRONMENT))),
        Command::Completions { shell } => Ok(Outcome::Text(complete::script(shell))),
    }
}

fn context(session: &Session, command: ContextCommand) -> Result<Outcome, Failure> {
    match command {
        ContextCommand::Add { name } => contexts::add(session, name),
        ContextCommand::List => contexts::list(session),
        ContextCommand::Use { name } => contexts::change(session, name),
        ContextCommand::Remove { name, force } => contexts::remove(session, name, force),
    }
}
