//! One of the two builds: its own `gaceta-bench`, which speaks its protocol, with its own servers.

use crate::told::{self, Figures};
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Build {
    name: &'static str,
    /// With its programs.
    directory: PathBuf,
    /// Whether it knows how to measure rows alone, and for a given time. Those before 0.1.0 do not.
    pub knows_alone: bool,
}

impl Build {
    /// Of this checkout.
    pub fn at(name: &'static str, checkout: &Path) -> anyhow::Result<Self> {
        let directory = checkout.join("target/release");
        let directory = directory.canonicalize().with_context(|| format!("{}", directory.display()))?;
        let help = Command::new(directory.join("gaceta-bench")).arg("--help").output();
        let help = help.with_context(|| format!("{}/gaceta-bench", directory.display()))?;
        let help = String::from_utf8_lossy(&help.stdout);
        let knows_alone = ["--alone", "--seconds"].into_iter().all(|flag| help.contains(flag));
        Ok(Self { name, directory, knows_alone })
    }

    /// Measures a row; a row may have several lines.
    pub fn run(&self, row: &str, how: &[String]) -> anyhow::Result<Vec<Figures>> {
        let mut bench = Command::new(self.directory.join("gaceta-bench"));
        bench.args([row, "--json"]).args(how).stdin(Stdio::null());
        bench.env("GACETA_PROGRAMS_DIR", &self.directory); // as they are: nothing is built meanwhile
        let output = bench.output()?;
        let log = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "the {} build, {row}: {}\n{log}", self.name, output.status);
        let figures = told::figures(&output.stdout, &log);
        figures.with_context(|| format!("the {} build, {row}, does not tell what is expected", self.name))
    }
}
