//! What Gaceta is held against, measured in the same run on the same machine.
//!
//! - [`echo`] (E): the limit for short connections. - [`pgbench`] (P): the limit of the database over kept connections.
//! - [`redis`], [`jetstream`]: what one would take instead.

pub mod echo;
pub mod pgbench;

use crate::bench::Bench;
use crate::figures::Figures;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    Echo,
    Pgbench,
}

impl Reference {
    pub const ALL: [Self; 2] = [Self::Echo, Self::Pgbench];

    /// The figures that the report tells; others only make ratios.
    pub fn told(self) -> &'static [&'static str] {
        match self {
            Self::Echo => &["E_ops_s"],
            Self::Pgbench => &["P_ops_s", "P_1_p50_ms"],
        }
    }

    pub async fn measure(self, bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
        match self {
            Self::Echo => echo::measure(bench, figures).await,
            Self::Pgbench => pgbench::measure(bench, figures).await,
        }
    }
}
