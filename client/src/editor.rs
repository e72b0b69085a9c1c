//! A person's own editor, on a file, on this terminal.

use crate::child;
use crate::exit::{Failure, Kind};
use crate::stop::Stop;
use crate::terminal::Modes;
use std::io::{self, IsTerminal};
use std::path::Path;
use tokio::process::Command;

/// In this order; the last ones are everybody's.
const VARIABLES: [&str; 3] = ["GACETA_EDITOR", "VISUAL", "EDITOR"];
/// When nothing is said, whichever is there.
const PROGRAMS: [&str; 2] = ["vi", "nano"];

/// A program and its arguments.
#[derive(Debug, PartialEq, Eq)]
pub struct Editor(Vec<String>);

impl Editor {
    /// `None` where there is no terminal to use one on, and none to be found.
    pub fn find() -> Result<Option<Self>, Failure> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Ok(None);
        }
        for name in VARIABLES {
            let value = std::env::var(name).unwrap_or_default();
            if !value.trim().is_empty() {
                return parse(name, &value).map(Some);
            }
        }
        if std::env::var_os("TERM").is_none_or(|term| term == "dumb") {
            return Ok(None);
        }
        let there = |program: &&&str| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
        };
        Ok(PROGRAMS.iter().find(there).map(|program| Self(vec![(*program).to_owned()])))
    }

    /// Runs it until it ends. Ctrl-C is the editor's meanwhile; SIGTERM ends both.
    pub async fn edit(&self, path: &Path, stop: &Stop) -> Result<(), Failure> {
        let name = self.0.join(" ");
        let Some((program, args)) = self.0.split_first() else { return Ok(()) };
        let _modes = Modes::of_stdin(); // an editor that is killed leaves the terminal as it had it
        let _deaf = stop.ignoring_interrupts();
        let process = Command::new(program).args(args).arg(path).kill_on_drop(true).spawn();
        let mut process = process.map_err(|error| {
            let why = format!("cannot start the editor {name:?}: {error}; GACETA_EDITOR names another one");
            Failure::new(Kind::Local, why)
        })?;
        let status = tokio::select! {
            status = process.wait() => status,
            failure = stop.raised() => {
                child::end(&mut process).await;
                return Err(failure);
            }
        };
        // On a busy machine we hear of a Ctrl-C that was the editor's and of the editor's end at the same moment: whoever
        // listens for the one hears it while we are still deaf.
        tokio::task::yield_now().await;
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::new(
                Kind::Local,
                format!("nothing was posted: the editor {name:?} ended with {status}"),
            )),
            Err(error) => {
                Err(Failure::new(Kind::Local, format!("cannot wait for the editor {name:?}: {error}")))
            }
        }
    }
}

/// As a shell would split it, without one: blanks separate, quotes hold together.
fn parse(name: &str, value: &str) -> Result<Editor, Failure> {
    match shlex::split(value).filter(|words| !words.is_empty()) {
        Some(words) => Ok(Editor(words)),
        None => Err(Failure::usage(format!("{name}: a quote is not closed in {value:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_arguments_and_blanks() {
        let words = |value| parse("EDITOR", value).map(|editor| editor.0);
        assert_eq!(words("code --wait").unwrap(), ["code", "--wait"]);
        assert_eq!(words("'/opt/my editor/run' -n").unwrap(), ["/opt/my editor/run", "-n"]);
        assert_eq!(words("vi '").unwrap_err().exit_code(), 2);
    }
}
