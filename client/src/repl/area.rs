//! The area in use: what a line means that names no area.

use crate::command::Cli;
use crate::command::facts::InUse;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

/// A line's words as a command, with `area` where the line names none. A line that is about another context has no area
/// in use: the name would mean something else there.
pub fn parse(words: Vec<String>, area: Option<&str>) -> Result<Cli, clap::Error> {
    let elsewhere = |word: &String| ["--context", "--agents"].iter().any(|flag| word.starts_with(flag));
    let area =
        area.filter(|_| !words.iter().take_while(|word| *word != "--" && *word != "--exec").any(elsewhere));
    let parsed = parse_words(&words);
    let Some((area, at)) = area.zip(command_at(&words)) else { return parsed };
    // Only a line that is understood says what command it is: of others it is tried whether the area is what they lack.
    let (in_use, names_none) = match &parsed {
        Ok(cli) => facts(cli),
        Err(error) => match error.kind() {
            ErrorKind::MissingRequiredArgument => (in_use(&with(&words, at, &[area])), true),
            ErrorKind::ValueValidation => (in_use(&with_number(&words, at, area)), true),
            _ => (InUse::No, true),
        },
    };
    match in_use {
        InUse::First if names_none => parse_words(&with(&words, at, &[area])),
        InUse::Flag => parse_words(&with(&words, at, &["--in", area])),
        InUse::Number if names_none => parse_words(&with_number(&words, at, area)),
        InUse::No | InUse::First | InUse::Number => parsed,
    }
}

/// Whether `#12` after these words is an article of the area in use.
pub fn takes_number(words: &[String]) -> bool {
    let mut words = words.to_vec();
    words.push("AREA#1".into());
    in_use(&words) == InUse::Number
}

/// Where the area in use stands, and whether the line names no area.
fn facts(cli: &Cli) -> (InUse, bool) {
    cli.command.as_ref().map_or((InUse::No, true), |command| {
        let facts = command.facts();
        (facts.in_use, facts.names.is_empty())
    })
}

/// The first of it, for a line that may not be understood.
fn in_use(words: &[String]) -> InUse {
    parse_words(words).map_or(InUse::No, |cli| facts(&cli).0)
}

/// The words with `more` right behind the command. No area's name begins like a flag.
fn with(words: &[String], at: usize, more: &[&str]) -> Vec<String> {
    let mut words = words.to_vec();
    words.splice(at + 1..at + 1, more.iter().map(|word| (*word).to_owned()));
    words
}

/// The words with the number behind the command as an article of `area`.
fn with_number(words: &[String], at: usize, area: &str) -> Vec<String> {
    let mut words = words.to_vec();
    if let Some(article) = words.get_mut(at + 1)
        && is_number(article.trim_start_matches('#'))
    {
        *article = format!("{area}#{}", article.trim_start_matches('#'));
    }
    words
}

fn parse_words(words: &[String]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("gaceta").chain(words.iter().map(String::as_str)))
}

/// Where the command stands: after flags, and their values.
fn command_at(words: &[String]) -> Option<usize> {
    let definition = Cli::command();
    let takes_value = |word: &str| {
        let mut flags = definition.get_arguments();
        flags.any(|arg| arg.get_action().takes_values() && arg.get_long() == word.strip_prefix("--"))
    };
    let mut at = 0;
    while words.get(at)?.starts_with('-') {
        at += if takes_value(&words[at]) { 2 } else { 1 };
    }
    (at < words.len()).then_some(at)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::repl::words::split;

    fn meant(line: &str) -> String {
        match parse(split(line).unwrap(), Some("city news")).map(|cli| cli.command.unwrap()) {
            Ok(Command::Read(args)) => format!("read {:?} all={} limit={}", args.area, args.all, args.limit),
            Ok(Command::Post(args)) => format!("post {:?} {:?}", args.area(), args.words()),
            Ok(Command::Delete { article }) => format!("delete {}#{}", article.area, article.seq),
            Ok(Command::Follow { areas, new, .. }) => format!("follow {areas:?} new={new}"),
            Ok(Command::Subscribe { area, from_start }) => format!("subscribe {area} {from_start}"),
            Ok(Command::Verify { area } | Command::Unsubscribe { area }) => area,
            Ok(Command::Catchup { area } | Command::Undo { area }) => format!("{area:?}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_line_without_an_area_means_the_one_in_use() {
        assert_eq!(meant("read --limit 5"), r#"read Some("city news") all=false limit=5"#);
        assert_eq!(meant("read --all"), r#"read Some("city news") all=true limit=100"#);
        assert_eq!(meant("follow --new"), r#"follow ["city news"] new=true"#);
        assert_eq!(meant("subscribe --from-start"), "subscribe city news true");
        assert_eq!(meant("verify"), "city news");
        assert_eq!(meant("--timeout 5s unsubscribe"), "city news");
        assert_eq!(meant("catchup"), r#"Some("city news")"#);
        assert_eq!(meant("undo"), r#"Some("city news")"#);
        assert_eq!(meant("delete #12"), "delete city news#12");
        assert_eq!(meant("delete 12"), "delete city news#12");
        assert_eq!(meant("post Hello, world"), r#"post Some("city news") ["Hello,", "world"]"#);
        assert_eq!(meant("--json post -- --in"), r#"post Some("city news") ["--in"]"#);
    }

    #[test]
    fn what_a_line_says_goes_before_the_area_in_use() {
        assert_eq!(meant("read news"), r#"read Some("news") all=false limit=100"#);
        assert_eq!(meant("follow a b"), r#"follow ["a", "b"] new=false"#);
        assert_eq!(meant("verify news"), "news");
        assert_eq!(meant("delete news#3"), "delete news#3");
        assert_eq!(meant("post --in news Hello"), r#"post Some("news") ["Hello"]"#);
        assert_eq!(meant("read --context work"), "read None all=false limit=100");
        assert_eq!(meant("post --in news"), r#"post Some("news") []"#);
        assert_eq!(meant("post --resume"), "post None []");
    }

    #[test]
    fn it_stands_before_what_a_line_says_for_itself() {
        assert_eq!(meant("post"), r#"post Some("city news") []"#);
        assert_eq!(meant("post --lines -"), r#"post Some("city news") ["-"]"#);
        assert_eq!(meant("follow --new --exec cat"), r#"follow ["city news"] new=true"#);
    }

    #[test]
    fn it_is_no_matter_to_other_commands() {
        for line in ["admin area rm", "admin article rm 12", "delete", "delete x", "sessions end", "login"] {
            assert!(parse(split(line).unwrap(), Some("city news")).is_err(), "{line}");
        }
        assert!(meant("use").contains("Use { area: None }"), "leaves it");
        assert!(takes_number(&["delete".into()]) && !takes_number(&["verify".into()]));
        assert!(!takes_number(&["admin".into(), "article".into(), "rm".into()]));
    }
}
