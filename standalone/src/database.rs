//! The private PostgreSQL: its programs are found, or installed first, and started on the data directory.

use anyhow::Context;
use db::private::{Consent, Error, Obstacle, Options, PrivatePostgres};
use db::private::{find_programs_for, install_forbidden, install_line, provide};
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

pub const DATABASE: &str = "gaceta";

pub async fn start(data: &Path, no_install: bool) -> anyhow::Result<PrivatePostgres> {
    if let Err(Error::NoPrograms { .. }) = find_programs_for(data) {
        provide(Some(data), consent(no_install)?, None)?;
    }
    if !data.join("postgres").exists() && std::io::stderr().is_terminal() {
        // It takes a second, on a slow disk many.
        let _ = writeln!(std::io::stderr(), "First start: making a database in {} …", data.display());
    }
    let postgres = PrivatePostgres::start(Options::durable(data)).await?;
    postgres.ensure_database(DATABASE).await.context("the private PostgreSQL does not answer")?;
    Ok(postgres)
}

/// On a terminal somebody is asked; elsewhere missing programs are installed unless that is forbidden.
fn consent(no_install: bool) -> anyhow::Result<Consent> {
    if no_install || install_forbidden() {
        return Ok(Consent::Forbidden);
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(Consent::Given);
    }
    let line = install_line(Consent::GivenAtTerminal)?;
    if !agrees(&line)? {
        let obstacle = Some(Obstacle::Declined);
        return Err(Error::NoPrograms { found: vec![], obstacle, line: Some(line) }.into());
    }
    Ok(Consent::GivenAtTerminal)
}

/// Enter alone agrees; the end of the input does not.
fn agrees(line: &str) -> anyhow::Result<bool> {
    let mut stderr = std::io::stderr();
    write!(
        stderr,
        "Gaceta keeps its data in PostgreSQL, whose programs are not here.\n\
         Install them, without starting a server ({line})? [Y/n] "
    )?;
    stderr.flush()?;
    let mut answer = String::new();
    let bytes = std::io::stdin().lock().read_line(&mut answer)?;
    Ok(bytes > 0 && matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes"))
}
