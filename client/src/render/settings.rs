//! The settings of the service, as text.

use super::layout::table;
use super::sanitise;
use super::style::{Shown, Style};
use crate::outcome::SettingMoved;
use wire::{ServerSettings, SettingDetails};

pub fn list(version: i64, settings: &[SettingDetails], style: Style) -> Shown {
    let row = |setting: &SettingDetails| {
        let state = if setting.changed_at_us.is_some() { "set" } else { "" };
        [setting.name.clone(), setting.value.clone(), state.into(), setting.help.clone()]
    };
    let head = ["!SETTING", "!VALUE", "!", "WHAT"];
    let mut shown = Shown::data(table(head, settings.iter().map(row).collect(), style));
    if style.terminal.is_some() {
        shown.notes.push(format!(
            "Version {version}. `gaceta admin settings export` says what each may be; those that are not set have their defaults."
        ));
    }
    shown
}

/// The bare value: for scripts.
pub fn value(setting: &SettingDetails) -> Shown {
    Shown::data(sanitise::line(&setting.value) + "\n")
}

pub fn changed(name: &str, value: &str, is_set: bool, version: i64, already: bool) -> Shown {
    let now = if is_set { format!("{name} is {value}") } else { format!("{name} has its default, {value}") };
    Shown::note(match already {
        true => format!("{now}: it was so already."),
        false => format!("{now} (version {version}). Agents and nodes apply it within two seconds."),
    })
}

pub fn imported(settings: usize, moved: &[SettingMoved], version: i64, already: bool) -> Shown {
    let mut shown = Shown::data(moved.iter().map(moved_line).collect());
    let ending = if settings == 1 { "" } else { "s" };
    shown.notes.push(match already {
        true => format!("{settings} setting{ending}: all were so already."),
        false => format!("{} of {settings} setting{ending} changed (version {version}).", moved.len()),
    });
    shown
}

/// A file that can be edited and imported.
pub fn export(version: i64, settings: &[SettingDetails]) -> Shown {
    let mut text = format!(
        "# Settings, version {version}. To change some: edit, then gaceta admin settings import FILE\n\
         # A line that begins with # says a default; without the # it is set.\n"
    );
    for setting in settings {
        let line = |text: &str| sanitise::line(text);
        text += &format!("\n# {}: {}\n", line(&setting.help), line(&setting.allowed));
        let mark = if setting.changed_at_us.is_some() { "" } else { "# " };
        text += &format!("{mark}{} = {}\n", line(&setting.name), quoted(&line(&setting.value)));
    }
    Shown::data(text)
}

/// As TOML has it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

pub fn status(version: i64, servers: &[ServerSettings], style: Style) -> Shown {
    if servers.is_empty() {
        return Shown::note(format!(
            "The settings are at version {version}; no server has told yet what it runs."
        ));
    }
    let row = |server: &ServerSettings| {
        [
            server.kind.to_string(),
            server.address.clone(),
            server.version.map_or("-".into(), |version| version.to_string()),
            if server.version == Some(version) { String::new() } else { "behind".into() },
        ]
    };
    let mut shown =
        Shown::data(table(["!", "!ADDRESS", ">VERSION", "!"], servers.iter().map(row).collect(), style));
    let behind = servers.iter().filter(|server| server.version != Some(version)).count();
    shown.notes.push(match behind {
        0 => format!("All servers run version {version}."),
        1 => format!("The settings are at version {version}; 1 server is behind."),
        behind => format!("The settings are at version {version}; {behind} servers are behind."),
    });
    shown
}

/// What `watch` prints.
pub fn moved(version: i64, moved: &[SettingMoved]) -> Shown {
    if moved.is_empty() {
        return Shown::data(format!("version {version}\n"));
    }
    Shown::data(moved.iter().map(|one| format!("version {version}: {}", moved_line(one))).collect())
}

fn moved_line(moved: &SettingMoved) -> String {
    let line = |text: &str| sanitise::line(text);
    let default = if moved.is_set { "" } else { " (its default)" };
    format!("{} {} -> {}{default}\n", line(&moved.name), line(&moved.from), line(&moved.to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPE: Style =
        Style { json: false, terminal: None, colour: false, unicode: true, stderr_terminal: false };

    fn setting(name: &str, value: &str, is_set: bool) -> SettingDetails {
        SettingDetails {
            name: name.into(),
            value: value.into(),
            default: "open".into(),
            changed_at_us: is_set.then_some(1),
            allowed: "open or closed".into(),
            help: "what for\u{1b}[2J".into(),
        }
    }

    #[test]
    fn an_export_says_what_is_allowed_and_comments_defaults_out() {
        let text =
            export(7, &[setting("registration", "closed", true), setting("other", "a\"b", false)]).data;
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "",
                "# what for[2J: open or closed",
                "registration = \"closed\"",
                "",
                "# what for[2J: open or closed",
                "# other = \"a\\\"b\"",
            ]
        );
    }

    #[test]
    fn who_is_behind_is_said() {
        let server = |version| ServerSettings {
            kind: wire::ServerKind::Node,
            id: uuid::Uuid::nil(),
            address: "a:1".into(),
            version,
        };
        let told = status(7, &[server(Some(7)), server(Some(6)), server(None)], PIPE);
        assert_eq!(
            told.data,
            "      ADDRESS  VERSION\nnode  a:1            7\nnode  a:1            6  behind\nnode  a:1            -  behind\n"
        );
        assert_eq!(told.notes, ["The settings are at version 7; 2 servers are behind."]);
        assert_eq!(status(7, &[server(Some(7))], PIPE).notes, ["All servers run version 7."]);
    }
}
