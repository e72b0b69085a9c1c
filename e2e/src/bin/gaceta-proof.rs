//! `gaceta-proof`: measures what was promised for the day when servers die. See `docs/reliability.md`.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a table for people is what it is for

use clap::Parser;
use gaceta_e2e::proof::{Args, run};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let all_met = run(Args::parse(), |line| println!("{line}"), |line| eprintln!("{line}")).await?;
    Ok(if all_met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
