//! What is remembered between commands: a session, whose it is, and where its service was found. One 0600 file for
//! each context, under `contexts/`.

use crate::service::files;
use crate::service::session::Identity;
use crate::settings::Settings;
use crate::values::parse_context;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::{fs, io};
use wire::{LoggedIn, Role, Token};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The agents that the session was made through.
    #[serde(default)]
    pub agents: Vec<String>,
    /// Where the one is that answered last, as IP address and port: asked first. Of a name with several addresses, this one.
    #[serde(default)]
    pub last_agent: Option<String>,
    #[serde(default)]
    pub identity: Option<Identity>,
    /// What they were the last time that the service was asked: for help only, the service decides.
    #[serde(default)]
    pub role: Option<Role>,
    /// Hexadecimal. Never shown.
    #[serde(default)]
    pub token: Option<String>,
}

impl Context {
    /// An empty one when there is none yet.
    pub fn load(settings: &Settings) -> anyhow::Result<Self> {
        let path = path(settings);
        let Some(bytes) = files::read_if_there(&path)? else { return Ok(Self::default()) };
        serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged: log in again", path.display()))
    }

    /// Reads, changes and replaces the file under a lock, so that two commands do not undo each other's change.
    pub fn update(settings: &Settings, change: impl FnOnce(&mut Self)) -> anyhow::Result<Self> {
        let path = path(settings);
        let _lock = files::lock(&path.with_extension("lock"))?;
        // A damaged file must not keep anybody from logging in again.
        let mut context = Self::load(settings).unwrap_or_default();
        let before = context.clone();
        change(&mut context);
        if context != before {
            files::replace(&path, &serde_json::to_vec_pretty(&context)?)?;
        }
        Ok(context)
    }

    /// Whether a session could be kept, asked before one is made: one that nobody holds would stay behind.
    pub fn check_writable(settings: &Settings) -> anyhow::Result<()> {
        files::check_writable(&settings.state_dir.join("contexts"))
    }

    /// Removes the file, and returns what stood in it.
    pub fn forget(settings: &Settings) -> anyhow::Result<Self> {
        let path = path(settings);
        let _lock = files::lock(&path.with_extension("lock"))?;
        let context = Self::load(settings).unwrap_or_default();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(context),
        }
    }

    /// Every context that has a file.
    pub fn names(state_dir: &Path) -> anyhow::Result<Vec<String>> {
        let dir = state_dir.join("contexts");
        let files = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            files => {
                files.with_context(|| format!("cannot read {}: check its permissions", dir.display()))?
            }
        };
        let name = |file: io::Result<fs::DirEntry>| {
            let name = file.ok()?.file_name().into_string().ok()?;
            name.strip_suffix(".json").filter(|name| parse_context(name).is_ok()).map(str::to_owned)
        };
        Ok(files.filter_map(name).collect())
    }

    pub fn token(&self) -> Option<Token> {
        self.token.as_deref().and_then(Token::from_text)
    }

    pub fn log_in(&mut self, session: &LoggedIn, agents: &[String]) {
        self.agents = agents.to_vec();
        self.identity = Some(Identity { user: session.user.clone(), service_id: session.service_id });
        self.role = Some(session.role);
        self.token = Some(session.token.to_text());
    }

    /// Forgets the session; where the service is stays known.
    pub fn log_out(&mut self) {
        self.identity = None;
        self.role = None;
        self.token = None;
    }
}

fn path(settings: &Settings) -> PathBuf {
    // Not `with_extension`: a context may have a dot in its name.
    settings.state_dir.join("contexts").join(format!("{}.json", settings.context))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use uuid::Uuid;

    #[test]
    fn a_session_is_kept_private_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::new(dir.path().join("gaceta"));
        assert_eq!(Context::load(&settings).unwrap(), Context::default());

        let session = LoggedIn {
            token: Token([7; 32]),
            session_id: 1,
            user: "Ana".into(),
            role: wire::Role::User,
            service_id: Uuid::nil(),
            already: false,
        };
        Context::update(&settings, |c| c.log_in(&session, &["a:1".into()])).unwrap();
        let loaded = Context::load(&settings).unwrap();
        assert_eq!((loaded.token(), loaded.role), (Some(Token([7; 32])), Some(wire::Role::User)));
        assert_eq!(Context::names(&settings.state_dir).unwrap(), ["default"]);
        let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(path(&settings)), 0o600);
        assert_eq!(mode(settings.state_dir.join("contexts")), 0o700);

        Context::update(&settings, Context::log_out).unwrap();
        let loaded = Context::load(&settings).unwrap();
        assert_eq!((loaded.token(), loaded.agents), (None, vec!["a:1".to_owned()]));
        Context::forget(&settings).unwrap();
        assert!(Context::names(&settings.state_dir).unwrap().is_empty());
    }
}
