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

    /// The figures that the report tells, and what they are; others only make ratios.
    pub fn told(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Echo => &[("E_ops_s", "E: a bare echo, the same frames, a connection each")],
            Self::Pgbench => &[
                ("P_ops_s", "P: pgbench, a post in a transaction, kept connections, best concurrency"),
                ("P_1_p50_ms", "P1: the same with a single client, median"),
            ],
            Self::Redis => &[("redis_ops_s", "Redis Streams, appendfsync always, a connection each")],
            Self::Jetstream => {
                &[("jetstream_ops_s", "JetStream, files, a connection each; acknowledges before fsync")]
            }
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

/// What a figure that the report tells is.
pub fn meaning(figure: &str) -> &'static str {
    let told = Reference::ALL.into_iter().flat_map(Reference::told);
    told.into_iter().find(|(name, _)| *name == figure).map_or("", |(_, meaning)| meaning)
}
