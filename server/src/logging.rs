//! Logs go to standard error, so that standard output carries the ready line alone.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging. `filter` as in `GACETA_LOG`: `info`, `warn,gaceta_node=debug`.
pub fn init(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

/// Starts logging into a file: beside a prompt there is no room for logs on the terminal.
pub fn init_file(filter: &str, file: std::fs::File) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(file).with_ansi(false).init();
    Ok(())
}
