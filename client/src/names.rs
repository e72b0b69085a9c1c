//! Names for completion: of areas, users, nodes and settings, as the service told them a moment ago, in one 0600 file for each
//! context. Commands that list them note them; [`asking`] asks for what is too old.

pub mod asking;

use crate::context::Context;
use crate::service::files;
use crate::service::session::Identity;
use crate::settings::Settings;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use wire::{AreaSummary, NodeDetails, SettingDetails, UserSummary};

/// Older names are asked again.
const AGE_MAX_S: i64 = 60;
/// Names kept of each kind: more are no help, and the file is read at each Tab.
const NAMES_MAX: usize = 2_000;
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Names {
    /// Whose they are: somebody else is subscribed elsewhere.
    #[serde(default)]
    identity: Option<Identity>,
    #[serde(default)]
    areas_at_s: i64,
    #[serde(default)]
    pub areas: Vec<AreaName>,
    #[serde(default)]
    users_at_s: i64,
    #[serde(default)]
    pub users: Vec<String>,
    #[serde(default)]
    settings_at_s: i64,
    /// Of the service's settings.
    #[serde(default)]
    pub settings: Vec<String>,
    #[serde(default)]
    nodes_at_s: i64,
    /// Their addresses.
    #[serde(default)]
    pub nodes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AreaName {
    pub name: String,
    pub subscribed: bool,
}

/// For commands that list areas anyway.
pub fn note_areas(settings: &Settings, areas: &[AreaSummary]) {
    let name = |area: &AreaSummary| AreaName { name: area.name.clone(), subscribed: area.unread.is_some() };
    let areas = areas.iter().take(NAMES_MAX).map(name).collect();
    note(settings, |names| (names.areas, names.areas_at_s) = (areas, now_s()));
}

/// For commands that list users anyway.
pub fn note_users(settings: &Settings, users: &[UserSummary]) {
    let users = users.iter().take(NAMES_MAX).map(|user| user.name.clone()).collect();
    note(settings, |names| (names.users, names.users_at_s) = (users, now_s()));
}

/// For commands that list settings anyway.
pub fn note_settings(settings: &Settings, listed: &[SettingDetails]) {
    let names = listed.iter().take(NAMES_MAX).map(|setting| setting.name.clone()).collect();
    note(settings, |names_of| (names_of.settings, names_of.settings_at_s) = (names, now_s()));
}

/// For commands that list nodes anyway.
pub fn note_nodes(settings: &Settings, nodes: &[NodeDetails]) {
    let nodes = nodes.iter().take(NAMES_MAX).map(|node| node.address.clone()).collect();
    note(settings, |names| (names.nodes, names.nodes_at_s) = (nodes, now_s()));
}

/// They have changed: the next who wants them asks.
pub fn expire(settings: &Settings) {
    if path(settings).exists() {
        note(settings, |names| (names.areas_at_s, names.users_at_s, names.nodes_at_s) = (0, 0, 0));
    }
}

fn note(settings: &Settings, change: impl FnOnce(&mut Names)) {
    if settings.token.is_some() {
        return; // a token from outside may be anybody's
    }
    let mut names = load(settings);
    let before = names.clone();
    change(&mut names);
    names.identity = identity(settings);
    if names != before
        && let Ok(bytes) = serde_json::to_vec(&names)
    {
        let _ = files::replace(&path(settings), &bytes); // nobody misses them on a full disk
    }
}

/// Empty ones when there are none, or somebody else's.
fn load(settings: &Settings) -> Names {
    let bytes = files::read_if_there(&path(settings)).ok().flatten();
    let names: Option<Names> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    names.filter(|names| names.identity == identity(settings)).unwrap_or_default()
}

fn identity(settings: &Settings) -> Option<Identity> {
    Context::load(settings).ok().and_then(|context| context.identity)
}

fn path(settings: &Settings) -> PathBuf {
    settings.state_dir.join("names").join(format!("{}.json", settings.context))
}

fn now_s() -> i64 {
    Timestamp::now().as_second()
}

fn is_fresh(at_s: i64) -> bool {
    (0..AGE_MAX_S).contains(&(now_s() - at_s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn names_are_kept_private_for_whose_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::new(dir.path().join("gaceta"));
        let log_in = |user: &str| {
            let identity = Identity { user: user.into(), service_id: uuid::Uuid::nil() };
            Context::update(&settings, |context| context.identity = Some(identity)).unwrap();
        };
        log_in("ana");
        note(&settings, |names| names.users = vec!["bob".into()]);
        assert_eq!(load(&settings).users, ["bob"]);
        assert_eq!(std::fs::metadata(path(&settings)).unwrap().permissions().mode() & 0o777, 0o600);
        log_in("bob");
        assert_eq!(load(&settings), Names::default());
        std::fs::write(path(&settings), b"damaged").unwrap();
        assert_eq!(load(&settings), Names::default());
    }
}
