//! Man pages, made of the one definition of the commands.

use crate::command::Cli;
use crate::exit::Failure;
use crate::outcome::Outcome;
use crate::topics;
use anyhow::Context as _;
use clap::CommandFactory;
use clap_mangen::Man;
use std::path::{Path, PathBuf};

/// gaceta(1), or with a directory one page for each command in it.
pub fn man(dir: Option<&Path>) -> Result<Outcome, Failure> {
    let topics = format!("{}\n\n{}", topics::EXIT_CODES, topics::ENVIRONMENT);
    let mut definition = Cli::command().after_long_help(topics).disable_help_subcommand(true);
    definition.build();
    let Some(dir) = dir else {
        let mut page = Vec::new();
        Man::new(definition).render(&mut page).context("cannot make the page")?;
        return Ok(Outcome::Text(String::from_utf8_lossy(&page).into_owned()));
    };
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make the directory {}", dir.display()))?;
    let mut files = Vec::new();
    write_pages(definition, dir, &mut files)?;
    files.sort();
    Ok(Outcome::Written { files })
}

/// The pages of the commands under this one, and its own.
fn write_pages(definition: clap::Command, dir: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for command in definition.get_subcommands().filter(|command| !command.is_hide_set()) {
        write_pages(command.clone(), dir, files)?;
    }
    let page = Man::new(definition);
    let path = dir.join(page.get_filename());
    page.generate_to(dir).with_context(|| format!("cannot write {}", path.display()))?;
    files.push(path);
    Ok(())
}
