//! Processor time: what an operation costs. Told for the load, the nodes and PostgreSQL, each by itself.

use crate::figures::Figures;
use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Clock ticks of `/proc` in a second; a constant of Linux's interface (`USER_HZ`).
const TICKS_S: f64 = 100.0;

/// Processor time, in seconds: since processes began, or between two moments.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Spent {
    pub load: f64,
    pub nodes: f64,
    pub postgres: f64,
}

impl Spent {
    pub fn since(self, before: Self) -> Self {
        Self {
            load: self.load - before.load,
            nodes: self.nodes - before.nodes,
            postgres: self.postgres - before.postgres,
        }
    }

    /// Each operation's part.
    pub fn each(self, operations: u64) -> Costs {
        let each = |seconds: f64| seconds * 1e6 / operations as f64;
        Costs { load: each(self.load), nodes: each(self.nodes), postgres: each(self.postgres) }
    }
}

/// Processor time of one operation, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Costs {
    /// Of the process that made the load.
    pub load: f64,
    pub nodes: f64,
    pub postgres: f64,
}

impl Costs {
    /// Keeps them among the figures of this round.
    pub fn take(self, name: &str, figures: &mut Figures) {
        figures.take(format!("{name}.load_us"), self.load);
        figures.take(format!("{name}.nodes_us"), self.nodes);
        figures.take(format!("{name}.postgres_us"), self.postgres);
    }

    /// The medians of the rounds.
    pub fn median(name: &str, figures: &Figures) -> Option<Self> {
        let median = |of: &str| figures.median(&format!("{name}.{of}_us"));
        Some(Self { load: median("load")?, nodes: median("nodes")?, postgres: median("postgres")? })
    }
}

impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { load, nodes, postgres } = self;
        write!(f, "load {load:.1} µs, nodes {nodes:.1} µs, PostgreSQL {postgres:.1} µs")
    }
}

/// Of one process and the children that it has waited for, in seconds.
pub fn process_s(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').context("no process's statistics")?.1;
    let ticks = after_name.split_whitespace().skip(11).take(4).map(|field| field.parse::<f64>());
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_S)
}

/// Of a postmaster and all its processes, in seconds.
pub fn postgres_s(postmaster: u32) -> anyhow::Result<f64> {
    let children = format!("/proc/{postmaster}/task/{postmaster}/children");
    let mut spent_s = process_s(postmaster)?;
    for child in std::fs::read_to_string(children)?.split_whitespace() {
        spent_s += process_s(child.parse()?).unwrap_or(0.0); // it may have ended meanwhile
    }
    Ok(spent_s)
}

/// Of this process, in seconds.
pub fn own_s() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_costs_its_part_of_what_was_spent() {
        let before = Spent { load: 1.0, nodes: 2.0, postgres: 3.0 };
        let after = Spent { load: 1.5, nodes: 2.25, postgres: 4.0 };
        let costs = after.since(before).each(10_000);
        assert_eq!(costs, Costs { load: 50.0, nodes: 25.0, postgres: 100.0 });
        let mut figures = Figures::default();
        assert_eq!(Costs::median("B1", &figures), None, "never measured");
        costs.take("B1", &mut figures);
        assert_eq!(Costs::median("B1", &figures), Some(costs));
    }

    #[test]
    fn this_process_has_spent_what_the_system_says() {
        let begun_s = own_s();
        while own_s() - begun_s < 0.1 {} // some ticks
        let pid = std::process::id();
        let told_s = process_s(pid).unwrap();
        assert!(told_s >= 0.05 && told_s <= own_s() + 0.05, "{told_s} of {}", own_s());
        assert!(postgres_s(pid).unwrap() >= told_s, "its children are counted with it");
    }
}
