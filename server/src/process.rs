//! The edges of a server process: its signals, its one line on standard output, and how it ends.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a helper task may take to end after the server itself has.
const JOIN_WAIT_MS: u64 = 1_000;

/// Runs a node to its end. On half as many threads as there are cores: one carries some twenty thousand requests a second, which is more
/// than the PostgreSQL behind it does, and threads that have little to do spend their time waking each other. What tokio's
/// own variable `TOKIO_WORKER_THREADS` says counts.
pub fn run(serve: impl Future<Output = anyhow::Result<()>> + Send + 'static) -> ExitCode {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        builder.worker_threads((cores / 2).max(1));
    }
    let result = match builder.enable_all().build() {
        // As a task, so that connections are accepted on the threads that serve them.
        Ok(runtime) => runtime.block_on(async { tokio::spawn(serve).await.map_err(Into::into).flatten() }),
        Err(error) => Err(error.into()),
    };
    exit(result)
}

/// Cancelled at the first of these signals (SIGTERM and SIGINT for a server by itself). A second one changes nothing:
/// stopping is bounded, and SIGKILL is there for whoever cannot wait.
pub fn shutdown_on(signals: &[SignalKind]) -> anyhow::Result<CancellationToken> {
    let shutdown = CancellationToken::new();
    for kind in signals {
        let mut signal = signal(*kind)?;
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            signal.recv().await;
            shutdown.cancel();
        });
    }
    Ok(shutdown)
}

/// The one line on standard output: whoever started this process waits for it.
pub fn ready(what: &str) {
    say(&format!("ready {what}"));
}

/// A line for whoever started this process; a closed standard output is his choice.
pub fn say(line: &str) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// What this process has in memory, in bytes; 0 where the system does not tell.
pub fn memory_bytes() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return 0 };
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Waits for a task that ends with the server.
pub async fn joined(task: Option<JoinHandle<()>>) {
    if let Some(task) = task {
        let _ = tokio::time::timeout(Duration::from_millis(JOIN_WAIT_MS), task).await;
    }
}

/// Tells an error to the person at the terminal: the sentence with its causes, no backtrace.
pub fn exit(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
