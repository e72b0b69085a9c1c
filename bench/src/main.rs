//! `gaceta-bench`: measures Gaceta and what one would take instead, side by side in one run on this machine, and prints
//! what came of it as a table. See `docs/performance.md`.
//!
//! - [`bench`]: the rounds. - [`rows`]: what is measured. - [`references`]: what it is held against.
//! - [`stage`], [`people`]: the service under load. - [`load`]: the load, in a process of its own.
//! - [`figures`], [`report`], [`machine`]: medians, the table, and where it was made.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a table for people is what it is for

mod bench;
mod figures;
mod load;
mod machine;
mod people;
mod references;
mod report;
mod rows;
mod stage;

use clap::{Parser, ValueEnum};
use rows::RowId;
use std::io::Read;

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

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// This process is a part of another one's run
    #[arg(long, hide = true, conflicts_with_all = ["rows", "quick", "json"])]
    part: Option<Part>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Part {
    Load,
    Follows,
    Echo,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.part {
        None => tokio::runtime::Runtime::new()?.block_on(measure(args)),
        Some(part) => run_part(part),
    }
}

async fn measure(args: Args) -> anyhow::Result<()> {
    let rows = if args.rows.is_empty() { RowId::value_variants().to_vec() } else { args.rows };
    let report = bench::run(&rows, args.quick).await?;
    match args.json {
        true => println!("{}", serde_json::to_string(&report)?),
        false => println!("{}", report::text(&report)),
    }
    Ok(())
}

/// What it is to do comes on standard input.
fn run_part(part: Part) -> anyhow::Result<()> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    wire::limits::raise_file_limit(); // as servers do: each client is a file
    match part {
        Part::Load => println!("{}", serde_json::to_string(&load::run(&serde_json::from_str(&input)?)?)?),
        Part::Follows => {
            println!("{}", serde_json::to_string(&load::follows::run(&serde_json::from_str(&input)?)?)?);
        }
        Part::Echo => {
            let echo = load::echo::serve(input.parse()?, |address| println!("ready echo={address}"));
            tokio::runtime::Runtime::new()?.block_on(echo)?;
        }
    }
    Ok(())
}
