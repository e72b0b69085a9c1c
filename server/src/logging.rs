//! Logs go to standard error, so that standard output carries the ready line alone.

use anyhow::Context;
use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tracing_subscriber::EnvFilter;

/// Panics are logged like everything else: beside a prompt they would be written over it, and be in no log.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a task panicked")));
}

fn parse(filter: &str) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(filter).with_context(|| format!("cannot log what --log asks for, {filter:?}"))
}

/// Starts logging. `filter` as in `GACETA_LOG`: `info`, `warn,gaceta_node=debug`.
pub fn init(filter: &str) -> anyhow::Result<()> {
    let filter = parse(filter)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    log_panics();
    Ok(())
}

/// A log that has grown beyond this is set aside when the next start begins a new one.
const FILE_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// Starts logging into a file: beside a prompt there is no room for logs on the terminal. One older file is kept.
pub fn init_file(filter: &str, path: &Path) -> anyhow::Result<()> {
    let filter = parse(filter)?;
    if std::fs::metadata(path).is_ok_and(|file| file.len() > FILE_BYTES_MAX) {
        let _ = std::fs::rename(path, path.with_extension("log.old"));
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let file = file.with_context(|| format!("cannot write {}", path.display()))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(file).with_ansi(false).init();
    log_panics();
    Ok(())
}
