//! What the prompt knows of who is logged in and what is unread. Asked before each line, within a moment; the watcher
//! asks meanwhile.

use crate::context::Context;
use crate::execute::areas;
use crate::exit::Failure;
use crate::render::Output;
use crate::session::Session;
use crate::settings::Settings;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use wire::{AreaId, Seq, SubscriptionSummary};

/// A line may be this late for the sake of its count; then it comes without one.
pub const COUNT_WAIT: Duration = Duration::from_millis(300);

#[derive(Clone, Default)]
pub struct News(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    who: Option<Who>,
    /// `None` when the service could not be asked.
    subscriptions: Option<Vec<SubscriptionSummary>>,
    asked_at: Option<Instant>,
    /// How far each subscribed area was looked at for what to announce: at first, what was there already.
    seen: HashMap<AreaId, Seq>,
    /// Two may ask at the same time: what was asked earlier does not replace what was asked later.
    asked: u64,
    answered: u64,
}

/// Whose prompt it is: an area in use is forgotten when this changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    pub context: String,
    pub user: String,
}

impl News {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner) // whatever was half done is asked again
    }

    /// Asks the service, for at most `wait`.
    pub async fn refresh(&self, settings: &Settings, wait: Duration) -> Result<(), Failure> {
        let settings = Settings { timeout: wait, json: false, no_input: true, ..settings.clone() };
        let number = {
            let mut state = self.state();
            state.asked += 1;
            state.asked
        };
        let known = match settings.token {
            Some(_) => None, // a token from outside may be anybody's
            None => Context::load(&settings).unwrap_or_default().identity,
        };
        if settings.token.is_none() && known.is_none() {
            self.answered(number, None, Some(Vec::new()));
            return Ok(());
        }
        let context = settings.context.clone();
        let asked = async {
            let session = Session::open(&settings, &Output::silent())?;
            let user = session.identity().await?.user;
            Ok::<_, Failure>((user, areas::subscriptions(&session).await?))
        };
        match asked.await {
            Ok((user, subscriptions)) => {
                self.answered(number, Some(Who { context, user }), Some(subscriptions));
                Ok(())
            }
            Err(failure) => {
                let who = known.map(|identity| Who { context, user: identity.user });
                let who = who.or_else(|| self.who().filter(|_| settings.token.is_some()));
                self.answered(number, who, None);
                Err(failure)
            }
        }
    }

    fn answered(&self, number: u64, who: Option<Who>, subscriptions: Option<Vec<SubscriptionSummary>>) {
        let mut state = self.state();
        if number < state.answered {
            return;
        }
        state.answered = number;
        let is_other = state.who != who;
        state.who = who;
        if is_other {
            state.seen.clear();
        }
        if let Some(subscriptions) = &subscriptions {
            state.asked_at = Some(Instant::now());
            let before = state.seen.len();
            let is_there = |area_id: &AreaId| subscriptions.iter().any(|one| one.area_id == *area_id);
            state.seen.retain(|area_id, _| is_there(area_id));
            // Known again is as good as new: the watcher may be pausing after a refusal.
            let mut is_other = is_other || state.subscriptions.is_none() || state.seen.len() != before;
            for subscription in subscriptions {
                let new = !state.seen.contains_key(&subscription.area_id);
                is_other |= new;
                state.seen.entry(subscription.area_id).or_insert(subscription.last_seq);
            }
            if is_other {
                self.0.changed.notify_one();
            }
        }
        state.subscriptions = subscriptions;
    }

    /// Has the watcher ask again, which has more time for it.
    pub fn wake_watcher(&self) {
        self.0.changed.notify_one();
    }

    /// Waits until somebody else is logged in, other areas are subscribed, or the watcher is woken.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    pub fn who(&self) -> Option<Who> {
        self.state().who.clone()
    }

    /// How old the answer of the service is; `None` when there is none.
    pub fn age(&self) -> Option<Duration> {
        let state = self.state();
        state.subscriptions.as_ref()?;
        state.asked_at.map(|at| at.elapsed())
    }

    /// Unread in one area, or in all subscribed ones. `None` when that is not known.
    pub fn unread(&self, area: Option<AreaId>) -> Option<i64> {
        let state = self.state();
        let subscriptions = state.subscriptions.as_ref()?.iter();
        let wanted = |subscription: &&SubscriptionSummary| area.is_none_or(|id| id == subscription.area_id);
        Some(subscriptions.filter(wanted).map(|subscription| subscription.unread).sum())
    }

    /// The subscribed areas, with how far each was looked at.
    pub fn places(&self) -> Vec<(AreaId, String, Seq)> {
        let state = self.state();
        let place = |one: &SubscriptionSummary| {
            let seen = state.seen.get(&one.area_id).copied().unwrap_or(one.last_seq);
            (one.area_id, one.name.clone(), seen)
        };
        state.subscriptions.iter().flatten().map(place).collect()
    }

    pub fn was_seen(&self, area_id: AreaId, upto: Seq) {
        if let Some(seen) = self.state().seen.get_mut(&area_id) {
            *seen = (*seen).max(upto);
        }
    }

    /// Whether somebody may still want to hear of an article: not read, and the area still subscribed, as far as known.
    pub fn is_news(&self, area_id: AreaId, seq: Seq) -> bool {
        let state = self.state();
        let Some(subscriptions) = &state.subscriptions else { return true };
        subscriptions.iter().any(|one| one.area_id == area_id && one.cursor < seq)
    }
}
