//! One command, to its exit code; [`command_line`] for arguments.

pub mod command_line;

use crate::command::Command;
use crate::execute::execute;
use crate::exit::{self, Failure};
use crate::names;
use crate::pager;
use crate::render::Output;
use crate::session::Session;
use crate::settings::Settings;
use crate::stop::Stop;
use std::process::ExitCode;

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
