//! The long command: everything that was promised for the day when servers die, measured, as one table.
//!
//! - [`scenarios`]: killed, paused and rolled servers, and minutes of random faults.
//! - [`network`]: network namespaces with a firewall, and clocks that are wrong; needs root.
//! - [`against`]: load on a service that runs elsewhere, while others do something to it.
//! - [`roll`]: two releases beside each other, replaced one by one.
//! - [`table`]: what came of it.

pub mod against;
pub mod network;
pub mod roll;
pub mod scenarios;
pub mod table;

use crate::chaos::{Judged, Plan};
use crate::history::{Entry, file};
use crate::load::Crowd;
use crate::{check, seed};
use against::{Against, Told};
use clap::Parser;
use std::path::PathBuf;
use table::{Row, Verdict};
use tokio::io::BufReader;

/// Proves what Gaceta promises for the day when servers die, and prints a table of it
#[derive(Debug, Clone, Parser)]
#[command(name = "gaceta-proof")]
pub struct Args {
    /// How long the random faults last
    #[arg(long, default_value_t = 10.0)]
    pub minutes: f64,

    /// What is chosen by chance comes from it; without it another one each time
    #[arg(long)]
    pub seed: Option<u64>,

    /// Judge this history again, and do nothing else
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,

    /// Only the scenarios with this in their name
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,

    /// Start nothing: put the load on the service of these agents, as marks on standard input say what happens to it
    #[arg(
        long,
        value_name = "HOST:PORT,…",
        value_delimiter = ',',
        requires = "database_url_file",
        requires = "admin_password_file",
        conflicts_with_all = ["minutes", "check", "only"]
    )]
    pub against: Vec<String>,

    /// With --against: a file that holds the URL of its database
    #[arg(long, value_name = "FILE", requires = "against")]
    pub database_url_file: Option<PathBuf>,

    /// With --against: a file that holds the password of its administrator `admin`
    #[arg(long, value_name = "FILE", requires = "against")]
    pub admin_password_file: Option<PathBuf>,

    /// Roll from another release, whose programs are in this directory, to this one and back, under a load of each
    #[arg(long, value_name = "DIR", conflicts_with_all = ["minutes", "check", "only", "against"])]
    pub roll: Option<PathBuf>,

    /// With --roll: what `gaceta --json subscriptions` of this release shows above 0 where its own agents serve, and as 0 else
    #[arg(long, value_name = "KEY", requires = "roll")]
    pub shows: Option<String>,

    /// With --against: write the history here, whatever came of it
    #[arg(long, value_name = "FILE", requires = "against")]
    pub history: Option<PathBuf>,
}

/// Runs what was asked for and tells it line by line, and apart from that what is wrong; whether all of it is as promised.
pub async fn run(args: Args, mut tell: impl FnMut(&str), warn: impl FnMut(&str)) -> anyhow::Result<bool> {
    if let Some(path) = &args.check {
        let entries = file::read(path)?;
        let found = check::check(&entries);
        if !entries.iter().any(|entry| matches!(entry, Entry::Area(_))) {
            tell("the run ended before its final state was read: much will seem lost that may not be");
        }
        tell(&crate::chaos::told(&check::availability::figures(&entries)));
        tell(&format!("{} entries, {} violations\n{}", entries.len(), found.len(), check::told(&found)));
        return Ok(found.is_empty());
    }
    let seed = args.seed.unwrap_or_else(seed::fresh);
    if let (Some(url), Some(password)) = (&args.database_url_file, &args.admin_password_file) {
        let against = Against {
            database_url: server::options::secret(url)?,
            admin_password: server::options::secret(password)?,
            agents: args.against,
            seed,
            crowd: Crowd::lean(),
            history: args.history,
        };
        let marks = BufReader::new(tokio::io::stdin());
        return against::run(&against, marks, &mut Told { out: tell, err: warn }).await;
    }
    if let Some(old) = &args.roll {
        return roll::run(old, args.shows.as_deref(), seed, &mut Told { out: tell, err: warn }).await;
    }
    tell(&format!("seed {seed}"));
    let mut rows: Vec<Row> = vec![];
    for name in scenarios::NAMES.iter().chain(&network::NAMES) {
        if args.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        tell(&format!("{name} …"));
        let measured = match scenarios::run(name, seed, args.minutes).await {
            Some(measured) => measured,
            None => network::run(name, seed).await,
        };
        for row in &measured {
            tell(&row.line());
        }
        rows.extend(measured);
    }
    tell(&format!("\n{}", table::table(&rows)));
    Ok(rows.iter().all(|row| row.verdict != Verdict::Missed))
}

/// What the checker says of a run, for its row: nothing, or how much and where to look.
pub fn judged(plan: &Plan, judged: &Judged) -> Option<String> {
    if judged.violations.is_empty() && judged.mishaps.is_empty() {
        return None;
    }
    let path = judged.keep(plan);
    let mishaps: String = judged.mishaps.iter().map(|mishap| format!("  {mishap}\n")).collect();
    Some(format!(
        "{} violations, {} servers ended by themselves, history in {}:\n{}{mishaps}",
        judged.violations.len(),
        judged.mishaps.len(),
        path.display(),
        check::told(&judged.violations)
    ))
}
