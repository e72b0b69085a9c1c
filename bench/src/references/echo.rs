//! (E) a bare echo: short connections with frames of the same sizes, and nothing behind them.

use crate::bench::Bench;
use crate::figures::Figures;
use crate::load::{self, Work};
use crate::rows::{posts, reads};
use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader};

/// With the sizes of B1's frames and as many clients, and with those of B4's.
pub async fn measure(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let mut best: f64 = 0.0;
    for clients in posts::CLIENTS {
        let operations_s = echo(bench, posts::frame_bytes(), clients).await?;
        figures.take(format!("E.post.{clients}"), operations_s);
        best = best.max(operations_s);
    }
    figures.take("E_ops_s", best);
    figures.take("E.read", echo(bench, reads::frame_bytes(), reads::CLIENTS).await?);
    Ok(())
}

async fn echo(
    bench: &Bench,
    (request_bytes, reply_bytes): (usize, usize),
    clients: usize,
) -> anyhow::Result<f64> {
    let mut server = load::spawn("echo", reply_bytes.to_string().as_bytes()).await?;
    let mut lines = BufReader::new(server.stdout.take().context("a pipe")?).lines();
    let line = lines.next_line().await?.context("the echo did not start")?;
    let address = line.strip_prefix("ready echo=").context("not the ready line of the echo")?.parse()?;
    let work = Work::Echo { address, request_bytes, reply_bytes };
    let measured = bench.load(work, clients).measure().await?.whole()?;
    server.kill().await?;
    bench.told(&format!("E echo, {request_bytes} and {reply_bytes} bytes, {clients} clients"), &measured);
    Ok(measured.operations_s())
}
