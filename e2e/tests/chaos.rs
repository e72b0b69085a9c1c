//! A minute of everything at once: writers, followers, readers and sessions that end, while agents, nodes, PostgreSQL and
//! the connections between them are killed, paused, rolled and cut off. Then quiet, and the checker: nothing lost,
//! doubled, out of order, missed or allowed that must not be (I1–I7). What is chosen by chance comes from the printed
//! seed; `GACETA_SEED` gives it back; `GACETA_KEEP_HISTORY=1` keeps the history of a good run, too. Times are printed, and decide nothing.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // clippy knows tests, and not what helps them

use gaceta_e2e::chaos::{Plan, run, told};
use gaceta_e2e::check;
use gaceta_e2e::load::Crowd;
use gaceta_e2e::seed;
use std::time::Duration;

const TIME: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_to_i7_hold_through_a_minute_of_random_faults() {
    let seed = seed::from_environment();
    println!("GACETA_SEED={seed}");
    let crowd = Crowd::whole();
    let plan = Plan { name: "chaos".into(), seed, agents: 2, nodes: 4, time: TIME, crowd };
    let judged = run(&plan).await;
    println!("{}", told(&judged.figures));
    for mishap in &judged.mishaps {
        println!("{mishap}");
    }
    let occasions = check::occasions(&judged.entries);
    println!("{occasions:?}");
    if std::env::var_os("GACETA_KEEP_HISTORY").is_some() {
        println!("history in {}", judged.keep(&plan).display());
    }
    if !judged.violations.is_empty() {
        let path = judged.keep(&plan);
        panic!("GACETA_SEED={seed}, history in {}:\n{}", path.display(), check::told(&judged.violations));
    }
    for (what, count) in occasions {
        assert!(count > 0, "GACETA_SEED={seed}: no {what}: the run says nothing of them");
    }
}
