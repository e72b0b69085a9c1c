//! B12: four times as many clients as do best. The node must go on to do its work, tell those whom it refuses at once, and be
//! itself again when they have gone.

use super::posts::CLIENTS;
use crate::bench::Bench;
use crate::figures::Figures;
use crate::load::overload::{Overloaded, Plan};
use crate::load::{Load, run_part};
use crate::report::{Bar, Row};
use crate::stage::AREAS;

/// As many times the clients of the best point.
const TIMES: usize = 4;
/// Whoever comes afterwards waits at most so many times as long as before.
const QUICK_TIMES: f64 = 2.0;
/// One client, one after the other: some hundred posts.
const IDLE_WARM_MS: u64 = 300;
const IDLE_MEASURE_MS: u64 = 1_000;

/// All on one stage: what is best, and what is quick, is of the same minute.
pub async fn measure(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let most = CLIENTS.into_iter().max().unwrap_or_default() * TIMES;
    let stage = bench.stage(1, most, AREAS).await?;
    let (mut best_clients, mut best_s) = (0, 0.0);
    for clients in CLIENTS {
        let (measured, _) = stage.measure(&bench.load(stage.posts(1), clients)).await?;
        bench.told(&format!("B12 before the overload, {clients} clients"), &measured);
        if measured.operations_s() > best_s {
            (best_clients, best_s) = (clients, measured.operations_s());
        }
    }
    let idle = Load { work: stage.posts(1), clients: 1, warm_ms: IDLE_WARM_MS, measure_ms: IDLE_MEASURE_MS };
    let (idle, _) = stage.measure(&idle).await?;
    bench.told("B12 before the overload, 1 client", &idle);
    let clients = best_clients * TIMES;
    let plan = Plan { load: bench.load(stage.posts(1), clients), quick_ms: idle.p50_ms * QUICK_TIMES };
    let Overloaded { measured, back_ms } = run_part("overload", &plan).await?;
    let measured = measured.whole()?;
    bench.told(&format!("B12 overload, {clients} clients, back after {back_ms:.0} ms"), &measured);
    figures.take("B12.best_s", best_s);
    figures.take("B12.ops_s", measured.operations_s());
    figures.take("B12.p99_ms", measured.p99_ms);
    figures.take("B12.back_s", back_ms / 1_000.0);
    figures.take("B12.clients", clients as f64);
    figures.take("B12.busy", measured.busy as f64);
    if measured.busy > 0 {
        figures.take("B12.busy_p99_ms", measured.busy_p99_ms);
    }
    Ok(())
}

pub fn judge(figures: &Figures) -> Vec<Row> {
    let clients =
        figures.median("B12.clients").map_or(String::new(), |clients| format!(", {clients} clients"));
    let name = format!("overload with {TIMES} × the clients of the best point{clients}");
    let of_best = figures.ratio("B12.ops_s", "B12.best_s");
    let busy_p99 = figures.median("B12.busy_p99_ms");
    let served = Row::new("B12", name, figures.median("B12.ops_s"), "posts/s")
        .ratio("best", of_best, Bar::at_least(0.6, 0.9))
        .held(busy_p99, Bar::Below { must: Some(100.0), goal: None }, " ms `busy` p99");
    let served = match (figures.median("B12.p99_ms"), figures.median("B12.busy"), busy_p99) {
        (Some(p99), Some(busy), Some(_)) => {
            served.note(format!("p99 {p99:.0} ms; {busy:.0} were told `busy`"))
        }
        (Some(p99), ..) => served.note(format!("p99 {p99:.0} ms; nobody was told `busy`")),
        (None, ..) => served,
    };
    let name = format!("after the overload, until a post takes at most {QUICK_TIMES} × as long as before");
    let back = Row::new("B12", name, figures.median("B12.back_s"), "s")
        .bar(Bar::AtMost { must: Some(2.0), goal: None });
    vec![served, back]
}
