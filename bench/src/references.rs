//! What Gaceta is held against, measured in the same run on the same machine.
//!
//! - [`echo`] (E): the limit for short connections. - [`pgbench`] (P): the limit of the database over kept connections.
//! - [`redis`], [`jetstream`]: what one would take instead.
//! - [`peers`]: programs of others.

pub mod echo;
pub mod jetstream;
pub mod peers;
pub mod pgbench;
pub mod redis;

use crate::bench::Bench;
use crate::figures::Figures;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    Echo,
    Pgbench,
    Redis,
    Jetstream,
}

impl Reference {
    pub const ALL: [Self; 4] = [Self::Echo, Self::Pgbench, Self::Redis, Self::Jetstream];

    /// The figures that the report tells; others only make ratios.
    pub fn told(self) -> &'static [&'static str] {
        match self {
            Self::Echo => &["E_ops_s"],
            Self::Pgbench => &["P_ops_s", "P_1_p50_ms"],
            Self::Redis => &["redis_ops_s"],
            Self::Jetstream => &["jetstream_ops_s"],
        }
    }

    pub async fn measure(self, bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
        match self {
            Self::Echo => echo::measure(bench, figures).await,
            Self::Pgbench => pgbench::measure(bench, figures).await,
            Self::Redis => redis::measure(bench, figures).await,
            Self::Jetstream => jetstream::measure(bench, figures).await,
        }
    }
}
