//! What somebody may do, on one screen: `help` at the prompt, and the hints beside a line. The definition of the commands
//! is in [`crate::command`]; a test holds that each of them stands here once.

use wire::Role;

/// For whom a command is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    Anyone,
    Strangers,
    Users,
    Admins,
}

/// One line of the page: short enough for 80 columns.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub group: &'static str,
    whom: For,
    /// The commands that it tells of.
    pub commands: &'static [&'static str],
    /// What follows the command.
    pub args: &'static str,
    pub what: &'static str,
    /// What follows, for example; `{}` stands for an area's name. Empty where nothing has to.
    example: &'static str,
}

/// The group of what only administrators do.
pub const ADMINISTRATION: &str = "Manage";
/// For examples, where nothing is subscribed or its name is long.
const AREA_DEFAULT: &str = "news";
const AREA_CHARS_MAX: usize = 10;

/// Those who have this role (`None`: who are not logged in).
pub fn entries(role: Option<Role>) -> impl Iterator<Item = &'static Entry> {
    ENTRIES.iter().filter(move |entry| match entry.whom {
        For::Anyone => true,
        For::Strangers => role.is_none(),
        For::Users => role.is_some(),
        For::Admins => role == Some(Role::Admin),
    })
}

/// What follows a command, for somebody who has just typed it.
pub fn args(command: &str) -> Option<&'static str> {
    ENTRIES.iter().find(|entry| entry.commands.contains(&command)).map(|entry| entry.args)
}

impl Entry {
    pub fn usage(&self) -> String {
        // A command's own subcommands stand among its arguments.
        let longer = |command: &&str| {
            self.commands.first().is_some_and(|first| command.starts_with(&format!("{first} ")))
        };
        let commands: Vec<&str> = self.commands.iter().copied().filter(|command| !longer(command)).collect();
        let mut usage = commands.join("|");
        // `context add|list`: what they have in common is said once.
        if let [first, others @ ..] = &commands[..]
            && let Some((common, _)) = first.rsplit_once(' ')
        {
            let last = |command: &&str| command.rsplit(' ').next().unwrap_or_default().to_owned();
            let words: Vec<String> = std::iter::once(first).chain(others).map(last).collect();
            usage = format!("{common} {}", words.join("|"));
        }
        format!("{usage} {}", self.args).trim_end().to_owned()
    }

    pub fn example(&self, area: Option<&str>) -> String {
        let area = area.filter(|area| area.chars().count() <= AREA_CHARS_MAX).unwrap_or(AREA_DEFAULT);
        match (self.example, self.commands) {
            (_, []) => String::new(),
            ("", [first, ..]) => (*first).to_owned(),
            (example, [first, ..]) => format!("{first} {}", example.replace("{}", area)),
        }
    }
}

const fn entry(
    group: &'static str,
    whom: For,
    commands: &'static [&'static str],
    args: &'static str,
    what: &'static str,
    example: &'static str,
) -> Entry {
    Entry { group, whom, commands, args, what, example }
}

use For::{Admins, Anyone, Strangers, Users};

#[rustfmt::skip] // a table
const ENTRIES: &[Entry] = &[
    entry("Reading", Users, &["read"], "[AREA]", "what is unread", "{}"),
    entry("Reading", Users, &["follow"], "[AREA…] [--new]", "news as it comes", "{}"),
    entry("Reading", Users, &["catchup"], "[AREA]", "mark all as read", "{}"),
    entry("Reading", Users, &["undo"], "[AREA]", "take that back", "{}"),
    entry("Reading", Users, &["verify"], "AREA", "nothing missing?", "{}"),
    entry("Posting", Users, &["post"], "AREA [TEXT…]", "post an article", "{} Hi"),
    entry("Posting", Users, &["delete"], "AREA#SEQ", "delete your own", "{}#12"),
    entry("Posting", Users, &["outbox"], "", "what waits", ""),
    entry("Areas", Users, &["areas"], "", "every area", ""),
    entry("Areas", Users, &["subscriptions"], "", "yours, and unread", ""),
    entry("Areas", Users, &["subscribe"], "AREA [--from-start]", "get its news", "{}"),
    entry("Areas", Users, &["unsubscribe"], "AREA", "no longer", "{}"),
    entry("Areas", Users, &["use"], "[AREA]", "stay in it", "{}"),
    entry("Account", Strangers, &["register"], "NAME", "make an account", "ana"),
    entry("Account", Anyone, &["login"], "NAME", "log in", "ana"),
    entry("Account", Users, &["logout"], "", "end this session", ""),
    entry("Account", Users, &["whoami"], "", "who you are", ""),
    entry("Account", Users, &["passwd"], "", "another password", ""),
    entry("Account", Users, &["sessions", "sessions end"], "[end ID|--all]", "your sessions", ""),
    entry("Client", Users, &["status"], "", "how servers are", ""),
    entry("Client", Anyone, &["context list", "context add", "context use", "context remove"], "", "other services", ""),
    entry("Client", Anyone, &["completions", "man"], "", "script, manual", "bash"),
    entry(ADMINISTRATION, Admins, &["admin area list"], "", "with limits", ""),
    entry(ADMINISTRATION, Admins, &["admin area add"], "NAME [--…]", "a new one", "city"),
    entry(ADMINISTRATION, Admins, &["admin area set"], "NAME --…", "change it", "city --replicas 2"),
    entry(ADMINISTRATION, Admins, &["admin area rm"], "NAME --…", "remove it", "old --confirm old"),
    entry(ADMINISTRATION, Admins, &["admin area restore"], "NAME", "take it back", "city"),
    entry(ADMINISTRATION, Admins, &["admin article rm"], "AREA#SEQ", "remove it", "{}#12"),
    entry(ADMINISTRATION, Admins, &["admin user list"], "", "everybody", ""),
    entry(ADMINISTRATION, Admins, &["admin user add"], "NAME [--…]", "a new one", "bob"),
    entry(ADMINISTRATION, Admins, &["admin user passwd"], "NAME", "set it", "bob"),
    entry(ADMINISTRATION, Admins, &["admin user role"], "NAME ROLE", "their rights", "bob admin"),
    entry(ADMINISTRATION, Admins, &["admin user disable"], "NAME", "lock it", "bob"),
    entry(ADMINISTRATION, Admins, &["admin user enable"], "NAME", "unlock it", "bob"),
    entry(ADMINISTRATION, Admins, &["admin user sessions"], "NAME", "sessions", "bob"),
    entry(ADMINISTRATION, Admins, &["admin node list"], "", "their state", ""),
    entry(ADMINISTRATION, Admins, &["admin node drain"], "NODE", "no areas", "10.0.0.7:8005"),
    entry(ADMINISTRATION, Admins, &["admin node resume"], "NODE", "and back", "10.0.0.7:8005"),
    entry(ADMINISTRATION, Admins, &["admin agent list"], "", "who leads", ""),
    entry(ADMINISTRATION, Admins, &["admin load"], "[--span 10m]", "over time", ""),
    entry(ADMINISTRATION, Admins, &["admin settings list"], "", "all of them", ""),
    entry(ADMINISTRATION, Admins, &["admin settings get"], "NAME", "one of them", "registration"),
    entry(ADMINISTRATION, Admins, &["admin settings set"], "NAME …", "change it", "keep_count 9"),
    entry(ADMINISTRATION, Admins, &["admin settings unset"], "NAME", "its default", "keep_count"),
    entry(ADMINISTRATION, Admins, &["admin settings export"], "", "as a file", ""),
    entry(ADMINISTRATION, Admins, &["admin settings import"], "…", "all or none", "-"),
    entry(ADMINISTRATION, Admins, &["admin settings status"], "", "who has them", ""),
    entry(ADMINISTRATION, Admins, &["admin settings watch"], "", "as they go", ""),
    entry(ADMINISTRATION, Admins, &["admin audit"], "[--limit N]", "who did what", "--limit 9"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{self, Cli};
    use clap::{Command, CommandFactory, Parser};

    fn leaves(command: &Command, path: &str, found: &mut Vec<String>) {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let path = format!("{path} {}", sub.get_name()).trim().to_owned();
            if !sub.is_subcommand_required_set() && !sub.is_arg_required_else_help_set()
                || !sub.has_subcommands()
            {
                found.push(path.clone());
            }
            leaves(sub, &path, found);
        }
    }

    #[test]
    fn every_command_stands_there_once() {
        let mut defined = Vec::new();
        leaves(&Cli::command(), "", &mut defined);
        let mut told: Vec<&str> = ENTRIES.iter().flat_map(|entry| entry.commands).copied().collect();
        told.sort_unstable();
        defined.sort_unstable();
        assert_eq!(told, defined);
    }

    #[test]
    fn examples_are_lines_that_are_understood() {
        for entry in ENTRIES.iter().filter(|entry| !entry.example.is_empty()) {
            let line = format!("gaceta {}", entry.example(Some("city")));
            assert!(Cli::command().try_get_matches_from(line.split(' ')).is_ok(), "{line}");
        }
        let read = ENTRIES[0];
        assert_eq!(read.example(Some("city")), "read city");
        assert_eq!(read.example(Some("much too long")), "read news");
    }

    #[test]
    fn those_hear_of_a_command_who_can_run_it() {
        for entry in ENTRIES {
            let line = format!("gaceta {}", entry.example(Some("city")));
            let command = Cli::try_parse_from(line.split(' ')).unwrap().command.unwrap();
            let is_for_users = matches!(entry.whom, For::Users | For::Admins);
            // `use` runs at the prompt alone, and is refused elsewhere whoever asks.
            let is_of_prompt = matches!(command, command::Command::Use { .. });
            assert!(is_of_prompt || command.facts().needs_session == is_for_users, "{line}");
            assert_eq!(matches!(command, command::Command::Admin(_)), entry.whom == For::Admins, "{line}");
        }
    }

    #[test]
    fn a_user_needs_no_scrolling() {
        assert!(entries(Some(Role::User)).count() <= 22, "24 rows with the last line and the prompt");
        assert!(entries(None).all(|entry| entry.whom != For::Users));
    }
}
