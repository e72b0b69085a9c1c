//! What Tab offers at the prompt: what shells have, with the area in use. And hints: what may follow, dim, beside the line.

use super::area::takes_number;
use super::words::{Typed, quoted, typed};
use crate::complete::definition;
use crate::guide;
use crate::settings::Settings;
use clap::Command;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::SearchDirection;
use rustyline::{Context, Helper, Validator};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What completion has to know of the prompt; shared with it.
#[derive(Clone)]
pub struct Place(Arc<Mutex<(Settings, Option<String>)>>);

impl Place {
    pub fn new(settings: &Settings) -> Self {
        Self(Arc::new(Mutex::new((settings.clone(), None))))
    }

    /// `area`: the one in use.
    pub fn set(&self, settings: &Settings, area: Option<&str>) {
        *self.get() = (settings.clone(), area.map(str::to_owned));
    }

    fn get(&self) -> MutexGuard<'_, (Settings, Option<String>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Helper, Validator)]
pub struct Completion {
    place: Place,
    /// Where they cannot be told from what was typed, there are none.
    hints: bool,
}

impl Completion {
    pub fn new(place: Place, hints: bool) -> Self {
        Self { place, hints }
    }
}

impl Hinter for Completion {
    type Hint = String;

    /// The rest of the latest line that began like this one, else what the command takes.
    fn hint(&self, line: &str, pos: usize, context: &Context<'_>) -> Option<String> {
        if !self.hints || line.trim().is_empty() || pos < line.len() {
            return None;
        }
        let history = context.history();
        let last = history.len().saturating_sub(1);
        let found = history.starts_with(line, last, SearchDirection::Reverse).ok().flatten();
        let rest = found.and_then(|found| found.entry.get(pos..).map(str::to_owned));
        rest.filter(|rest| !rest.is_empty()).or_else(|| args_of(line))
    }
}

impl Highlighter for Completion {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
    }
}

/// What stands after a command in the guide, when the line is the command alone.
fn args_of(line: &str) -> Option<String> {
    let command = line.trim_end();
    let gap = if command.len() < line.len() { "" } else { " " };
    let args = guide::args(command)?;
    (!args.is_empty()).then(|| format!("{gap}{args}"))
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = typed(line.get(..pos).unwrap_or(line));
        let (settings, area) = self.place.get().clone();
        let start = typed.start;
        Ok((start, candidates(typed, &settings, area.as_deref()).into_iter().map(pair).collect()))
    }
}

/// The words that may stand in place of the one that is being typed.
fn candidates(typed: Typed, settings: &Settings, area: Option<&str>) -> Vec<String> {
    let exit = Command::new("exit").about("Leave the prompt");
    let mut definition = definition(settings).subcommand(exit);
    // `delete #1` means an article of the area in use.
    let of_area = area.filter(|_| typed.last.starts_with('#') && takes_number(&typed.words));
    let last = of_area.map_or(typed.last.clone(), |area| format!("{area}{}", typed.last));
    let index = typed.words.len() + 1;
    let words = typed.words.into_iter().chain([last.clone()]);
    let args = std::iter::once("gaceta".to_owned()).chain(words).map(Into::into).collect();
    let found = clap_complete::engine::complete(&mut definition, args, index, None).unwrap_or_default();
    let mut found: Vec<String> =
        found.iter().map(|candidate| candidate.get_value().to_string_lossy().into_owned()).collect();
    // Flags are for whoever begins one.
    if !last.starts_with('-') {
        found.retain(|word| !word.starts_with('-'));
    }
    if let Some(area) = of_area {
        found = found.iter().filter_map(|word| word.strip_prefix(area).map(str::to_owned)).collect();
    }
    found
}

fn pair(word: String) -> Pair {
    let goes_on = word.ends_with(['#', '=', '/']);
    let replacement = quoted(&word) + if goes_on { "" } else { " " };
    Pair { display: word, replacement }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(line: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap(); // nobody is logged in: no names
        candidates(typed(line), &Settings::new(dir.path().into()), None)
    }

    #[test]
    fn a_command_alone_has_a_hint() {
        assert_eq!(args_of("subscribe").unwrap(), " AREA [--from-start]");
        assert_eq!(args_of("admin user role ").unwrap(), "NAME ROLE");
        assert_eq!((args_of("subscribe x"), args_of("areas"), args_of("su")), (None, None, None));
    }

    #[test]
    fn commands_flags_and_values() {
        assert_eq!(complete("subs"), ["subscriptions", "subscribe"]);
        assert_eq!(complete("admin u"), ["user"]);
        assert_eq!(complete("read --li"), ["--limit"]);
        assert_eq!(complete("admin user role ana a"), ["admin"]);
        assert_eq!(complete("completions z"), ["zsh"]);
        assert_eq!(complete("ex"), ["exit"]);
        assert!(complete("register n").is_empty());
        assert!(complete("read ").is_empty());
    }
}
