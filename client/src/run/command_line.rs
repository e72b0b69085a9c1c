//! From arguments to an exit code.

use super::{failed, failed_start, run_command};
use crate::command::Cli;
use crate::render::Output;
use crate::repl;
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
