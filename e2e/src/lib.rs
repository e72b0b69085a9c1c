//! The whole service under test: the real servers on real sockets over a real PostgreSQL.
//!
//! - [`service`]: an agent and some nodes in this process, each test on a database of its own.
//! - [`person`]: somebody who speaks the protocol directly, at a node of his choice: what the client would hide (which
//!   node, which retry) is what these tests are about.
//! - [`follower`]: somebody who follows areas and never gives up, and what he has seen.
//! - [`requests`]: one request of every kind, for tests of what every request must refuse.
//! - [`processes`]: the real programs as processes of their own, to be killed and stopped; [`programs`] builds them.
//! - [`deployment`]: an agent and some nodes as processes; [`standalone`]: everything in one.
//! - [`tour`]: sessions of people, written down as pages and replayed.
//! - [`fleet`]: all of it with a [`breaker`] in every connection; [`faults`] that happen to it; [`load`], the people meanwhile;
//!   [`history`], what they saw; [`check`], what is wrong with that; [`chaos`], a whole run; [`proof`], many of them as one
//!   table. [`seed`]: chance that can be had again. [`caller`]: somebody who uses the client's own way in this process.
//! - [`gaceta`]: somebody who uses the client from a shell; [`terminal`]: somebody at a terminal, and [`screen`]: what is
//!   to be seen on it.
//! - [`hostile`]: texts that want to harm a terminal, and how one sees that they did not.
//! - [`watchdog`]: tests wait for events, and this ends them when an event never comes.
//!
//! The tests are named after the invariants that they hold (I1–I10 of `docs/architecture.md`).

#![allow(clippy::unwrap_used)] // a harness that unwraps fails the test at the place

pub mod breaker;
pub mod caller;
pub mod chaos;
pub mod check;
pub mod deployment;
pub mod faults;
pub mod fleet;
pub mod follower;
pub mod gaceta;
pub mod history;
pub mod hostile;
pub mod load;
pub mod person;
pub mod processes;
pub mod programs;
pub mod proof;
pub mod requests;
pub mod screen;
pub mod seed;
pub mod service;
pub mod standalone;
pub mod terminal;
pub mod tour;

use std::future::Future;
use std::time::Duration;

/// No event of a healthy service takes so long; a test that waits longer has failed.
pub const WATCHDOG_S: u64 = 30;

/// Runs a test under the watchdog.
pub async fn watchdog<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(WATCHDOG_S), test).await.expect("the watchdog barked")
}

/// Runs all of these at the same time; their results in order.
pub async fn at_once<T: Send + 'static>(
    work: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = work.into_iter().map(tokio::spawn).collect();
    let mut results = vec![];
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}
