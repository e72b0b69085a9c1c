//! Names for completion, asked for where those that are known are too old; and the latest articles of an area. Nobody waits for
//! any of it, and nothing is said when it fails.

use super::{AreaName, is_fresh, load};
use crate::execute::{admin, areas, servers, service_settings};
use crate::exit::Failure;
use crate::render::Output;
use crate::session::Session;
use crate::settings::Settings;
use std::time::Duration;
use wire::{Article, NodeReply, NodeRequest, ReadFrom};

/// Completion is no reason to wait.
const ASK_WAIT: Duration = Duration::from_millis(300);
/// Articles looked at: the latest, among which one's own are searched.
const ARTICLES_MAX: u32 = 100;

/// Every area, fresh if the service answers.
pub fn areas(settings: &Settings) -> Vec<AreaName> {
    let known = load(settings);
    if is_fresh(known.areas_at_s) {
        return known.areas;
    }
    let ask = async |session: &Session| areas::areas(session).await;
    asked(settings, ask).map_or(known.areas, |_| load(settings).areas)
}

/// Every user, as far as one may know them.
pub fn users(settings: &Settings) -> Vec<String> {
    let known = load(settings);
    if is_fresh(known.users_at_s) {
        return known.users;
    }
    let ask = async |session: &Session| admin::user_list(session).await;
    asked(settings, ask).map_or(known.users, |_| load(settings).users)
}

/// The names of the service's settings, as far as one may know them.
pub fn service_settings(settings: &Settings) -> Vec<String> {
    let known = load(settings);
    if is_fresh(known.settings_at_s) {
        return known.settings;
    }
    let ask = async |session: &Session| service_settings::list(session).await;
    asked(settings, ask).map_or(known.settings, |_| load(settings).settings)
}

/// The addresses of nodes, as far as one may know them.
pub fn nodes(settings: &Settings) -> Vec<String> {
    let known = load(settings);
    if is_fresh(known.nodes_at_s) {
        return known.nodes;
    }
    let ask = async |session: &Session| servers::node_list(session).await;
    asked(settings, ask).map_or(known.nodes, |_| load(settings).nodes)
}

/// The latest articles of an area, newest first, and who asks.
pub fn articles(settings: &Settings, area: &str) -> Option<(Vec<Article>, String)> {
    let area = area.to_owned();
    let ask = async move |session: &Session| {
        let me = session.identity().await?.user;
        let located = session.locate(&area).await?;
        let areas = areas::areas(session).await?;
        let found = areas.into_iter().find(|area| area.area_id == located.area.area_id);
        let last = found.map_or(0, |area| area.last_seq);
        let request = NodeRequest::Read(wire::Read {
            area_id: located.area.area_id,
            from: ReadFrom::After((last - i64::from(ARTICLES_MAX)).max(0)),
            limit: ARTICLES_MAX,
            shown: None,
        });
        match session.node(&located.nodes, request).await? {
            NodeReply::Page(page) => Ok((page.articles.into_iter().rev().collect(), me)),
            _ => Err(Failure::unexpected_reply()),
        }
    };
    asked(settings, ask)
}

/// Asks on a thread with a runtime of its own: whoever completes is no task, and may block for a moment.
fn asked<T: Send + 'static>(
    settings: &Settings,
    ask: impl AsyncFnOnce(&Session) -> Result<T, Failure> + Send + 'static,
) -> Option<T> {
    let settings = Settings { timeout: ASK_WAIT, json: false, no_input: true, ..settings.clone() };
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let answer = runtime.block_on(async {
            let session = Session::open(&settings, &Output::silent()).ok()?;
            session.require_login().ok()?;
            tokio::time::timeout(ASK_WAIT, ask(&session)).await.ok()?.ok()
        });
        runtime.shutdown_background(); // a name server may still be asked
        answer
    };
    std::thread::Builder::new().name("names".into()).spawn(work).ok()?.join().ok()?
}
