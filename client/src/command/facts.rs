//! What each command is: one match without a wildcard, beside the definition, so that a new command does not compile until it has
//! said so. Whoever treats commands differently asks here.

use super::{
    AdminAgent, AdminArea, AdminArticle, AdminCommand, AdminNode, AdminSettings, AdminUser, Cli, Command,
    SessionsAction,
};
use clap::CommandFactory;
use wire::Noun;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts<'a> {
    /// Somebody must be logged in. Without it: a damaged context is no obstacle either.
    pub needs_session: bool,
    /// It hears itself that it is to stop, because it has something to finish then; others are dropped where they are.
    pub stops_itself: bool,
    /// Completion has to ask for names again. (Logging in is somebody else, whose names are not used anyway.)
    pub changes_names: bool,
    /// Another context may be the current one afterwards.
    pub changes_context: bool,
    /// What the area in use at the prompt is to it.
    pub in_use: InUse,
    /// Names that the service may not know.
    pub names: Vec<(Noun, &'a str)>,
}

/// Where the area in use stands in a line of the prompt that names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InUse {
    /// Nowhere: it is no matter, or the line has said where.
    No,
    /// First behind the command.
    First,
    /// Behind `--in`, since the first word is text.
    Flag,
    /// Before a number, which is an article of it.
    Number,
}

impl Command {
    pub fn facts(&self) -> Facts<'_> {
        match self {
            Self::Register { .. } | Self::Login { .. } => ANYONE,
            Self::Logout | Self::Whoami | Self::Passwd { .. } => USER,
            Self::Sessions { action: None | Some(SessionsAction::End { .. }), .. } => USER,
            Self::Areas | Self::Subscriptions => USER,
            Self::Subscribe { area, .. } | Self::Unsubscribe { area } => {
                Facts { changes_names: true, ..in_area(Some(area)) }
            }
            Self::Use { .. } => ANYONE,
            Self::Read(args) => Facts { stops_itself: true, ..in_area(args.area.as_ref()) },
            Self::Catchup { area } | Self::Undo { area } => in_area(area.as_ref()),
            Self::Follow { areas, .. } => Facts { stops_itself: true, ..in_area(areas) },
            Self::Post(args) => {
                let says_where = args.resume || args.in_area.is_some();
                let in_use = if says_where { InUse::No } else { InUse::Flag };
                let names = args.area().map(|area| (Noun::Area, area)).into_iter().collect();
                Facts { stops_itself: true, in_use, names, ..USER }
            }
            Self::Outbox => USER,
            Self::Delete { article } => Facts { in_use: InUse::Number, ..named(Noun::Area, &article.area) },
            Self::Verify { area } => in_area(Some(area)),
            Self::Admin(command) => command.facts(),
            Self::Status => USER,
            Self::Context(_) => Facts { changes_context: true, ..ANYONE },
            Self::Man { .. } | Self::ExitCodes | Self::Environment | Self::Completions { .. } => ANYONE,
        }
    }
}

impl AdminCommand {
    fn facts(&self) -> Facts<'_> {
        match self {
            Self::Area(command) => Facts {
                changes_names: true,
                ..match command {
                    AdminArea::Set { name, .. } | AdminArea::Rm { name, .. } => named(Noun::Area, name),
                    AdminArea::Add { .. } | AdminArea::Restore { .. } | AdminArea::List => USER,
                }
            },
            Self::Article(AdminArticle::Rm { article }) => named(Noun::Area, &article.area),
            Self::User(command) => Facts {
                changes_names: true,
                ..match command {
                    AdminUser::Passwd { name, .. }
                    | AdminUser::Role { name, .. }
                    | AdminUser::Disable { name }
                    | AdminUser::Enable { name }
                    | AdminUser::Sessions { name } => named(Noun::User, name),
                    AdminUser::List | AdminUser::Add { .. } => USER,
                }
            },
            Self::Node(AdminNode::List) => USER,
            Self::Node(AdminNode::Drain { node } | AdminNode::Resume { node }) => named(Noun::Node, node),
            Self::Agent(AdminAgent::List) | Self::Load { .. } | Self::Audit { .. } => USER,
            Self::Settings(command) => match command {
                AdminSettings::Get { name }
                | AdminSettings::Set { name, .. }
                | AdminSettings::Unset { name } => named(Noun::Setting, name),
                AdminSettings::List
                | AdminSettings::Import { .. }
                | AdminSettings::Export
                | AdminSettings::Status => USER,
                AdminSettings::Watch => Facts { stops_itself: true, ..USER },
            },
        }
    }
}

const ANYONE: Facts<'static> = plain(false);
const USER: Facts<'static> = plain(true);

const fn plain(needs_session: bool) -> Facts<'static> {
    Facts {
        needs_session,
        stops_itself: false,
        changes_names: false,
        changes_context: false,
        in_use: InUse::No,
        names: Vec::new(),
    }
}

fn named(noun: Noun, name: &str) -> Facts<'_> {
    Facts { names: vec![(noun, name)], ..USER }
}

/// Of these areas, or of the one in use.
fn in_area<'a>(areas: impl IntoIterator<Item = &'a String>) -> Facts<'a> {
    let names = areas.into_iter().map(|area| (Noun::Area, area.as_str())).collect();
    Facts { in_use: InUse::First, names, ..USER }
}

/// Whether a line begins a command that asks for a password. By its words, since it may be a line that was not understood: then
/// one of them may be the password.
pub fn asks_password(words: &[String]) -> bool {
    let definition = Cli::command();
    let begins = |word: &&String| definition.find_subcommand(word).is_some();
    let words = words.iter().filter(|word| !word.starts_with('-')).skip_while(|word| !begins(word));
    let mut command = &definition;
    for word in words {
        match command.find_subcommand(word) {
            Some(subcommand) => command = subcommand,
            None => break,
        }
    }
    command.get_arguments().any(|arg| arg.get_id() == "password_stdin")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn facts_of(line: &str, check: impl FnOnce(Facts<'_>)) {
        let words = shlex::split(&format!("gaceta {line}")).unwrap();
        check(Cli::try_parse_from(words).unwrap().command.unwrap().facts());
    }

    #[test]
    fn names_are_those_that_the_service_may_not_know() {
        facts_of("post news Hello", |facts| assert_eq!(facts.names, [(Noun::Area, "news")]));
        facts_of("delete news#1", |facts| assert_eq!(facts.names, [(Noun::Area, "news")]));
        facts_of("follow a b", |facts| assert_eq!(facts.names, [(Noun::Area, "a"), (Noun::Area, "b")]));
        facts_of("admin user role bob admin", |facts| assert_eq!(facts.names, [(Noun::User, "bob")]));
        facts_of("admin area add new", |facts| assert_eq!(facts.names, []));
    }

    #[test]
    fn commands_that_ask_for_a_password_are_known_by_their_words() {
        let asks = |line: &str| asks_password(&shlex::split(line).unwrap());
        for line in [
            "login ana secret",
            "--timeout 5s register ana",
            "--json admin user passwd ana secret",
            "passwd x",
        ] {
            assert!(asks(line), "{line}");
        }
        for line in ["post news login", "admin user role ana", "raed", ""] {
            assert!(!asks(line), "{line}");
        }
    }
}
