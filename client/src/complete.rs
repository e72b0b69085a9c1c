//! Completion, once for the shells and the prompt: `clap_complete` knows the commands and their flags from the one
//! definition of them, [`Completes`] at an argument says which names it takes.

use crate::command::Cli;
use crate::command::completes::Completes;
use crate::context::Context;
use crate::names::{AreaName, asking};
use crate::render;
use crate::settings::Settings;
use crate::values::name_key;
use crate::values::parse_context;
use clap::{Command, CommandFactory};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use wire::Article;

/// The scripts set it, and nobody else.
const VARIABLE: &str = "GACETA_COMPLETE";
/// Articles offered.
const ARTICLES_MAX: usize = 20;
/// Characters of an article beside its number.
const WORDS_CHARS_MAX: usize = 40;

const SHELLS: Shells<'static> = Shells(&[&QuotingBash, &Elvish, &Fish, &QuotingPowershell, &Zsh]);

/// The definition of all commands, whose arguments know the names of the context of `settings`.
pub fn definition(settings: &Settings) -> Command {
    with_names(Cli::command(), &Arc::new(settings.clone()))
}

fn with_names(command: Command, settings: &Arc<Settings>) -> Command {
    let command = command.mut_args(|arg| match arg.get::<Completes>().copied() {
        Some(what) => {
            let settings = settings.clone();
            let candidates = move |current: &OsStr| what.candidates(&current.to_string_lossy(), &settings);
            arg.add(ArgValueCompleter::new(candidates))
        }
        None => arg,
    });
    command.mut_subcommands(|subcommand| with_names(subcommand, settings))
}

impl Completes {
    fn candidates(self, beginning: &str, settings: &Settings) -> Vec<CompletionCandidate> {
        let key = name_key(beginning);
        let begins = |name: &String| name_key(name).starts_with(&key) && render::line(name) == *name;
        let areas = |wanted: fn(&AreaName) -> bool| {
            asking::areas(settings).into_iter().filter(wanted).map(|area| area.name)
        };
        let names: Vec<String> = match self {
            Self::Areas => areas(|_| true).collect(),
            Self::SubscribedAreas => areas(|area| area.subscribed).collect(),
            Self::Users => asking::users(settings),
            Self::Nodes => asking::nodes(settings),
            Self::Settings => asking::service_settings(settings),
            Self::Contexts => contexts(settings),
            Self::OwnArticles | Self::Articles => match beginning.rsplit_once('#') {
                Some((area, number)) => return self.articles(area, number, settings),
                None => areas(|area| area.subscribed).map(|area| area + "#").collect(),
            },
        };
        names.into_iter().filter(begins).map(CompletionCandidate::new).collect()
    }

    fn articles(self, area: &str, number: &str, settings: &Settings) -> Vec<CompletionCandidate> {
        let Some((articles, me)) = asking::articles(settings, area) else { return Vec::new() };
        let wanted = |article: &Article| {
            (self == Self::Articles || article.author == me) && article.seq.to_string().starts_with(number)
        };
        let candidate = |article: Article| {
            let words: String = article.body.chars().take(WORDS_CHARS_MAX).collect();
            let help = render::line(&format!("{}: {words}", article.author));
            CompletionCandidate::new(format!("{area}#{}", article.seq)).help(Some(help.into()))
        };
        articles.into_iter().filter(wanted).take(ARTICLES_MAX).map(candidate).collect()
    }
}

/// Those that have a name in the config, and those that have a session.
fn contexts(settings: &Settings) -> Vec<String> {
    let mut names = Context::names(&settings.state_dir).unwrap_or_default();
    names.extend(settings.config().unwrap_or_default().contexts.into_keys());
    names.sort();
    names.dedup();
    names
}

/// What the shells' scripts ask: `true` when this process was started for that, and is done.
pub fn for_shell(args: &[OsString]) -> bool {
    if std::env::var_os(VARIABLE).is_none() {
        return false;
    }
    let current_dir = std::env::current_dir().ok();
    let settings = settings_of(args);
    let environment =
        CompleteEnv::with_factory(|| settings.as_ref().map_or_else(Cli::command, definition)).var(VARIABLE);
    let done = environment.shells(SHELLS).try_complete(args, current_dir.as_deref());
    done.unwrap_or(true) // in the middle of somebody's line there is no place for a word
}

/// What the environment says, and the line so far, as far as it matters here.
fn settings_of(args: &[OsString]) -> Option<Settings> {
    let mut settings = Settings::from_environment().ok()?;
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    for (at, word) in words.iter().enumerate() {
        let context = word.strip_prefix("--context=").or(match *word {
            "--context" => words.get(at + 1).copied(),
            _ => None,
        });
        if let Some(context) = context.and_then(|context| parse_context(context).ok()) {
            settings = settings.with_context(&context);
        }
    }
    Some(settings)
}

/// What `completions SHELL` prints.
pub fn script(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    if let Some(shell) = SHELLS.completer(&shell.to_string()) {
        let _ = shell.write_registration(VARIABLE, "gaceta", "gaceta", "gaceta", &mut script); // to memory
    }
    String::from_utf8_lossy(&script).into_owned()
}

/// bash takes candidates as they are: names with blanks are quoted by the script.
struct QuotingBash;

impl EnvCompleter for QuotingBash {
    fn name(&self) -> &'static str {
        Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        Bash.is(name)
    }

    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        Bash.write_registration(var, name, bin, completer, buf)?;
        let quoting = r#"
_gaceta_quoted() {
    _clap_complete_NAME "$@"
    case "${COMP_WORDS[COMP_CWORD]}" in
        \'*|\"*) return ;; # what stands between quotes is not quoted again
    esac
    local i
    for i in "${!COMPREPLY[@]}"; do
        case "${COMPREPLY[i]}" in
            *[[:space:]\'\"\\\$\`\&\;\|\<\>\(\)*?!]*) printf -v "COMPREPLY[i]" %q "${COMPREPLY[i]}" ;;
        esac
    done
    # An article's number follows.
    [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *# ]] && compopt -o nospace 2>/dev/null
}
complete -o nospace -o bashdefault -o nosort -F _gaceta_quoted BIN 2>/dev/null ||
    complete -o nospace -o bashdefault -F _gaceta_quoted BIN
"#;
        buf.write_all(quoting.replace("NAME", name).replace("BIN", bin).as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut Command,
        args: Vec<OsString>,
        current_dir: Option<&Path>,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        Bash.write_complete(command, args, current_dir, buf)
    }
}

/// So does PowerShell.
struct QuotingPowershell;

impl EnvCompleter for QuotingPowershell {
    fn name(&self) -> &'static str {
        Powershell.name()
    }

    fn is(&self, name: &str) -> bool {
        Powershell.is(name)
    }

    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        Powershell.write_registration(var, name, bin, completer, buf)
    }

    fn write_complete(
        &self,
        command: &mut Command,
        args: Vec<OsString>,
        current_dir: Option<&Path>,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        let mut lines = Vec::new();
        Powershell.write_complete(command, args, current_dir, &mut lines)?;
        for line in String::from_utf8_lossy(&lines).lines() {
            let (value, help) = line.split_at(line.find('\t').unwrap_or(line.len()));
            match value.contains(char::is_whitespace) {
                true => writeln!(buf, "'{}'{help}", value.replace('\'', "''"))?,
                false => writeln!(buf, "{line}")?,
            }
        }
        Ok(())
    }
}
