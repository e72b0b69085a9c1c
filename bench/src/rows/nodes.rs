//! B9: how posts go through 1, 2, 4 and 8 nodes on one machine, from little concurrency to much.
//!
//! All nodes share the processors and the one database: more of them cannot be faster here, and must not be much slower,
//! since an installation has as many as its areas and followers need.

use crate::bench::Bench;
use crate::figures::Figures;
use crate::load::Load;
use crate::report::{Bar, Row};
use crate::stage::AREAS;
use serde::Serialize;

pub const NODES: [usize; 4] = [1, 2, 4, 8];
pub const CLIENTS: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// A grid of 24 points is measured within a minute, or half of one.
const WARM_MS: u64 = 300;
const MEASURE_MS: u64 = 1_500;
const QUICK_WARM_MS: u64 = 200;
const QUICK_MEASURE_MS: u64 = 700;

/// One point of the grid.
#[derive(Debug, Serialize)]
pub struct Point {
    pub nodes: usize,
    pub clients: usize,
    pub ops_s: f64,
    pub p50_ms: f64,
}

pub async fn measure(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let (warm_ms, measure_ms) = match bench.how.is_quick {
        true => (QUICK_WARM_MS, QUICK_MEASURE_MS),
        false => (WARM_MS, MEASURE_MS),
    };
    for nodes in NODES {
        let stage = bench.stage(nodes, AREAS, AREAS).await?;
        for clients in CLIENTS {
            let load = Load { work: stage.posts(1), clients, warm_ms, measure_ms };
            let (measured, _) = stage.measure(&load).await?;
            bench.told(&format!("B9 posts, {nodes} nodes, {clients} clients"), &measured);
            figures.take(rate_of(nodes, clients), measured.operations_s());
            figures.take(p50_of(nodes, clients), measured.p50_ms);
        }
    }
    Ok(())
}

fn rate_of(nodes: usize, clients: usize) -> String {
    format!("B9.{nodes}.{clients}.ops_s")
}

fn p50_of(nodes: usize, clients: usize) -> String {
    format!("B9.{nodes}.{clients}.p50_ms")
}

/// The whole grid; empty when it was not measured.
pub fn table(figures: &Figures) -> Vec<Point> {
    let places = NODES.iter().flat_map(|nodes| CLIENTS.iter().map(move |clients| (*nodes, *clients)));
    let point = |(nodes, clients)| {
        let (ops_s, p50_ms) =
            (figures.median(&rate_of(nodes, clients))?, figures.median(&p50_of(nodes, clients))?);
        Some(Point { nodes, clients, ops_s, p50_ms })
    };
    places.filter_map(point).collect()
}

pub fn judge(figures: &Figures) -> Vec<Row> {
    let points = table(figures);
    // At whatever concurrency is best for it.
    let best = |nodes: usize| {
        let of_nodes = points.iter().filter(|point| point.nodes == nodes);
        of_nodes.max_by(|a, b| a.ops_s.total_cmp(&b.ops_s))
    };
    let row = |nodes: usize| {
        let at = best(nodes).map_or(String::new(), |point| format!(", {} clients", point.clients));
        let text = if nodes == 1 { "node" } else { "nodes" };
        let name = format!("durable posts through {nodes} {text}{at}");
        let rate = best(nodes).map(|point| point.ops_s);
        let row = Row::new("B9", name, rate, "posts/s");
        let of_one = rate.zip(best(1)).map(|(rate, one)| rate / one.ops_s);
        match nodes {
            1 => row,
            8.. => row.ratio("one node", of_one, Bar::at_least(0.5, 0.9)),
            _ => row.ratio("one node", of_one, Bar::at_least(0.8, 0.9)),
        }
    };
    NODES.into_iter().map(row).collect()
}
