//! What every measurement gets, and the rounds: everything once, then everything again, so that whatever else the machine
//! does meets all of them.

use crate::costs::Costs;
use crate::figures::Figures;
use crate::load::{Load, Measured, Work};
use crate::references::Reference;
use crate::report::Report;
use crate::rows::RowId;
use crate::rows::large::Large;
use crate::stage::Stage;
use anyhow::Context;
use db::testing::OwnCluster;
use std::time::Instant;
use tokio::sync::OnceCell;

/// Medians of so many.
const ROUNDS: usize = 3;

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct How {
    pub is_quick: bool,
    /// Without what the rows are held against, and in one round: for whoever compares two builds.
    pub is_alone: bool,
    /// Of a closed loop, instead of the usual time.
    pub measure_ms: Option<u64>,
}

impl How {
    fn rounds(self, row: RowId) -> usize {
        if self.is_alone { 1 } else { row.rounds(self.is_quick) }
    }
}

pub struct Bench {
    pub cluster: OwnCluster,
    pub how: How,
    pub round: usize,
    /// Made by the first who needs it.
    pub large: OnceCell<Large>,
    began: Instant,
}

impl Bench {
    /// An agent and `nodes` nodes on a new database.
    pub async fn stage(&self, nodes: usize, people: usize, areas: usize) -> anyhow::Result<Stage> {
        Stage::start(&self.cluster, nodes, people, areas).await
    }

    /// For how long a closed loop warms up and is measured.
    pub fn load(&self, work: Work, clients: usize) -> Load {
        let (warm_ms, measure_ms) = if self.how.is_quick { (400, 1_200) } else { (1_000, 4_000) };
        let measure_ms = self.how.measure_ms.unwrap_or(measure_ms);
        Load { work, clients, warm_ms, measure_ms }
    }

    /// Progress, for whoever watches.
    pub fn tell(&self, what: &str) {
        let elapsed_s = self.began.elapsed().as_secs();
        eprintln!("{elapsed_s:4} s  round {}  {what}", self.round + 1);
    }

    /// The same of a load, and of what an operation cost.
    pub fn told_with(&self, what: &str, measured: &Measured, costs: Costs) {
        self.told(&format!("{what}, processor time of an operation: {costs}"), measured);
    }

    pub fn told(&self, what: &str, measured: &Measured) {
        self.tell(&format!(
            "{what}: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms",
            measured.items_s(),
            measured.p50_ms,
            measured.p99_ms
        ));
    }
}

/// Runs the rows and what they are held against.
pub async fn run(chosen: &[RowId], how: How) -> anyhow::Result<Report> {
    // Builds them if need be, before anything is measured. It blocks, and must not keep Ctrl-C waiting.
    tokio::task::spawn_blocking(e2e::programs::directory).await.context("the programs cannot be built")?;
    let cluster = db::testing::own_durable_cluster().await;
    let machine = crate::machine::machine(&cluster).await?;
    let mut bench = Bench { cluster, how, round: 0, large: OnceCell::new(), began: Instant::now() };
    let needed: Vec<Reference> = Reference::ALL
        .into_iter()
        .filter(|_| !how.is_alone)
        .filter(|reference| chosen.iter().any(|row| row.references().contains(reference)))
        .collect();
    let mut figures = Figures::default();
    for round in 0..ROUNDS {
        bench.round = round;
        for reference in &needed {
            reference.measure(&bench, &mut figures).await?;
        }
        for row in chosen {
            if round < how.rounds(*row) {
                row.measure(&bench, &mut figures).await?;
            }
        }
    }
    let told = needed.iter().flat_map(|reference| reference.told()).map(|(name, _)| *name);
    Ok(Report {
        machine,
        references: told.clone().map(|name| (name.into(), figures.median(name))).collect(),
        absent: told.filter_map(|name| Some((name.into(), figures.why_missing(name)?.into()))).collect(),
        rows: chosen.iter().flat_map(|row| row.judge(&figures)).collect(),
        nodes_table: crate::rows::nodes::table(&figures),
    })
}
