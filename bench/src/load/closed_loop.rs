//! Clients that each ask again once they are answered, on as many threads as load the machine best.

use super::{Load, Measured};
use crate::costs::own_s;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

/// One is at its end before the servers are: with it the bare echo does 13,000 a second, with two 22,000.
const THREADS: usize = 2;

/// Why an operation brought nothing.
#[derive(Debug)]
pub enum Trouble {
    /// The server said that it has too much to do; it did nothing.
    Busy,
    Failed(String),
}

impl<E: std::error::Error> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Articles that one operation posted or read.
pub type Outcome = Result<u64, Trouble>;

/// What one client saw.
#[derive(Default)]
struct Seen {
    items: u64,
    done_us: Vec<u32>,
    busy_us: Vec<u32>,
    failed: u64,
    first_failure: Option<String>,
}

/// Runs `load.clients` clients, made by `client` from their numbers, until the measured time is over.
pub fn run<C>(load: &Load, client: impl Fn(usize) -> C + Sync) -> anyhow::Result<Measured>
where
    C: AsyncFnMut() -> Outcome + 'static,
{
    let from = Instant::now() + Duration::from_millis(load.warm_ms);
    let until = from + Duration::from_millis(load.measure_ms);
    let client = &client;
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let numbers = (thread..load.clients).step_by(THREADS);
                scope.spawn(move || one_thread(numbers.map(client).collect(), from, until))
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let mut done: Vec<u32> = seen.iter().flat_map(|seen| &seen.done_us).copied().collect();
    let mut busy: Vec<u32> = seen.iter().flat_map(|seen| &seen.busy_us).copied().collect();
    done.sort_unstable();
    busy.sort_unstable();
    Ok(Measured {
        operations: done.len() as u64,
        items: seen.iter().map(|seen| seen.items).sum(),
        elapsed_s: load.measure_ms as f64 / 1_000.0,
        p50_ms: quantile_ms(&done, 0.5),
        p99_ms: quantile_ms(&done, 0.99),
        longest_ms: quantile_ms(&done, 1.0),
        busy: busy.len() as u64,
        busy_p99_ms: quantile_ms(&busy, 0.99),
        failed: seen.iter().map(|seen| seen.failed).sum(),
        first_failure: seen.into_iter().find_map(|seen| seen.first_failure),
        cpu_s: own_s(),
    })
}

fn one_thread<C>(clients: Vec<C>, from: Instant, until: Instant) -> Vec<Seen>
where
    C: AsyncFnMut() -> Outcome + 'static,
{
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => Rc::new(runtime),
        Err(error) => {
            return vec![Seen { first_failure: Some(error.to_string()), failed: 1, ..Seen::default() }];
        }
    };
    let local = LocalSet::new();
    let all = local.run_until(async {
        let tasks: Vec<_> = clients
            .into_iter()
            .map(|client| tokio::task::spawn_local(one_client(client, from, until)))
            .collect();
        let mut seen = vec![];
        for task in tasks {
            seen.push(task.await.unwrap_or_default());
        }
        seen
    });
    runtime.block_on(all)
}

async fn one_client<C: AsyncFnMut() -> Outcome>(mut client: C, from: Instant, until: Instant) -> Seen {
    let mut seen = Seen::default();
    loop {
        let began = Instant::now();
        if began >= until {
            return seen;
        }
        let outcome = client().await;
        let ended = Instant::now();
        if ended < from || ended > until {
            continue;
        }
        let took_us = (ended - began).as_micros() as u32;
        match outcome {
            Ok(items) => {
                seen.items += items;
                seen.done_us.push(took_us);
            }
            Err(Trouble::Busy) => seen.busy_us.push(took_us),
            Err(Trouble::Failed(reason)) => {
                seen.failed += 1;
                seen.first_failure.get_or_insert(reason);
            }
        }
    }
}

/// Of sorted microseconds; 0 of none.
pub fn quantile_ms(sorted_us: &[u32], quantile: f64) -> f64 {
    let place = (sorted_us.len() as f64 * quantile).ceil() as usize;
    sorted_us.get(place.saturating_sub(1)).map_or(0.0, |us| f64::from(*us) / 1_000.0)
}
