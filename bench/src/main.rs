//! `gaceta-bench`: measures Gaceta and what one would take instead, side by side in one run on this machine.
//!
//! See `docs/performance.md` for the method.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a table for people is what it is for

mod load;
mod people;
mod stage;

use clap::{Parser, ValueEnum};
use load::{Load, Work};
use std::io::Read;
use stage::Stage;

#[derive(Parser)]
#[command(name = "gaceta-bench", version)]
struct Args {
    rows: Vec<String>,
    /// This process is a part of the run of another one
    #[arg(long, hide = true)]
    part: Option<Part>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Part {
    Load,
    Echo,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.part {
        Some(Part::Load) => {
            let mut input = String::new();
            std::io::stdin().read_to_string(&mut input)?;
            let measured = load::run(&serde_json::from_str(&input)?)?;
            println!("{}", serde_json::to_string(&measured)?);
            Ok(())
        }
        Some(Part::Echo) => {
            let mut input = String::new();
            std::io::stdin().read_to_string(&mut input)?;
            tokio::runtime::Runtime::new()?
                .block_on(load::echo::serve(input.parse()?, |address| println!("ready echo={address}")))
        }
        None => tokio::runtime::Runtime::new()?.block_on(run()),
    }
}

async fn run() -> anyhow::Result<()> {
    use tokio::io::AsyncBufReadExt;
    let cluster = db::testing::own_durable_cluster().await;
    for _ in 0..2 {
    for clients in [64, 256] {
        let mut echo = load::spawn("echo", b"60").await?;
        let mut lines = tokio::io::BufReader::new(echo.stdout.take().unwrap()).lines();
        let address = lines.next_line().await?.unwrap();
        let address = address.strip_prefix("ready echo=").unwrap().parse()?;
        let load = Load {
            work: Work::Echo { address, request_bytes: 300, reply_bytes: 60 },
            clients, warm_ms: 500, measure_ms: 3000,
        };
        let m = load.measure().await?.whole()?;
        println!("E {clients}: {:.0}/s p50 {} p99 {} load cpu {:.1} us", m.operations_s(), m.p50_ms, m.p99_ms, m.cpu_s*1e6/m.operations as f64);
        drop(echo);
        let stage = Stage::start(&cluster, 1, 256, 64).await?;
        let load = Load { work: stage.posts(1), clients, warm_ms: 500, measure_ms: 3000 };
        let (m, costs) = stage.measure(&load).await?;
        println!("B1 {clients}: {:.0}/s p50 {} p99 {} {costs:.0?}", m.operations_s(), m.p50_ms, m.p99_ms);
    }
        let stage = Stage::start(&cluster, 1, 2048, 64).await?;
        stage.crowd.fill(&stage.client, 2000, 200).await?;
        let load = Load { work: Work::Read { nodes: stage.addresses(), crowd: stage.crowd, page: 20 }, clients: 64, warm_ms: 500, measure_ms: 3000 };
        let (m, costs) = stage.measure(&load).await?;
        println!("B4 64: {:.0}/s p50 {} p99 {} {costs:.0?}", m.operations_s(), m.p50_ms, m.p99_ms);
    }
    Ok(())
}
