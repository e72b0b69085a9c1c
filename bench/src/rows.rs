//! Every row of the table: what it needs to be held against, how it is measured, what it must reach.

pub mod command;
pub mod followers;
pub mod footprint;
pub mod large;
pub mod nodes;
pub mod overload;
pub mod posts;
pub mod reads;

use crate::bench::Bench;
use crate::figures::Figures;
use crate::references::Reference;
use crate::report::Row;
use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum RowId {
    /// Durable posts, one connection each
    B1,
    /// The same, all into one area
    B2,
    /// Posts in batches of 100
    B3,
    /// Reading 20 unread, each connection one operation
    B4,
    /// A thousand followers, acknowledgement to the last delivery
    B5,
    /// Ten thousand followers waiting: memory, and posts meanwhile
    B6,
    /// One post at a time on an idle service
    B7,
    /// One gaceta post as a process
    B8,
    /// Posts through 1, 2, 4 and 8 nodes, from 1 to 32 clients
    B9,
    /// Memory and start of an agent and a node
    B10,
    /// A million articles and subscriptions: posts, reads, `subscriptions`
    B11,
    /// Four times as many clients as do best
    B12,
}

impl RowId {
    /// What this row is held against.
    pub fn references(self) -> &'static [Reference] {
        match self {
            Self::B1 => &Reference::ALL,
            Self::B2 => &[],
            Self::B3 | Self::B7 => &[Reference::Pgbench],
            Self::B4 => &[Reference::Echo],
            Self::B5 | Self::B6 | Self::B8 | Self::B9 | Self::B10 | Self::B11 | Self::B12 => &[],
        }
    }

    /// How often it is measured; what takes long is measured once where time is short.
    pub fn rounds(self, quick: bool) -> usize {
        match self {
            Self::B1 | Self::B2 | Self::B3 | Self::B4 | Self::B7 | Self::B8 => 3,
            Self::B5 | Self::B6 | Self::B9 | Self::B10 | Self::B11 | Self::B12 if quick => 1,
            Self::B5 | Self::B6 | Self::B9 | Self::B10 | Self::B11 | Self::B12 => 3,
        }
    }

    pub async fn measure(self, bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
        match self {
            Self::B1 => posts::measure_many_areas(bench, figures).await,
            Self::B2 => posts::measure_one_area(bench, figures).await,
            Self::B3 => posts::measure_batches(bench, figures).await,
            Self::B4 => reads::measure(bench, figures).await,
            Self::B5 => followers::measure_delivery(bench, figures).await,
            Self::B6 => followers::measure_memory(bench, figures).await,
            Self::B7 => posts::measure_alone(bench, figures).await,
            Self::B8 => command::measure(bench, figures).await,
            Self::B9 => nodes::measure(bench, figures).await,
            Self::B10 => footprint::measure(bench, figures).await,
            Self::B11 => large::measure(bench, figures).await,
            Self::B12 => overload::measure(bench, figures).await,
        }
    }

    pub fn judge(self, figures: &Figures) -> Vec<Row> {
        match self {
            Self::B1 => posts::judge_many_areas(figures),
            Self::B2 => posts::judge_one_area(figures),
            Self::B3 => posts::judge_batches(figures),
            Self::B4 => reads::judge(figures),
            Self::B5 => followers::judge_delivery(figures),
            Self::B6 => followers::judge_memory(figures),
            Self::B7 => posts::judge_alone(figures),
            Self::B8 => command::judge(figures),
            Self::B9 => nodes::judge(figures),
            Self::B10 => footprint::judge(figures),
            Self::B11 => large::judge(figures),
            Self::B12 => overload::judge(figures),
        }
    }
}
