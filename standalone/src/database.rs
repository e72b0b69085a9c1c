//! The private PostgreSQL: its programs are found, or installed when somebody agrees, and started on the data directory.

use anyhow::{Context, bail};
use db::private::{Error, Options, PrivatePostgres, find_programs_for, install, install_command};
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

pub const DATABASE: &str = "gaceta";

pub async fn start(data: &Path, may_install: bool) -> anyhow::Result<PrivatePostgres> {
    if let Err(Error::NoPrograms { .. }) = find_programs_for(data) {
        provide_programs(may_install)?;
    }
    if !data.join("postgres").exists() && std::io::stderr().is_terminal() {
        // It takes a second, on a slow disk many.
        let _ = writeln!(std::io::stderr(), "First start: making a database in {} …", data.display());
    }
    let postgres = PrivatePostgres::start(Options::durable(data)).await?;
    postgres.ensure_database(DATABASE).await.context("the private PostgreSQL does not answer")?;
    Ok(postgres)
}

/// Installs, if told to or allowed to; else says which line does.
fn provide_programs(may_install: bool) -> anyhow::Result<()> {
    let Some(command) = install_command() else {
        bail!(
            "PostgreSQL's programs are not here: install PostgreSQL 14 or newer, or set GACETA_POSTGRES_BIN"
        );
    };
    if may_install || agrees(&command)? {
        return Ok(install()?);
    }
    bail!(
        "PostgreSQL's programs are not here. This line installs them, without starting a server:\n  {command}\n\
         or start again with --install-postgres."
    );
}

/// Asks on a terminal; elsewhere nobody can agree.
fn agrees(command: &str) -> anyhow::Result<bool> {
    let mut stderr = std::io::stderr();
    if !std::io::stdin().is_terminal() || !stderr.is_terminal() {
        return Ok(false);
    }
    write!(
        stderr,
        "Gaceta keeps its data in PostgreSQL, whose programs are not here.\n\
         This installs them, without starting a server:\n  {command}\nRun it now? [y/N] "
    )?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
