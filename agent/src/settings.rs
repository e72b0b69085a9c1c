//! Settings: listed, changed, watched. Every process applies them by itself (`db::settings::live`).

use crate::agent::Agent;
use db::settings::{self, Change};
use server::{Caller, Failure};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use wire::limits::FOLLOW_WAIT_MS_MAX;
use wire::{AgentReply, ErrorCode, ErrorReply, ServerKind, ServerSettings, SettingChange, SettingDetails};

pub async fn list(
    agent: &Agent,
    caller: &Caller,
    request: wire::SettingsList,
) -> Result<AgentReply, Failure> {
    let wire::SettingsList {} = request;
    let (version, settings) = settings::list(&agent.db, &caller.token_hash()?).await?;
    let settings = settings.into_iter().map(|setting| {
        let settings::Details { name, value, default, changed_at_us, allowed, help } = setting;
        SettingDetails { name: name.into(), value, default, changed_at_us, allowed, help: help.into() }
    });
    Ok(AgentReply::SettingsListed(wire::SettingsListed { version, settings: settings.collect() }))
}

pub async fn change(
    agent: &Agent,
    caller: &Caller,
    request: wire::SettingsChange,
) -> Result<AgentReply, Failure> {
    let wire::SettingsChange { changes, expected_version } = request;
    let changes: Vec<Change> =
        changes.into_iter().map(|SettingChange { name, value }| Change { name, value }).collect();
    let changed = settings::change(&agent.db, &caller.token_hash()?, &changes, expected_version).await?;
    Ok(AgentReply::SettingsChanged(wire::SettingsChanged {
        version: changed.version,
        already: changed.already,
    }))
}

pub async fn status(
    agent: &Agent,
    caller: &Caller,
    request: wire::SettingsStatus,
) -> Result<AgentReply, Failure> {
    let wire::SettingsStatus {} = request;
    let (version, servers) = settings::status(&agent.db, &caller.token_hash()?).await?;
    let servers = servers.into_iter().map(|server| {
        let settings::Server { is_agent, id, address, version } = server;
        let kind = if is_agent { ServerKind::Agent } else { ServerKind::Node };
        ServerSettings { kind, id, address, version }
    });
    Ok(AgentReply::SettingsStatusListed(wire::SettingsStatusListed { version, servers: servers.collect() }))
}

/// Long poll. Each answer, also the one at the end of the wait, asks for the role and the session anew.
pub async fn watch(
    agent: &Agent,
    caller: &Caller,
    request: wire::SettingsWatch,
) -> Result<AgentReply, Failure> {
    let wire::SettingsWatch { version, wait_ms } = request;
    let deadline = Instant::now() + Duration::from_millis(wait_ms.min(FOLLOW_WAIT_MS_MAX).into());
    loop {
        // Before the look, or a change between the two would be missed. What this agent runs may be older than what is listed, or
        // than what another agent told: then the next version is looked at, and waited on.
        let runs = agent.live.version().unwrap_or(version);
        let now = list(agent, caller, wire::SettingsList {}).await?;
        let is_news = matches!(&now, AgentReply::SettingsListed(wire::SettingsListed { version: found, .. }) if *found != version);
        if is_news || Instant::now() >= deadline {
            return Ok(now);
        }
        tokio::select! {
            _ = timeout_at(deadline, agent.live.changed_from(runs)) => {}
            () = agent.stopping.cancelled() => {
                let text = "this agent is leaving: ask another one";
                return Err(ErrorReply::new(ErrorCode::Draining, text).into());
            }
        }
    }
}
