//! Two releases beside each other: agents, nodes, loads and clients of an older one and of this one, on one database, replaced one
//! by one and then back, under loads that are judged. `e2e/roll` builds the older one and calls `gaceta-proof --roll`.
//!
//! - [`loads`]: a load of each release, as a process that judges itself. - [`shell`]: one person whose client is replaced, too.
//! - [`served`]: who made or served how much: a release that nobody used proves nothing.

pub mod loads;
pub mod served;
pub mod shell;

use super::against::Told;
use super::table::{Row, Verdict, table};
use crate::fleet::{Fleet, Member};
use crate::programs;
use crate::service::PASSWORD;
use anyhow::Context;
use loads::{Load, Phase};
use served::{ENOUGH, Life, Served};
use shell::Shell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// As many as one can take away without leaving a single one.
const AGENTS: usize = 2;
const NODES: usize = 3;
/// After a replacement, at the least: what it did to people is over.
const CALM: Duration = Duration::from_secs(2);
/// Whoever has not served enough by then is never asked.
const SERVED_WAIT: Duration = Duration::from_secs(300);
const SERVED_LOOK: Duration = Duration::from_millis(100);

/// A release, by its programs.
#[derive(Debug, Clone)]
pub struct Release {
    /// `old 0.1.0`, `new 0.2.0`: the same number may be on both sides.
    pub name: String,
    pub programs: PathBuf,
}

impl Release {
    fn at(which: &str, programs: &Path) -> anyhow::Result<Self> {
        let programs = programs.canonicalize().with_context(|| format!("{}", programs.display()))?;
        let told = Command::new(programs.join("gaceta-agent")).arg("--version").output();
        let told = told.with_context(|| format!("{}/gaceta-agent", programs.display()))?;
        let told = String::from_utf8_lossy(&told.stdout);
        let version = told.trim().rsplit(' ').next().unwrap_or_default();
        Ok(Self { name: format!("{which} {version}"), programs })
    }
}

/// One run: what stands on the stage, and what was seen.
struct Roll<'a, O, E> {
    fleet: Fleet,
    loads: [Load; 2],
    shell: Shell,
    lives: Vec<Life>,
    served: Vec<Served>,
    /// What is wrong apart from what the loads judge.
    faults: Vec<String>,
    told: &'a mut Told<O, E>,
}

/// Rolls from the release in `old` to this one and back; whether nobody noticed, and everybody was used. `shows`: what this release's client
/// shows of a subscription that the older one's agents do not know.
pub async fn run(
    old: &Path,
    shows: Option<&str>,
    seed: u64,
    told: &mut Told<impl FnMut(&str), impl FnMut(&str)>,
) -> anyhow::Result<bool> {
    let (old, new) = (Release::at("old", old)?, Release::at("new", programs::directory())?);
    let fleet = Fleet::start_of(&old.programs, AGENTS, NODES).await;
    let directory = files(&fleet)?;
    (told.out)(&format!("seed {seed}; {} beside {}, {AGENTS} agents and {NODES} nodes", old.name, new.name));
    // One after the other: each of them wants to see everybody at work within a minute.
    let first = Load::start(&old, &fleet, directory.path(), seed).await?;
    let loads = [first, Load::start(&new, &fleet, directory.path(), seed ^ 1).await?];
    let shell = Shell::start(&fleet, [&old, &new]).await?;
    let lives = fleet.members().map(|member| Life::begin(member, &old)).collect();
    let mut roll = Roll { fleet, loads, shell, lives, served: vec![], faults: vec![], told };
    roll.phase(format!("all of {}", old.name), None).await?;
    roll.look_at_subscriptions([&old, &new], shows, false).await;
    for (from, to) in [(&old, &new), (&new, &old)] {
        for place in 0..=AGENTS + NODES {
            let who = roll.lives.get(place).map_or(shell::FOLLOW, |life| &life.name);
            roll.phase(format!("{who}: {} to {}", from.name, to.name), Some((place, to))).await?;
        }
        roll.look_at_subscriptions([&old, &new], shows, to.name == new.name).await;
    }
    roll.judge(&old, &new, seed).await
}

/// What the loads are given.
fn files(fleet: &Fleet) -> anyhow::Result<TempDir> {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join(loads::DATABASE_URL), &fleet.database.dsn)?;
    std::fs::write(directory.path().join(loads::PASSWORD), PASSWORD)?;
    Ok(directory)
}

impl<O: FnMut(&str), E: FnMut(&str)> Roll<'_, O, E> {
    /// Replaces a server, or the person's client, and lasts until everybody has served enough.
    async fn phase(&mut self, what: String, replaced: Option<(usize, &Release)>) -> anyhow::Result<()> {
        for load in &mut self.loads {
            load.begin(&what).await?;
        }
        let begun = Instant::now();
        match replaced {
            None => {}
            Some((place, to)) if place < self.lives.len() => self.replace(place, to).await,
            Some((_, to)) => self.served.push(self.shell.replace(to).await),
        }
        sleep(CALM).await;
        while !self.have_served() && begun.elapsed() < SERVED_WAIT {
            sleep(SERVED_LOOK).await;
            self.shell.look();
        }
        for load in &mut self.loads {
            let line = load.end().await?;
            (self.told.out)(&format!("{} {line}", load.release));
        }
        Ok(())
    }

    fn have_served(&self) -> bool {
        let members = self.fleet.members().zip(&self.lives);
        self.shell.has_shown(ENOUGH)
            && members.into_iter().all(|(member, life)| life.served(member) >= ENOUGH)
    }

    /// With both clients: what one release shows and the other one's agents do not tell is shown as nothing.
    async fn look_at_subscriptions(&mut self, releases: [&Release; 2], shows: Option<&str>, is_known: bool) {
        for release in releases {
            let subscriptions = self.shell.subscriptions(release).await;
            let is_new = release.name == releases[1].name;
            let is_right = match (&subscriptions, shows) {
                (Ok(one), Some(key)) if is_new => {
                    one[key].as_i64().is_some_and(|shown| (shown > 0) == is_known)
                }
                (shown, _) => shown.is_ok(),
            };
            if !is_right {
                self.faults.push(format!("`gaceta subscriptions` of {}: {subscriptions:?}", release.name));
            }
        }
    }

    /// As an orchestrator does it that stops before it starts: nobody can be reached at this address meanwhile.
    async fn replace(&mut self, place: usize, to: &Release) {
        let Some(member) = self.fleet.members().nth(place) else { return };
        let code = member.terminate().await;
        if code != Some(0) {
            self.faults.push(format!("{} of {} ended with {code:?}", member.name, self.lives[place].release));
        }
        self.served.push(self.lives[place].end(member));
        member.be_of(Some(&to.programs));
        member.begin().await;
        self.lives[place] = Life::begin(member, to);
    }

    async fn judge(mut self, old: &Release, new: &Release, seed: u64) -> anyhow::Result<bool> {
        for (member, life) in self.fleet.members().zip(&self.lives) {
            self.served.push(life.end(member));
        }
        self.faults.extend(ended_by_themselves(&self.fleet).await);
        let (of_shell, faults) = self.shell.end().await?;
        self.served.extend(of_shell);
        self.faults.extend(faults);
        // Both stop at once: who comes to rest first must not wait for the other's articles, and does not see them.
        let [first, second] = self.loads;
        let (first, second) = tokio::try_join!(first.rest(), second.rest())?;
        self.served.extend(first.served.iter().chain(&second.served).cloned());
        for log in [&first.log, &second.log].into_iter().filter(|log| !log.is_empty()) {
            (self.told.err)(log);
        }
        let idle: Vec<_> =
            self.served.iter().filter(|one| one.amount < ENOUGH).map(Served::to_string).collect();
        self.faults.extend(idle.into_iter().map(|idle| format!("too little to prove anything: {idle}")));
        self.faults.iter().for_each(|fault| (self.told.err)(fault));
        (self.told.out)(&phases(old, new, &first.phases, &second.phases));
        (self.told.out)(&served::table(&self.served));
        let is_met = first.is_met && second.is_met && self.faults.is_empty();
        let least = self.served.iter().min_by_key(|one| one.amount).map_or(String::new(), Served::to_string);
        let row = Row {
            name: format!("{} and {} rolled, and back", old.name, new.name),
            target: format!(
                "0 failed operations, 0 violations, at least {ENOUGH} operations by each process"
            ),
            measured: format!(
                "by {}: {}; by {}: {}; least used: {least}",
                old.name,
                first.whole(),
                new.name,
                second.whole()
            ),
            verdict: if is_met { Verdict::Met } else { Verdict::Missed },
            seed,
            detail: None,
        };
        (self.told.out)(&table(&[row]));
        Ok(is_met)
    }
}

/// Nobody told them to.
async fn ended_by_themselves(fleet: &Fleet) -> Vec<String> {
    let mut faults = vec![];
    for member in fleet.members() {
        if let Some(log) = Member::ended_by_itself(member).await {
            faults.push(format!("{} had ended by itself:\n{log}", member.name));
        }
    }
    faults
}

/// What each load saw of each phase, side by side.
fn phases(old: &Release, new: &Release, of_old: &[Phase], of_new: &[Phase]) -> String {
    let mut text =
        format!("\n| what | load of {} | load of {} | |\n| --- | --- | --- | --- |\n", old.name, new.name);
    for (one, other) in of_old.iter().zip(of_new) {
        let verdict = if one.is_met && other.is_met { "met" } else { "NOT MET" };
        text += &format!("| {} | {} | {} | {verdict} |\n", one.what, one.measured, other.measured);
    }
    text
}
