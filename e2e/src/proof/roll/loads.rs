//! A load of one release: its own `gaceta-proof --against` with its own clients, as a process. It judges what its people saw, as
//! that release would have judged it.

use super::Release;
use super::served::{self, Served};
use crate::fleet::Fleet;
use crate::processes::clean_command;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;

/// Files that it is given.
pub const DATABASE_URL: &str = "database-url";
pub const PASSWORD: &str = "password";

pub struct Load {
    /// The name of its release.
    pub release: String,
    child: Child,
    marks: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
    log: JoinHandle<String>,
    history: PathBuf,
}

/// What it says of a phase, or of the whole run.
pub struct Phase {
    pub what: String,
    pub measured: String,
    pub is_met: bool,
}

/// What came of it.
pub struct Judged {
    /// The last one is the whole run.
    pub phases: Vec<Phase>,
    pub served: Vec<Served>,
    /// What it told on standard error.
    pub log: String,
    pub is_met: bool,
}

impl Judged {
    /// In a few words.
    pub fn whole(&self) -> &str {
        self.phases.last().map_or("nothing told", |phase| &phase.measured)
    }
}

impl Load {
    /// At work when this returns.
    pub async fn start(release: &Release, fleet: &Fleet, files: &Path, seed: u64) -> anyhow::Result<Self> {
        let history = files.join(format!("history-{seed}.jsonl"));
        let agents: Vec<String> = fleet.agent_addresses().iter().map(ToString::to_string).collect();
        let mut command = clean_command(&release.programs.join("gaceta-proof"));
        command.args(["--against", &agents.join(","), "--seed", &seed.to_string()]);
        command.arg("--database-url-file").arg(files.join(DATABASE_URL));
        command.arg("--admin-password-file").arg(files.join(PASSWORD));
        command.arg("--history").arg(&history).env("GACETA_PROGRAMS_DIR", &release.programs);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        let marks = child.stdin.take().context("a pipe")?;
        let told = BufReader::new(child.stdout.take().context("a pipe")?).lines();
        let mut stderr = child.stderr.take().context("a pipe")?;
        let log = tokio::spawn(async move {
            let mut log = String::new();
            let _ = stderr.read_to_string(&mut log).await; // what could be read is told
            log
        });
        let mut load = Self { release: release.name.clone(), child, marks, told, log, history };
        load.said("ready").await?;
        Ok(load)
    }

    pub async fn begin(&mut self, what: &str) -> anyhow::Result<()> {
        self.marks.write_all(format!("begin {what}\n").as_bytes()).await?;
        self.said(&format!("began {what}")).await.map(drop)
    }

    /// What it has seen of the phase so far.
    pub async fn end(&mut self) -> anyhow::Result<String> {
        self.marks.write_all(b"end\n").await?;
        self.said("ended ").await
    }

    /// The next line, which begins like this.
    async fn said(&mut self, begin: &str) -> anyhow::Result<String> {
        match self.told.next_line().await? {
            Some(line) if line.starts_with(begin) => Ok(line),
            Some(line) => bail!("the load of {} says {line:?}, not {begin:?}", self.release),
            None => bail!("the load of {} ended:\n{}", self.release, (&mut self.log).await?),
        }
    }

    /// Everybody comes to rest, and is judged.
    pub async fn rest(mut self) -> anyhow::Result<Judged> {
        drop(self.marks);
        let mut phases = vec![];
        while let Some(line) = self.told.next_line().await? {
            phases.extend(phase(&line));
        }
        let is_met = self.child.wait().await?.success();
        let log = self.log.await?;
        let served = served::of_history(&self.release, &self.history)
            .with_context(|| format!("the load of {}:\n{log}", self.release))?;
        // Where nothing is missed, it only says where the history is.
        Ok(Judged { phases, served, log: if is_met { String::new() } else { log }, is_met })
    }
}

/// A row of its table: what, target, measured, verdict, seed, date.
fn phase(line: &str) -> Option<Phase> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.split(" | ").collect();
    let [what, _, measured, verdict, ..] = cells[..] else { return None };
    let is_met = match verdict {
        "met" => true,
        "NOT MET" => false,
        _ => return None, // the head
    };
    // What the longest pause was of says more than a table needs.
    let measured = measured.split(": slowest").next().unwrap_or_default();
    Some(Phase { what: what.into(), measured: measured.into(), is_met })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::table::{Row, Verdict, table};

    #[test]
    fn the_rows_of_a_loads_table_are_its_phases() {
        let row = |verdict| Row {
            name: "node 1: old to new".into(),
            target: "0 failed client operations".into(),
            measured:
                "0 of 12 operations failed; longest pause 7 ms: slowest operation 7 ms, slowest delivery 5 ms"
                    .into(),
            verdict,
            seed: 7,
            detail: None,
        };
        let told = table(&[row(Verdict::Met), row(Verdict::Missed)]);
        let phases: Vec<Phase> = told.lines().filter_map(phase).collect();
        assert_eq!(phases.iter().map(|phase| phase.is_met).collect::<Vec<_>>(), [true, false]);
        assert_eq!(phases[0].what, "node 1: old to new");
        assert_eq!(phases[0].measured, "0 of 12 operations failed; longest pause 7 ms");
    }
}
