//! Load on a service that runs elsewhere, while somebody else does something to it and says when: `gaceta-proof --against`.
//!
//! Marks come in as lines, one at a time, and each is answered with one line when it was taken. At the end of the marks
//! everybody comes to rest, the history is judged, and there is a row for each phase and one for the whole.

use super::table::{Row, Verdict};
use crate::chaos::{quiet, watch_leader};
use crate::check::phases::{Phase, phases};
use crate::check::{self, availability};
use crate::history::recorder::Recorder;
use crate::history::{Entry, Fault, Run, file};
use crate::load::place::Place;
use crate::load::{Crowd, Load, OPERATION_WAIT};
use crate::seed::Chance;
use anyhow::Context;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufRead, AsyncBufReadExt};
use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, NoTls};

/// In the history, and in the name of its file.
const NAME: &str = "against";
/// What a phase's line tells may have begun so long before it: more than any operation takes.
const BEFORE: Duration = OPERATION_WAIT.saturating_mul(3);
/// Everybody has asked for something by then, even on a machine that has more to do than it can.
const AT_WORK_WAIT: Duration = Duration::from_secs(60);
/// The database should be there at the end; it may have been started a moment ago.
const DATABASE_WAIT: Duration = Duration::from_secs(60);
const CONNECT_WAIT: Duration = Duration::from_secs(5);
const CONNECT_PAUSE: Duration = Duration::from_millis(200);
/// Failed operations that a row shows in full.
const FAILED_SHOWN_MAX: usize = 20;

#[derive(Debug, Clone)]
pub struct Against {
    /// `HOST:PORT`; a name may have several addresses, which may change.
    pub agents: Vec<String>,
    pub database_url: String,
    pub admin_password: String,
    pub seed: u64,
    pub crowd: Crowd,
    /// Where the history is written, in any case. Without it: below the temporary directory, if something is wrong.
    pub history: Option<PathBuf>,
}

/// What a line wants.
#[derive(Debug, PartialEq)]
enum Mark<'a> {
    Begin { what: &'a str, without_database: bool },
    End,
}

/// A phase that has begun.
struct Open {
    what: String,
    without_database: bool,
    began_us: u64,
}

/// What is told on the way, and what is wrong.
pub struct Told<O, E> {
    pub out: O,
    pub err: E,
}

/// Works until the marks end, and judges; whether all is as it should be. A mark that makes no sense is told, changes nothing,
/// and is a failure in the end: whoever sent it has one phase less than he thinks. Fails where the service does not answer at
/// the beginning or refuses what the load needs; panics where it is not well in the end.
pub async fn run(
    against: &Against,
    marks: impl AsyncBufRead + Unpin,
    told: &mut Told<impl FnMut(&str), impl FnMut(&str)>,
) -> anyhow::Result<bool> {
    let seed = against.seed;
    let recorder = Recorder::default();
    let kept = against.history.clone().unwrap_or_else(|| file::kept(NAME, seed));
    let _kept = recorder.kept_in_a_panic_at(kept.clone());
    recorder.put(Entry::Run(Run { name: NAME.into(), seed }));
    let place = Place::elsewhere(against.agents.clone(), against.admin_password.clone(), seed);
    let load = Load::start(recorder.clone(), place, against.crowd.clone(), &Chance::new(seed)).await;
    let load = load.context("the load cannot begin")?;
    let watching = tokio::spawn(watch_leader(against.database_url.clone(), recorder.clone()));
    timeout(AT_WORK_WAIT, load.at_work()).await.context("not everybody can begin to work")?;
    (told.out)("ready");
    let are_sound = take(&recorder, marks, told).await?;
    let client = database(&against.database_url).await?;
    let entries = quiet(load, &client).await;
    watching.abort();
    let rows = rows(&entries, seed);
    let is_met = rows.iter().all(|row| row.verdict == Verdict::Met);
    if !is_met || against.history.is_some() {
        file::write(&kept, &entries)?;
        (told.err)(&format!("the history is in {}", kept.display()));
    }
    for row in &rows {
        row.detail.iter().for_each(|detail| (told.err)(&format!("{}:\n{detail}", row.name)));
    }
    (told.out)(&format!("\n{}", super::table::table(&rows)));
    Ok(is_met && are_sound)
}

/// Takes the marks until they end; whether all of them made sense.
async fn take(
    recorder: &Recorder,
    marks: impl AsyncBufRead + Unpin,
    told: &mut Told<impl FnMut(&str), impl FnMut(&str)>,
) -> anyhow::Result<bool> {
    let mut lines = marks.lines();
    let mut open: Option<Open> = None;
    let mut are_sound = true;
    while let Some(line) = lines.next_line().await.context("cannot read the marks")? {
        let wrong = match (mark(&line), open.take()) {
            (Ok(Mark::Begin { what, without_database }), None) => {
                open = Some(Open { what: what.into(), without_database, began_us: recorder.now_us() });
                (told.out)(&format!("began {what}"));
                continue;
            }
            (Ok(Mark::End), Some(open)) => {
                (told.out)(&end(recorder, open));
                continue;
            }
            (Ok(Mark::End), None) => "no phase is open".into(),
            (Ok(Mark::Begin { .. }), Some(still)) => {
                let wrong = format!("{} has not ended", still.what);
                open = Some(still);
                wrong
            }
            (Err(why), still) => {
                open = still;
                why.into()
            }
        };
        are_sound = false;
        (told.err)(&format!("{line:?}: {wrong}"));
    }
    if let Some(open) = open {
        (told.out)(&end(recorder, open));
    }
    Ok(are_sound)
}

fn mark(line: &str) -> Result<Mark<'_>, &'static str> {
    let (verb, what) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let what = what.trim();
    match verb {
        "begin" | "begin-without-database" if what.is_empty() => Err("begin what?"),
        "begin" => Ok(Mark::Begin { what, without_database: false }),
        "begin-without-database" => Ok(Mark::Begin { what, without_database: true }),
        "end" if what.is_empty() => Ok(Mark::End),
        _ => Err("a mark is `begin WHAT`, `begin-without-database WHAT` or `end`"),
    }
}

/// Writes the phase down, and tells what it did so far: what has not come to its end yet is only in the table.
fn end(recorder: &Recorder, Open { what, without_database, began_us }: Open) -> String {
    let ended_us = recorder.now_us();
    recorder.put(Entry::Fault(Fault { what, without_database, began_us, ended_us }));
    // The whole history would stop everybody for a moment.
    let mut recent = recorder.since(began_us.saturating_sub(BEFORE.as_micros() as u64));
    let is_other = |entry: &Entry| matches!(entry, Entry::Fault(fault) if fault.began_us != began_us);
    recent.retain(|entry| !is_other(entry));
    let phase = phases(&recent).0.remove(0);
    format!(
        "ended {}: {} operations, {} failed, longest pause {} ms, slowest operation {} ms, no post for {} ms, \
         nothing shown for {} ms",
        phase.what,
        phase.operations,
        phase.failed.len(),
        phase.longest_pause_ms(),
        phase.slowest_operation_ms,
        phase.without_post_ms,
        phase.without_read_ms
    )
}

/// A connection for the end: whatever was moved or restored meanwhile, it leads to what is there now.
async fn database(url: &str) -> anyhow::Result<Client> {
    let begun = Instant::now();
    loop {
        let why = match timeout(CONNECT_WAIT, tokio_postgres::connect(url, NoTls)).await {
            Ok(Ok((client, connection))) => {
                tokio::spawn(connection);
                return Ok(client);
            }
            Ok(Err(error)) => anyhow::Error::new(error),
            Err(late) => late.into(),
        };
        if begun.elapsed() > DATABASE_WAIT {
            return Err(why.context("the database does not answer in the end"));
        }
        sleep(CONNECT_PAUSE).await;
    }
}

fn rows(entries: &[Entry], seed: u64) -> Vec<Row> {
    let violations = check::check(entries);
    let figures = availability::figures(entries);
    let (phases, outside) = phases(entries);
    let mut rows: Vec<Row> = phases.iter().map(|phase| row(phase, seed)).collect();
    let measured = format!(
        "{} operations, {} deliveries, {} violations; outside of the phases {} operations failed",
        figures.succeeded + figures.refused + figures.unknown,
        figures.delivered,
        violations.len(),
        outside.len()
    );
    rows.push(Row {
        name: "the whole run".into(),
        target: "0 violations, 0 failed operations outside of the phases".into(),
        measured,
        verdict: verdict(violations.is_empty() && outside.is_empty()),
        seed,
        detail: detail(check::told(&violations), &outside),
    });
    rows
}

fn row(phase: &Phase, seed: u64) -> Row {
    let (target, unavailable) = if phase.without_database {
        let target = "each operation succeeded or said unavailable within its deadline";
        (target, format!(", {} said unavailable", phase.unavailable))
    } else {
        ("0 failed client operations", String::new())
    };
    let measured = format!(
        "{} of {} operations failed{unavailable}; longest pause {} ms: slowest operation {} ms, slowest delivery \
         {} ms; no post for {} ms, nothing shown for {} ms",
        phase.failed.len(),
        phase.operations,
        phase.longest_pause_ms(),
        phase.slowest_operation_ms,
        phase.slowest_delivery_ms,
        phase.without_post_ms,
        phase.without_read_ms
    );
    Row {
        name: phase.what.clone(),
        target: target.into(),
        measured,
        // In a phase in which nobody did anything nothing was shown.
        verdict: verdict(phase.operations > 0 && phase.failed.is_empty()),
        seed,
        detail: detail(String::new(), &phase.failed),
    }
}

fn verdict(is_met: bool) -> Verdict {
    if is_met { Verdict::Met } else { Verdict::Missed }
}

fn detail(mut text: String, failed: &[String]) -> Option<String> {
    failed.iter().take(FAILED_SHOWN_MAX).for_each(|failed| text += &format!("  {failed}\n"));
    if failed.len() > FAILED_SHOWN_MAX {
        text += &format!("  and {} more\n", failed.len() - FAILED_SHOWN_MAX);
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn taken(marks: &str) -> (bool, Vec<String>, Vec<String>, usize) {
        let recorder = Recorder::default();
        let (mut out, mut err) = (vec![], vec![]);
        let mut told =
            Told { out: |line: &str| out.push(line.to_owned()), err: |line: &str| err.push(line.to_owned()) };
        let are_sound = take(&recorder, marks.as_bytes(), &mut told).await.unwrap();
        (are_sound, out, err, recorder.entries().len())
    }

    #[tokio::test]
    async fn a_mark_that_makes_no_sense_is_told_and_changes_nothing() {
        let marks = "bgin a\nend\nbegin\nbegin a\nbegin b\nbegin-without-database c\nend it\nend\n";
        let (are_sound, out, err, phases) = taken(marks).await;
        assert!(!are_sound);
        assert_eq!(out.len(), 2, "{out:?}");
        assert_eq!(out[0], "began a");
        assert!(out[1].starts_with("ended a: 0 operations, 0 failed, "), "{out:?}");
        let whys = ["a mark is", "no phase", "begin what?", "a has not", "a has not", "a mark is"];
        assert_eq!(err.len(), whys.len(), "{err:?}");
        assert!(err.iter().zip(whys).all(|(line, why)| line.contains(why)), "{err:?}");
        assert_eq!(phases, 1);
    }

    #[tokio::test]
    async fn the_end_of_the_marks_ends_the_phase_that_is_open() {
        let (are_sound, out, err, phases) = taken("begin nodes 3 to 5\nend\nbegin  the last ").await;
        assert!(are_sound && err.is_empty());
        assert_eq!([&out[0], &out[2]], ["began nodes 3 to 5", "began the last"]);
        assert!(out[3].starts_with("ended the last: "));
        assert_eq!(phases, 2);
    }
}
