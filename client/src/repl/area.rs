//! The area in use: what a line means that names no area.

use crate::command::{Cli, Command};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

/// A line's words as a command, with `area` where the line names none. A line that is about another context has no area
/// in use: the name would mean something else there.
pub fn parse(mut words: Vec<String>, area: Option<&str>) -> Result<Cli, clap::Error> {
    let elsewhere = |word: &String| ["--context", "--agents"].iter().any(|flag| word.starts_with(flag));
    let area =
        area.filter(|_| !words.iter().take_while(|word| *word != "--" && *word != "--exec").any(elsewhere));
    let Some((area, at)) = area.zip(command_at(&words)) else { return parse_words(&words) };
    match words[at].as_str() {
        "post" if !says_where(&words[at + 1..]) => {
            words.splice(at + 1..at + 1, ["--in".into(), area.into()]);
        }
        "delete" => {
            if let Some(article) = words.get_mut(at + 1)
                && is_number(article.trim_start_matches('#'))
            {
                *article = format!("{area}#{}", article.trim_start_matches('#'));
            }
        }
        _ => {}
    }
    let mut parsed = parse_words(&words);
    // What must name an area, and flags that need one.
    let wants_area = ["read", "verify", "subscribe", "unsubscribe"].contains(&words[at].as_str());
    if wants_area && parsed.as_ref().is_err_and(|error| error.kind() == ErrorKind::MissingRequiredArgument) {
        words.push(area.to_owned()); // no name begins like a flag
        parsed = parse_words(&words);
    }
    let mut cli = parsed?;
    match &mut cli.command {
        Some(Command::Read(args)) => fill(&mut args.area, area),
        Some(Command::Catchup { area: of } | Command::Undo { area: of }) => fill(of, area),
        Some(Command::Follow { areas, .. }) if areas.is_empty() => areas.push(area.to_owned()),
        _ => {}
    }
    Ok(cli)
}

fn fill(area: &mut Option<String>, in_use: &str) {
    area.get_or_insert_with(|| in_use.to_owned());
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

/// Whether a `post` says its area, or wants none.
fn says_where(args: &[String]) -> bool {
    let flags = args.iter().take_while(|word| *word != "--");
    flags.into_iter().any(|word| {
        matches!(word.as_str(), "--in" | "--resume" | "--help" | "-h") || word.starts_with("--in=")
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
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
    }
}
