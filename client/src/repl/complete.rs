//! Completion: commands and flags from the one definition of the commands, and names of areas.

use super::words::{self, quoted};
use crate::command::Cli;
use clap::{Arg, Command as Definition, CommandFactory};
use rustyline::completion::{Completer, Pair};
use rustyline::{Context, Helper, Highlighter, Hinter, Validator};
use std::sync::{Arc, Mutex, PoisonError};

/// Names of areas as they were a moment ago; shared with the prompt, which renews them.
#[derive(Clone, Default)]
pub struct AreaNames(Arc<Mutex<Vec<String>>>);

impl AreaNames {
    pub fn set(&self, names: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }

    fn beginning_with(&self, beginning: &str) -> Vec<String> {
        let beginning = beginning.to_lowercase();
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.iter().filter(|name| name.to_lowercase().starts_with(&beginning)).cloned().collect()
    }
}

#[derive(Helper, Highlighter, Hinter, Validator)]
pub struct Completion {
    definition: Definition,
    names: AreaNames,
}

impl Completion {
    pub fn new(names: AreaNames) -> Self {
        let mut definition = Cli::command();
        definition.build(); // global flags everywhere, and `help`
        Self { definition, names }
    }

    /// The words that may stand in place of `last`, after `words`.
    fn candidates(&self, words: &[String], last: &str) -> Vec<String> {
        let mut at = &self.definition;
        let mut positionals = 0;
        let mut value_of: Option<&Arg> = None;
        for word in words {
            if value_of.take().is_some() {
                continue;
            }
            if let Some(flag) = word.strip_prefix("--") {
                value_of = at
                    .get_arguments()
                    .find(|arg| arg.get_long() == Some(flag) && arg.get_action().takes_values());
            } else if let Some(sub) = at.find_subcommand(word) {
                (at, positionals) = (sub, 0);
            } else {
                positionals += 1;
            }
        }
        let mut found: Vec<String> = Vec::new();
        if let Some(arg) = value_of {
            found.extend(arg.get_possible_values().iter().map(|value| value.get_name().to_owned()));
        } else if last.starts_with('-') {
            let flags = at.get_arguments().filter(|arg| !arg.is_hide_set());
            found.extend(flags.filter_map(Arg::get_long).map(|long| format!("--{long}")));
        } else {
            found.extend(at.get_subcommands().map(|sub| sub.get_name().to_owned()));
            if let Some(arg) = positional(at, positionals) {
                found.extend(arg.get_possible_values().iter().map(|value| value.get_name().to_owned()));
                if names_area(at, arg) {
                    found.extend(self.names.beginning_with(last).iter().map(|name| quoted(name)));
                    return found.into_iter().filter(|word| begins(word, last)).collect();
                }
            }
        }
        found.retain(|word| word.starts_with(last));
        found
    }
}

/// The last positional argument takes everything that is left, if it takes many.
fn positional(command: &Definition, index: usize) -> Option<&Arg> {
    let positionals: Vec<&Arg> = command.get_positionals().collect();
    let many = |arg: &&&Arg| arg.get_num_args().is_some_and(|range| range.max_values() > 1);
    positionals.get(index).copied().or_else(|| positionals.last().filter(many).copied())
}

fn names_area(command: &Definition, arg: &Arg) -> bool {
    let of_admin = arg.get_id() == "name" && matches!(command.get_name(), "set" | "rm");
    matches!(arg.get_id().as_str(), "area" | "areas" | "article") || of_admin
}

fn begins(word: &str, last: &str) -> bool {
    word.trim_start_matches('\'').to_lowercase().starts_with(&last.to_lowercase())
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = words::typed(line.get(..pos).unwrap_or(line));
        let start = typed.start;
        let candidates = self.candidates(&typed.words, &typed.last).into_iter();
        let pairs = candidates.map(|word| Pair { display: word.clone(), replacement: word + " " }).collect();
        Ok((start, pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(line: &str) -> Vec<String> {
        let names = AreaNames::default();
        names.set(vec!["news".into(), "city news".into(), "Net".into()]);
        let history = rustyline::history::DefaultHistory::new();
        let (_, pairs) = Completion::new(names).complete(line, line.len(), &Context::new(&history)).unwrap();
        pairs.into_iter().map(|pair| pair.display).collect()
    }

    #[test]
    fn commands_flags_values_and_areas() {
        assert_eq!(complete("subs"), ["subscriptions", "subscribe"]);
        assert_eq!(complete("admin u"), ["user"]);
        assert_eq!(complete("read --li"), ["--limit"]);
        assert_eq!(complete("admin user role ana a"), ["admin"]);
        assert_eq!(complete("read ne"), ["news", "Net"]);
        assert_eq!(complete("follow news ci"), ["'city news'"]);
        assert_eq!(complete("follow 'ci"), ["'city news'"]);
        assert!(complete("read --limit 5 news ").is_empty());
        assert!(complete("register n").is_empty());
    }
}
