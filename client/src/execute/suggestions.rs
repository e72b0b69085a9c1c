//! "Did you mean" for areas, users and settings: asked of the service when a name was not found, which is rare, and only then.

use super::admin::user_list;
use super::areas::areas;
use super::service_settings;
use crate::command::facts::Facts;
use crate::exit::Failure;
use crate::session::Session;
use crate::suggest::did_you_mean;
use std::time::Duration;
use tokio::time::timeout;
use wire::{ErrorCode, Noun};

/// An error must not be late because of a hint.
const LIST_WAIT: Duration = Duration::from_secs(1);

/// The names in a command that may not be known.
pub struct Names(Vec<(Noun, String)>);

impl Names {
    pub fn of(facts: &Facts<'_>) -> Self {
        Self(facts.names.iter().map(|(noun, name)| (*noun, (*name).to_owned())).collect())
    }

    /// The failure with a suggestion in place of the service's hint, when there is one.
    pub async fn suggest(self, session: &Session, failure: Failure) -> Failure {
        if failure.code() != Some(ErrorCode::NotFound) {
            return failure;
        }
        let is_unknown = |(noun, name): &&(Noun, String)| failure.unknown(*noun) == Some(name.as_str());
        let Some((noun, name)) = self.0.iter().find(is_unknown) else { return failure };
        let known = match noun {
            Noun::Area => {
                timeout(LIST_WAIT, areas(session)).await.map(|listed| named(listed, |area| area.name))
            }
            Noun::User => {
                timeout(LIST_WAIT, user_list(session)).await.map(|listed| named(listed, |user| user.name))
            }
            Noun::Setting => {
                let listed = timeout(LIST_WAIT, service_settings::list(session)).await;
                listed.map(|listed| named(listed, |setting| setting.name))
            }
            _ => return failure,
        };
        let known = known.unwrap_or_default();
        match did_you_mean(name, known.iter().map(String::as_str)) {
            Some(similar) => {
                let message = format!("no {noun} {name:?}: did you mean {similar:?}?");
                Failure { message, ..failure }
            }
            None => failure,
        }
    }
}

fn named<T>(listed: Result<Vec<T>, Failure>, name: impl Fn(T) -> String) -> Vec<String> {
    listed.unwrap_or_default().into_iter().map(name).collect()
}
