//! Every row of the table: what it needs to be held against, how it is measured, what it must reach.

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
    /// Reading 20 unread, each connection one operation
    B4,
}

impl RowId {
    /// What this row is held against.
    pub fn references(self) -> &'static [Reference] {
        match self {
            Self::B1 => &[Reference::Echo, Reference::Pgbench],
            Self::B4 => &[Reference::Echo],
        }
    }

    /// How often it is measured; what takes long is measured once where time is short.
    pub fn rounds(self, _quick: bool) -> usize {
        match self {
            Self::B1 | Self::B4 => 3,
        }
    }

    pub async fn measure(self, bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
        match self {
            Self::B1 => posts::measure_many_areas(bench, figures).await,
            Self::B4 => reads::measure(bench, figures).await,
        }
    }

    pub fn judge(self, figures: &Figures) -> Vec<Row> {
        match self {
            Self::B1 => posts::judge_many_areas(figures),
            Self::B4 => reads::judge(figures),
        }
    }
}
