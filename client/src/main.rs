//! `gaceta`: one command, or the prompt when there is none.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if gaceta::complete::for_shell(&args) {
        return ExitCode::SUCCESS;
    }
    // One thread is enough for one person, and starts faster than many.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return gaceta::run::failed_start(&error.into()),
    };
    let code = runtime.block_on(gaceta::run::command_line::main(args));
    // Nobody waits for a thread that still reads a terminal or a pipe.
    runtime.shutdown_background();
    code
}
