//! (P) pgbench with Gaceta's tables over kept connections: one post in a transaction (lock the counter, insert, commit).

use crate::bench::Bench;
use crate::figures::Figures;

pub async fn measure(_bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    figures.missing("P_ops_s", "not yet");
    Ok(())
}
