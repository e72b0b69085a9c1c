//! Settings: listed, changed, watched. Every process applies them by itself (`db::settings::live`).

use crate::Agent;
use db::settings::{self, Change};
use server::{Failure, token_hash};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use wire::limits::FOLLOW_WAIT_MS_MAX;
use wire::{
    AgentReply, ErrorCode, ErrorReply, ServerKind, ServerSettings, SettingChange, SettingDetails, Token,
};

pub async fn list(agent: &Agent, token: Option<Token>) -> Result<AgentReply, Failure> {
    let (version, settings) = settings::list(&agent.db, &token_hash(token)?).await?;
    let settings = settings.into_iter().map(|setting| SettingDetails {
        name: setting.name.into(),
        value: setting.value,
        default: setting.default,
        changed_at_us: setting.changed_at_us,
        allowed: setting.allowed,
        help: setting.help.into(),
    });
    Ok(AgentReply::Settings { version, settings: settings.collect() })
}

pub async fn change(
    agent: &Agent,
    token: Option<Token>,
    changes: Vec<SettingChange>,
    expected_version: Option<i64>,
) -> Result<AgentReply, Failure> {
    let changes: Vec<Change> =
        changes.into_iter().map(|change| Change { name: change.name, value: change.value }).collect();
    let changed = settings::change(&agent.db, &token_hash(token)?, &changes, expected_version).await?;
    Ok(AgentReply::SettingsChanged { version: changed.version, already: changed.already })
}

pub async fn status(agent: &Agent, token: Option<Token>) -> Result<AgentReply, Failure> {
    let (version, servers) = settings::status(&agent.db, &token_hash(token)?).await?;
    let servers = servers.into_iter().map(|server| ServerSettings {
        kind: if server.is_agent { ServerKind::Agent } else { ServerKind::Node },
        id: server.id,
        address: server.address,
        version: server.version,
    });
    Ok(AgentReply::SettingsStatus { version, servers: servers.collect() })
}

/// Long poll. Each answer, also the one at the end of the wait, asks for the role and the session anew.
pub async fn watch(
    agent: &Agent,
    token: Option<Token>,
    version: i64,
    wait_ms: u32,
) -> Result<AgentReply, Failure> {
    let deadline = Instant::now() + Duration::from_millis(wait_ms.min(FOLLOW_WAIT_MS_MAX).into());
    loop {
        // Before the look, or a change between the two would be missed. What this agent runs may be older than what is listed, or
        // than what another agent told: then the next version is looked at, and waited on.
        let runs = agent.live.version().unwrap_or(version);
        let now = list(agent, token).await?;
        let is_news = matches!(&now, AgentReply::Settings { version: found, .. } if *found != version);
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
