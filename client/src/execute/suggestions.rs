//! "Did you mean" for areas, users and settings: asked of the service when a name was not found, which is rare, and only then.

use super::admin::user_list;
use super::areas::areas;
use super::service_settings;
use crate::command::{AdminArea, AdminArticle, AdminCommand, AdminSettings, AdminUser, Command};
use crate::exit::Failure;
use crate::session::Session;
use crate::suggest::did_you_mean;
use std::time::Duration;
use tokio::time::timeout;
use wire::{ErrorCode, Noun};

/// An error must not be late because of a hint.
const LIST_WAIT: Duration = Duration::from_secs(1);

/// The names in a command that may not be known.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    areas: Vec<String>,
    users: Vec<String>,
    settings: Vec<String>,
}

impl Names {
    pub fn of(command: &Command) -> Self {
        let areas = |areas: &[String]| Self { areas: areas.to_vec(), ..Self::default() };
        let area = |area: &str| areas(&[area.to_owned()]);
        let user = |user: &str| Self { users: vec![user.to_owned()], ..Self::default() };
        match command {
            Command::Subscribe { area: name, .. }
            | Command::Unsubscribe { area: name }
            | Command::Verify { area: name } => area(name),
            Command::Read(args) => areas(args.area.as_slice()),
            Command::Catchup { area } | Command::Undo { area } => areas(area.as_slice()),
            Command::Follow { areas: names, .. } => areas(names),
            Command::Post(args) => args.area().map(area).unwrap_or_default(),
            Command::Delete { article } => area(&article.area),
            Command::Admin(AdminCommand::Article(AdminArticle::Rm { article })) => area(&article.area),
            Command::Admin(AdminCommand::Area(AdminArea::Set { name, .. } | AdminArea::Rm { name, .. })) => {
                area(name)
            }
            Command::Admin(AdminCommand::User(
                AdminUser::Passwd { name, .. }
                | AdminUser::Role { name, .. }
                | AdminUser::Disable { name }
                | AdminUser::Enable { name }
                | AdminUser::Sessions { name },
            )) => user(name),
            Command::Admin(AdminCommand::Settings(
                AdminSettings::Get { name } | AdminSettings::Set { name, .. } | AdminSettings::Unset { name },
            )) => Self { settings: vec![name.clone()], ..Self::default() },
            _ => Self::default(),
        }
    }

    /// The failure with a suggestion in place of the service's hint, when there is one.
    pub async fn suggest(self, session: &Session, failure: Failure) -> Failure {
        if failure.code() != Some(ErrorCode::NotFound) {
            return failure;
        }
        let is_named = |names: &[String], name: &str| names.iter().any(|named| named == name);
        let unknown = |noun, names: &[String]| {
            failure.unknown(noun).filter(|name| is_named(names, name)).map(str::to_owned)
        };
        let (noun, name, known) = if let Some(name) = unknown(Noun::Area, &self.areas) {
            let listed = timeout(LIST_WAIT, areas(session)).await;
            ("area", name, listed.map(|areas| areas.map(|areas| areas.into_iter().map(|a| a.name).collect())))
        } else if let Some(name) = unknown(Noun::User, &self.users) {
            let listed = timeout(LIST_WAIT, user_list(session)).await;
            ("user", name, listed.map(|users| users.map(|users| users.into_iter().map(|u| u.name).collect())))
        } else if let Some(name) = unknown(Noun::Setting, &self.settings) {
            let listed = timeout(LIST_WAIT, service_settings::list(session)).await;
            ("setting", name, listed.map(|all| all.map(|all| all.into_iter().map(|s| s.name).collect())))
        } else {
            return failure;
        };
        let known: Vec<String> = known.ok().and_then(Result::ok).unwrap_or_default();
        match did_you_mean(&name, known.iter().map(String::as_str)) {
            Some(similar) => {
                let message = format!("no {noun} {name:?}: did you mean {similar:?}?");
                Failure { message, ..failure }
            }
            None => failure,
        }
    }
}
