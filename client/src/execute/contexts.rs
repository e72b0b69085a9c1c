//! Contexts: names for services, each with a session of its own. Nothing here asks a service.

use crate::config::{self, Config};
use crate::context::Context;
use crate::exit::Failure;
use crate::outcome::{ContextSummary, Outcome};
use crate::session::Session;
use crate::settings::{AGENT_DEFAULT, CONTEXT_DEFAULT, Settings};
use crate::suggest::did_you_mean;
use std::collections::BTreeSet;
use std::path::Path;
use wire::ErrorCode;

pub fn add(session: &Session, name: String) -> Result<Outcome, Failure> {
    let settings = &session.settings;
    let Some(agents) = settings.agents.clone().filter(|agents| !agents.is_empty()) else {
        let why = format!("say where the service is: `gaceta context add {name} --agents HOST:PORT,…`");
        return Err(Failure::usage(why));
    };
    let before = Config::load(file(settings)?)?.agents(&name).to_vec();
    if before == agents {
        return Ok(Outcome::ContextAdded { name, agents, already: true });
    }
    if !before.is_empty() {
        // Its session would be shown to other servers.
        let why = format!(
            "the context {name} has other agents ({}): `gaceta context remove {name}` first, or change {}",
            before.join(","),
            file(settings)?.display()
        );
        return Err(Failure::service(ErrorCode::Conflict, why));
    }
    edit(settings, |document| config::set_agents(document, &name, &agents))?;
    Ok(Outcome::ContextAdded { name, agents, already: false })
}

pub fn list(session: &Session) -> Result<Outcome, Failure> {
    let settings = &session.settings;
    let config = settings.config()?;
    let summary = |name: String| {
        // A file that cannot be read belongs to a session that cannot be used.
        let context = Context::load(&settings.with_context(&name)).unwrap_or_default();
        let written = config.agents(&name).to_vec();
        let agents = [written, context.agents, vec![AGENT_DEFAULT.to_owned()]];
        let agents = agents.into_iter().find(|agents| !agents.is_empty()).unwrap_or_default();
        let user = context.identity.map(|identity| identity.user);
        ContextSummary { current: name == settings.context, name, agents, user }
    };
    let mut names = known(settings)?;
    names.insert(settings.context.clone());
    Ok(Outcome::Contexts(names.into_iter().map(summary).collect()))
}

pub fn change(session: &Session, name: String) -> Result<Outcome, Failure> {
    let settings = &session.settings;
    check_known(settings, &name)?;
    let already = settings.config()?.context.as_deref().unwrap_or(CONTEXT_DEFAULT) == name;
    edit(settings, |document| config::set_current(document, Some(&name)))?;
    if settings.context_is_given && settings.context != name {
        session.output.note(&format!(
            "--context or GACETA_CONTEXT goes before this: as long as it is set, {} is used.",
            settings.context
        ));
    }
    Ok(Outcome::ContextUsed { name, already })
}

pub fn remove(session: &Session, name: String, force: bool) -> Result<Outcome, Failure> {
    let settings = &session.settings;
    check_known(settings, &name)?;
    let is_current = settings.context == name || settings.config()?.context.as_deref() == Some(&name);
    if is_current && !force {
        let why = format!(
            "{name} is the current context: `gaceta context use` another one first, or remove it with --force"
        );
        return Err(Failure::service(ErrorCode::Conflict, why));
    }
    edit(settings, |document| {
        config::remove(document, &name);
        if document.get("context").and_then(|current| current.as_str()) == Some(&name) {
            config::set_current(document, None);
        }
    })?;
    let forgotten = Context::forget(&settings.with_context(&name))?;
    Ok(Outcome::ContextRemoved { name, user: forgotten.identity.map(|identity| identity.user) })
}

fn check_known(settings: &Settings, name: &str) -> Result<(), Failure> {
    let known = known(settings)?;
    if known.contains(name) {
        return Ok(());
    }
    let hint = match did_you_mean(name, known.iter().map(String::as_str)) {
        Some(similar) => format!("did you mean {similar:?}?"),
        None => "`gaceta context list` shows them, `gaceta context add` makes one".into(),
    };
    Err(Failure::service(ErrorCode::NotFound, format!("no context {name:?}: {hint}")))
}

/// Those that are written down, those with a session, and the one that is always there.
fn known(settings: &Settings) -> Result<BTreeSet<String>, Failure> {
    let mut names: BTreeSet<String> = settings.config()?.contexts.into_keys().collect();
    names.extend(Context::names(&settings.state_dir)?);
    names.insert(CONTEXT_DEFAULT.to_owned());
    Ok(names)
}

fn edit(settings: &Settings, change: impl FnOnce(&mut toml_edit::DocumentMut)) -> Result<(), Failure> {
    // The lock is not beside the file: that directory is the person's.
    config::edit(file(settings)?, &settings.state_dir.join("config.lock"), change)
}

fn file(settings: &Settings) -> Result<&Path, Failure> {
    settings.config_path.as_deref().ok_or_else(|| {
        Failure::usage("this prompt belongs to one service: contexts are for the program `gaceta`")
    })
}
