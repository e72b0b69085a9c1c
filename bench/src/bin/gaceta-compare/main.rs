//! `gaceta-compare`: what a change costs. Runs the `gaceta-bench` of two builds in turns, and prints the median and the 90 %
//! interval of the ratios of their pairs. `bench/compare` builds both and calls it. See `docs/performance.md`.
//!
//! - [`build`]: one of the two. - [`told`]: the figures of one run. - [`ratio`]: what many pairs say. - [`table`]: the answer.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a table for people is what it is for

mod build;
mod ratio;
mod table;
mod told;

use anyhow::Context;
use build::Build;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use table::Line;
use told::Figures;

/// Fewer pairs say too little for a verdict: from 12 on an interval leaves out the two extreme pairs at each end.
const PAIRS_MIN: usize = 12;
/// The rows that limits of cost are about.
const ROWS: [&str; 5] = ["B1", "B3", "B4", "B5", "B7"];
/// A cost is above its limit. Not the code of a run that failed.
const OVER: u8 = 3;

/// Compares two builds: the ratios, new to old, of throughput and of processor time of an operation
#[derive(Parser)]
#[command(name = "gaceta-compare", version)]
struct Args {
    /// A checkout with a release build in its `target`
    old: PathBuf,
    /// Another one, or the same
    new: PathBuf,

    /// Rows of gaceta-bench [default: B1 B3 B4 B5 B7]
    rows: Vec<String>,

    /// Runs of each build, in turns: the old one goes first in one pair, the new one in the next
    #[arg(long, default_value_t = PAIRS_MIN, value_name = "N")]
    pairs: usize,

    /// For how long each load is measured
    #[arg(long, default_value_t = 2.0, value_name = "N")]
    seconds: f64,

    /// Fail where the median of µs an operation is above this
    #[arg(long, value_name = "RATIO")]
    limit: Option<f64>,
}

fn main() -> ExitCode {
    compare(&Args::parse()).unwrap_or_else(|error| {
        eprintln!("gaceta-compare: {error:#}");
        ExitCode::FAILURE
    })
}

fn compare(args: &Args) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        args.limit.is_none() || args.pairs >= PAIRS_MIN,
        "a limit is judged by {PAIRS_MIN} pairs at the least"
    );
    anyhow::ensure!(args.pairs > 0, "no pairs, no answer");
    let (old, new) = (Build::at("old", &args.old)?, Build::at("new", &args.new)?);
    // What one of them does not know is asked of neither.
    let knows_all = old.knows_alone && new.knows_alone;
    let how: Vec<String> = if knows_all {
        ["--quick", "--alone", "--seconds", &args.seconds.to_string()].map(String::from).to_vec()
    } else {
        eprintln!(
            "one of the builds knows no --alone: both measure what rows are held against, too, which takes long"
        );
        vec!["--quick".into()]
    };
    let rows: Vec<&str> =
        if args.rows.is_empty() { ROWS.to_vec() } else { args.rows.iter().map(String::as_str).collect() };
    let began = Instant::now();
    let mut lines: Vec<Line> = vec![];
    for pair in 0..args.pairs {
        for row in &rows {
            // ABBA: what the machine does more and more, or less and less, meets both alike.
            let (of_old, of_new) = if pair.is_multiple_of(2) {
                let of_old = old.run(row, &how)?;
                (of_old, new.run(row, &how)?)
            } else {
                let of_new = new.run(row, &how)?;
                (old.run(row, &how)?, of_new)
            };
            eprintln!("{:5} s  pair {} of {}, {row}", began.elapsed().as_secs(), pair + 1, args.pairs);
            put(&mut lines, of_old, of_new).with_context(|| format!("row {row}"))?;
        }
    }
    println!("{}", table::text(&lines, args.pairs, args.limit));
    let is_over = args.limit.is_some_and(|limit| lines.iter().any(|line| !line.keeps(limit)));
    Ok(if is_over { OVER.into() } else { ExitCode::SUCCESS })
}

/// Adds a pair to the lines that its figures belong to. Both builds have a row's lines in the same order.
fn put(lines: &mut Vec<Line>, old: Vec<Figures>, new: Vec<Figures>) -> anyhow::Result<()> {
    anyhow::ensure!(
        old.len() == new.len(),
        "the old build tells {} lines, the new one {}",
        old.len(),
        new.len()
    );
    for (old, new) in old.into_iter().zip(new) {
        eprintln!("         {}: old {old}; new {new}", new.name);
        let line = match lines.iter_mut().find(|line| (&line.id, line.place) == (&new.id, new.place)) {
            Some(line) => line,
            None => lines.push_mut(Line::of(&new)),
        };
        line.pairs.push((old, new));
    }
    Ok(())
}
