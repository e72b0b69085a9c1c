//! What the prompt knows of who is logged in and what is unread. Asked before each line, within a moment; the watcher
//! keeps it meanwhile.

use crate::context::Context;
use crate::execute::areas;
use crate::exit::Failure;
use crate::render::Output;
use crate::session::Session;
use crate::settings::Settings;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wire::{AreaId, SubscriptionSummary};

/// A line may be this late for the sake of its count; then it comes without one.
pub const COUNT_WAIT: Duration = Duration::from_millis(300);

#[derive(Clone, Default)]
pub struct News(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    who: Option<Who>,
    /// `None` when the service could not be asked.
    subscriptions: Option<Vec<SubscriptionSummary>>,
}

/// Whose prompt it is: an area in use is forgotten when this changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    pub context: String,
    pub user: String,
}

impl News {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // every change of it is one assignment
    }

    /// Asks the service, for at most `wait`.
    pub async fn refresh(&self, settings: &Settings, wait: Duration) -> Result<(), Failure> {
        let settings = Settings { timeout: wait, json: false, no_input: true, ..settings.clone() };
        let known = match settings.token {
            Some(_) => None,
            None => Context::load(&settings).unwrap_or_default().identity,
        };
        let who = known.map(|identity| Who { context: settings.context.clone(), user: identity.user });
        let is_somebody = who.is_some() || settings.token.is_some();
        if who.is_some() || !is_somebody {
            self.state().who = who; // also when the service does not answer
        }
        let asked = async {
            let session = Session::open(&settings, &Output::silent())?;
            let user = session.identity().await?.user;
            let subscriptions = areas::subscriptions(&session).await?;
            Ok::<_, Failure>((Who { context: settings.context.clone(), user }, subscriptions))
        };
        let asked = if is_somebody { asked.await.map(Some) } else { Ok(None) };
        let mut state = self.state();
        state.subscriptions = None;
        if let Some((who, subscriptions)) = asked? {
            state.who = Some(who);
            state.subscriptions = Some(subscriptions);
        }
        Ok(())
    }

    pub fn who(&self) -> Option<Who> {
        self.state().who.clone()
    }

    /// Unread in one area, or in all subscribed ones. `None` when that is not known.
    pub fn unread(&self, area: Option<AreaId>) -> Option<i64> {
        let state = self.state();
        let subscriptions = state.subscriptions.as_ref()?.iter();
        let wanted = |subscription: &&SubscriptionSummary| area.is_none_or(|id| id == subscription.area_id);
        Some(subscriptions.filter(wanted).map(|subscription| subscription.unread).sum())
    }
}
