//! `gaceta-bench`: measures Gaceta and what one would take instead, side by side in one run on this machine, and prints
//! what came of it as a table. See `docs/performance.md`.
//!
//! - [`mod@bench`]: the rounds. - [`rows`]: what is measured. - [`references`]: what it is held against.
//! - [`stage`], [`people`]: the service under load. - [`load`]: the load, in a process of its own.
//! - [`figures`], [`costs`], [`report`], [`machine`]: medians, processor time, the table, and where it was made.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a table for people is what it is for

mod bench;
mod costs;
mod figures;
mod load;
mod machine;
mod people;
mod references;
mod report;
mod rows;
mod stage;

use bench::How;
use clap::{Parser, ValueEnum};
use rows::RowId;
use std::io::Read;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// As shells tell what a signal has ended.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

/// Measures Gaceta side by side with what one would take instead
#[derive(Parser)]
#[command(name = "gaceta-bench", version)]
struct Args {
    /// The rows to measure; all without any
    #[arg(ignore_case = true)]
    rows: Vec<RowId>,

    /// Shorter runs: at most six minutes for all rows
    #[arg(long)]
    quick: bool,

    /// The rows alone, each once, without what they are held against
    #[arg(long)]
    alone: bool,

    /// For how long each load of clients that ask again when they are answered is measured
    #[arg(long, value_name = "N", value_parser = seconds)]
    seconds: Option<f64>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// This process is a part of another one's run
    #[arg(long, hide = true, conflicts_with_all = ["rows", "quick", "alone", "seconds", "json"])]
    part: Option<Part>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Part {
    Load,
    Follows,
    Overload,
    Echo,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let ended = match args.part {
        None => measure(args),
        Some(part) => run_part(part).map(|()| ExitCode::SUCCESS),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("gaceta-bench: {error:#}");
        ExitCode::FAILURE
    })
}

/// A missed bar is no failure: figures are the machine's, too.
fn measure(args: Args) -> anyhow::Result<ExitCode> {
    // In the table's order, whatever theirs is: some need figures of rows before them.
    let is_chosen = |row: &RowId| args.rows.is_empty() || args.rows.contains(row);
    let rows: Vec<RowId> = RowId::value_variants().iter().copied().filter(is_chosen).collect();
    let how = How {
        is_quick: args.quick,
        is_alone: args.alone,
        measure_ms: args.seconds.map(|s| (s * 1e3) as u64),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    // What was started goes with what started it, in whichever way that ends.
    let ended = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            report = bench::run(&rows, how) => report.map(Ok),
            interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| Err(INTERRUPTED)).map_err(Into::into),
            _ = terminate.recv() => Ok(Err(TERMINATED)),
        }
    });
    runtime.shutdown_background();
    match ended? {
        Err(code) => return Ok(code.into()),
        Ok(report) if args.json => println!("{}", serde_json::to_string(&report)?),
        Ok(report) => println!("{}", report::text(&report)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Less than a tenth of one says nothing, more than an hour is a slip.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.1..=3_600.0).contains(&seconds) { Ok(seconds) } else { Err("from 0.1 to 3600".into()) }
}

/// What it is to do comes on standard input.
fn run_part(part: Part) -> anyhow::Result<()> {
    // Whoever asked for it may be killed.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    wire::limits::raise_file_limit(); // as servers do: each client is a file
    match part {
        Part::Load => println!("{}", serde_json::to_string(&load::run(&serde_json::from_str(&input)?)?)?),
        Part::Follows => {
            println!("{}", serde_json::to_string(&load::follows::run(&serde_json::from_str(&input)?)?)?);
        }
        Part::Overload => {
            println!("{}", serde_json::to_string(&load::overload::run(&serde_json::from_str(&input)?)?)?);
        }
        Part::Echo => {
            let echo = load::echo::serve(input.parse()?, |address| println!("ready echo={address}"));
            tokio::runtime::Runtime::new()?.block_on(echo)?;
        }
    }
    Ok(())
}
