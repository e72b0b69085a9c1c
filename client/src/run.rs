//! From arguments to an exit code.

use crate::command::{Cli, Command};
use crate::execute::execute;
use crate::exit::{self, Failure};
use crate::names;
use crate::pager;
use crate::render::Output;
use crate::repl;
use crate::session::Session;
use crate::settings::Settings;
use crate::stop::Stop;
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

/// The whole of `gaceta`.
pub async fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    // Known before parsing, so that a mistake on the command line is told in the wanted form too.
    let json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return Output::standard(json).usage(&error).into(),
    };
    let settings = match Settings::from_environment() {
        Ok(settings) => settings.with(&cli.global),
        Err(failure) => return failed(&Output::standard(json), &failure).into(),
    };
    let output = Output::standard(settings.json);
    // Saved posts that are worked on are open files, and some shells allow only 256.
    wire::limits::raise_file_limit();
    let is_interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !settings.json;
    match cli.command {
        Some(command) => match Stop::on_signals() {
            Ok(stop) => run_command(command, &settings, &output, &stop).await.into(),
            Err(error) => failed_start(&error.into()),
        },
        None if is_interactive => match Stop::on_terminate() {
            Ok(stop) => {
                let ended = repl::prompt(settings, "", stop.token()).await;
                ended.unwrap_or_else(|error| failed(&output, &error.into()).into())
            }
            Err(error) => failed_start(&error.into()),
        },
        None => {
            let help = Cli::command()
                .error(clap::error::ErrorKind::MissingSubcommand, "name a command: `gaceta help`");
            output.usage(&help).into()
        }
    }
}

/// One command, of the command line or of the prompt. Shows what comes of it.
pub async fn run_command(command: Command, settings: &Settings, output: &Output, stop: &Stop) -> u8 {
    let done = async {
        let (needs_session, changes_names) = {
            let facts = command.facts();
            (facts.needs_session, facts.changes_names)
        };
        let session = match needs_session {
            true => Session::open(settings, output)?,
            false => Session::open_anew(settings, output)?,
        };
        let outcome = execute(command, &session, stop).await?;
        if changes_names {
            names::expire(settings);
        }
        let code = outcome.exit_code();
        pager::outcome(output, settings.no_input, outcome, stop).await?;
        Ok(code)
    };
    done.await.unwrap_or_else(|failure: Failure| failed(output, &failure))
}

fn failed(output: &Output, failure: &Failure) -> u8 {
    output.failure(failure);
    failure.exit_code()
}

/// For what goes wrong before anything runs.
pub fn failed_start(error: &anyhow::Error) -> ExitCode {
    let failure = Failure::new(exit::Kind::Local, format!("cannot start: {error:#}"));
    failed(&Output::standard(false), &failure).into()
}
