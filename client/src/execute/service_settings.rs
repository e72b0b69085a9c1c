//! The settings of the service: listed, changed, imported, watched. What values are allowed only the service knows.

use crate::command::AdminSettings;
use crate::exit::{Failure, Kind};
use crate::import::{self, Line};
use crate::names;
use crate::outcome::{Outcome, SettingMoved};
use crate::pager;
use crate::service::poll::{AnyAgent, Poll};
use crate::session::Session;
use crate::stop::Stop;
use crate::suggest::did_you_mean;
use wire::{
    AdminRequest, AgentReply, AgentRequest, ErrorCode, Noun, ReplyBody, RequestBody, SettingChange,
    SettingDetails, Subject,
};

pub async fn settings(session: &Session, command: AdminSettings, stop: &Stop) -> Result<Outcome, Failure> {
    match command {
        AdminSettings::List => {
            let (version, settings) = list_all(session).await?;
            Ok(Outcome::Settings { version, settings })
        }
        AdminSettings::Get { name } => get(session, &name).await.map(Outcome::Setting),
        AdminSettings::Set { name, value } => change_one(session, name, Some(value)).await,
        AdminSettings::Unset { name } => change_one(session, name, None).await,
        AdminSettings::Import { file } => import(session, &file).await,
        AdminSettings::Export => {
            let (version, settings) = list_all(session).await?;
            Ok(Outcome::SettingsExport { version, settings })
        }
        AdminSettings::Status => {
            match session.agent(admin(AdminRequest::SettingsStatus(wire::SettingsStatus {}))).await? {
                AgentReply::SettingsStatusListed(wire::SettingsStatusListed { version, servers }) => {
                    Ok(Outcome::SettingsStatus { version, servers })
                }
                _ => Err(Failure::unexpected_reply()),
            }
        }
        AdminSettings::Watch => watch(session, stop).await,
    }
}

fn admin(request: AdminRequest) -> AgentRequest {
    AgentRequest::Admin(request)
}

/// Every setting, in the service's order.
pub async fn list(session: &Session) -> Result<Vec<SettingDetails>, Failure> {
    list_all(session).await.map(|(_, settings)| settings)
}

async fn list_all(session: &Session) -> Result<(i64, Vec<SettingDetails>), Failure> {
    match session.agent(admin(AdminRequest::SettingsList(wire::SettingsList {}))).await? {
        AgentReply::SettingsListed(wire::SettingsListed { version, settings }) => {
            names::note_settings(&session.settings, &settings);
            Ok((version, settings))
        }
        _ => Err(Failure::unexpected_reply()),
    }
}

async fn get(session: &Session, name: &str) -> Result<SettingDetails, Failure> {
    let settings = list(session).await?;
    let found = settings.into_iter().find(|setting| setting.name == name);
    found.ok_or_else(|| {
        let text = format!("no setting {name:?}: `gaceta admin settings list` lists them");
        let subject =
            Subject { noun: Noun::Setting, name: name.into(), is_unknown: true, message: String::new() };
        Failure { subjects: vec![subject], ..Failure::service(ErrorCode::NotFound, text) }
    })
}

async fn change(session: &Session, changes: Vec<SettingChange>) -> Result<(i64, bool), Failure> {
    let request = AdminRequest::SettingsChange(wire::SettingsChange { changes, expected_version: None });
    match session.agent(admin(request)).await? {
        AgentReply::SettingsChanged(wire::SettingsChanged { version, already }) => Ok((version, already)),
        _ => Err(Failure::unexpected_reply()),
    }
}

async fn change_one(session: &Session, name: String, value: Option<String>) -> Result<Outcome, Failure> {
    let is_set = value.is_some();
    let (version, already) = change(session, vec![SettingChange { name: name.clone(), value }]).await?;
    // The value as the service writes it.
    let value = get(session, &name).await?.value;
    Ok(Outcome::SettingChanged { name, value, is_set, version, already })
}

async fn import(session: &Session, file: &str) -> Result<Outcome, Failure> {
    let lines = import::read(file).await?;
    let (_, before) = list_all(session).await?;
    let changes =
        lines.iter().map(|line| SettingChange { name: line.name.clone(), value: Some(line.value.clone()) });
    let changed = change(session, changes.collect()).await;
    let (version, already) = changed.map_err(|failure| with_lines(failure, file, &lines, &before))?;
    let (_, after) = list_all(session).await?;
    let imported = after.into_iter().filter(|setting| lines.iter().any(|line| line.name == setting.name));
    let moved = moved(&before, &imported.collect::<Vec<_>>());
    Ok(Outcome::SettingsImported { settings: lines.len(), moved, version, already })
}

/// What the service reports of each wrong setting, with the line where it stands.
fn with_lines(failure: Failure, file: &str, lines: &[Line], known: &[SettingDetails]) -> Failure {
    let is_setting = |subject: &&Subject| subject.noun == Noun::Setting;
    let subjects: Vec<&Subject> = failure.subjects.iter().filter(is_setting).collect();
    if subjects.is_empty() {
        return failure;
    }
    let file = if file == "-" { "standard input" } else { file };
    let mut reports: Vec<(usize, String)> = subjects
        .into_iter()
        .map(|Subject { noun: _, name, is_unknown, message }| {
            let names = known.iter().map(|setting| setting.name.as_str());
            let text = match did_you_mean(name, names).filter(|_| *is_unknown) {
                Some(similar) => format!("no setting {name:?}: did you mean {similar:?}?"),
                None => message.clone(),
            };
            match lines.iter().find(|line| line.name == *name) {
                Some(line) => (line.number, format!("{file}, line {}: {text}", line.number)),
                None => (usize::MAX, text),
            }
        })
        .collect();
    reports.sort();
    let mut texts: Vec<String> = reports.into_iter().map(|(_, text)| text).collect();
    texts.push("nothing was changed".into());
    Failure { message: texts.join("\n"), ..failure }
}

/// What is otherwise in `after`, or set there and not before.
fn moved(before: &[SettingDetails], after: &[SettingDetails]) -> Vec<SettingMoved> {
    let of = |setting: &SettingDetails| before.iter().find(|old| old.name == setting.name).cloned();
    after
        .iter()
        .filter_map(|setting| {
            let old = of(setting)?;
            let is_set = setting.changed_at_us.is_some();
            let is_moved = old.value != setting.value || old.changed_at_us.is_some() != is_set;
            is_moved.then(|| SettingMoved {
                name: setting.name.clone(),
                from: old.value,
                to: setting.value.clone(),
                is_set,
            })
        })
        .collect()
}

/// One long poll after the other, at any agent. Never returns but for a failure that waiting does not cure.
async fn watch(session: &Session, stop: &Stop) -> Result<Outcome, Failure> {
    let (mut version, mut known) = tokio::select! {
        listed = list_all(session) => listed?,
        failure = stop.raised() => return Err(failure),
    };
    session
        .output
        .note(&format!("The settings are at version {version}. Waiting for changes; Ctrl-C ends it."));
    let mut poll = Poll::new(&session.service, AnyAgent(&session.service));
    let listed = |reply| match reply {
        ReplyBody::Agent(AgentReply::SettingsListed(wire::SettingsListed { version, settings })) => {
            Some((version, settings))
        }
        _ => None,
    };
    loop {
        let ask = |wait_ms| {
            RequestBody::Agent(admin(AdminRequest::SettingsWatch(wire::SettingsWatch { version, wait_ms })))
        };
        let (now, settings) = tokio::select! {
            answer = poll.answer(ask, listed) => answer?,
            failure = stop.raised() => return Err(failure),
        };
        if now == version {
            continue;
        }
        let told = Outcome::SettingsMoved { version: now, moved: moved(&known, &settings) };
        (version, known) = (now, settings);
        if let Some(failure) = pager::show_at_once(&session.output, told, stop).await? {
            return Err(failure);
        }
    }
}

/// For what is wrong with a file itself.
impl From<import::Wrong> for Failure {
    fn from(wrong: import::Wrong) -> Self {
        match wrong {
            import::Wrong::Unreadable(text) => Self::new(Kind::Local, text),
            import::Wrong::Written(text) => Self::invalid(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str, changed_at_us: Option<i64>) -> SettingDetails {
        SettingDetails {
            name: name.into(),
            value: value.into(),
            default: "1".into(),
            changed_at_us,
            allowed: String::new(),
            help: String::new(),
        }
    }

    #[test]
    fn what_is_wrong_in_a_file_is_told_with_its_lines_in_their_order() {
        let line = |number, name: &str| Line { number, name: name.into(), value: "x".into() };
        let lines = [line(2, "lease_ttl_ms"), line(4, "check"), line(5, "keep_cuont")];
        let known = [setting("keep_count", "1", None), setting("check", "1", None)];
        let subject = |name: &str, is_unknown, message: &str| Subject {
            noun: Noun::Setting,
            name: name.into(),
            is_unknown,
            message: message.into(),
        };
        let subjects = vec![
            subject("keep_cuont", true, "no setting \"keep_cuont\": `admin settings list` lists them"),
            subject("lease_ttl_ms", false, "lease_ttl_ms must be 3s to 1m, not x"),
            subject("checkers", false, "checkers are not in this file"),
        ];
        let failure = Failure { subjects, ..Failure::invalid("what the service says") };
        let told = with_lines(failure, "s.toml", &lines, &known).message;
        let expected = [
            "s.toml, line 2: lease_ttl_ms must be 3s to 1m, not x",
            "s.toml, line 5: no setting \"keep_cuont\": did you mean \"keep_count\"?",
            "checkers are not in this file",
            "nothing was changed",
        ];
        assert_eq!(told.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn setting_something_to_its_default_is_a_change_too() {
        let before = [setting("a", "1", None), setting("b", "1", None), setting("c", "1", None)];
        let after = [setting("a", "1", Some(1)), setting("b", "2", Some(1)), setting("c", "1", None)];
        let names: Vec<String> = moved(&before, &after).into_iter().map(|moved| moved.name).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
