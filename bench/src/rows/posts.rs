//! B1, B2, B3, B7: durable posts.

use crate::bench::Bench;
use crate::figures::Figures;
use crate::report::{Bar, Row};
use crate::stage::{AREAS, BODY_BYTES};
use uuid::Uuid;
use wire::{AreaId, NodeReply, NodeRequest, Post, Posted, Reply, ReplyBody, Request, RequestBody, Token};

/// Both are told; the better one counts.
pub const CLIENTS: [usize; 2] = [64, 256];
/// Articles in a request of B3.
const BATCH: usize = 100;
/// Of B3: enough for every lane to gather a group while another one is committed; more would only wait, as 16 × 100 articles do.
const BATCH_CLIENTS: usize = 16;

/// The frames of one post and of its answer.
pub fn frame_bytes() -> (usize, usize) {
    let post = Post { area_id: AreaId(AREAS as i64), id: Uuid::now_v7(), body: "n".repeat(BODY_BYTES) };
    let request = Request {
        request_id: Uuid::now_v7(),
        token: Some(Token([0; 32])),
        remaining_ms: 10_000,
        body: RequestBody::Node(NodeRequest::Post(wire::PostBatch { posts: vec![post] })),
    };
    let results = vec![Ok(Posted { seq: 1_000, duplicate: false })];
    let reply = Reply {
        request_id: Uuid::now_v7(),
        result: Ok(ReplyBody::Node(NodeReply::Posted(wire::PostedBatch { results }))),
    };
    let bytes = |frame: Result<Vec<u8>, _>| frame.map_or(0, |frame: Vec<u8>| frame.len());
    (bytes(wire::frame::encode(&request)), bytes(wire::frame::encode(&reply)))
}

pub async fn measure_many_areas(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    measure("B1", AREAS, bench, figures).await
}

/// B1 is what it is held against: where that was not asked for, it is measured all the same.
pub async fn measure_one_area(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    if !figures.has_round("B1.64", bench.round) {
        measure_many_areas(bench, figures).await?;
    }
    measure("B2", 1, bench, figures).await
}

async fn measure(
    row: &'static str,
    areas: usize,
    bench: &Bench,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    for clients in CLIENTS {
        let stage = bench.stage(1, clients, areas).await?;
        let (measured, costs) = stage.measure(&bench.load(stage.posts(1), clients)).await?;
        bench.told_with(&format!("{row} posts, {clients} clients"), &measured, costs);
        let name = format!("{row}.{clients}");
        figures.take_work(&name, measured.operations_s(), costs);
        figures.take(name, measured.operations_s());
        figures.take(format!("{row}.{clients}.p50_ms"), measured.p50_ms);
        figures.take(format!("{row}.{clients}.p99_ms"), measured.p99_ms);
    }
    Ok(())
}

pub async fn measure_batches(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let stage = bench.stage(1, BATCH_CLIENTS, AREAS).await?;
    let (measured, costs) = stage.measure(&bench.load(stage.posts(BATCH), BATCH_CLIENTS)).await?;
    bench.told_with(&format!("B3 batches, {BATCH_CLIENTS} clients"), &measured, costs);
    figures.take_work("B3", measured.operations_s(), costs);
    figures.take("B3", measured.items_s());
    Ok(())
}

pub async fn measure_alone(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let stage = bench.stage(1, 1, AREAS).await?;
    let (measured, costs) = stage.measure(&bench.load(stage.posts(1), 1)).await?;
    bench.told_with("B7 posts, one client", &measured, costs);
    figures.take_work("B7", measured.operations_s(), costs);
    figures.take("B7", measured.p50_ms);
    Ok(())
}

/// How many clients posted most, and how much.
fn best(row: &str, figures: &Figures) -> Option<(usize, f64)> {
    let rate = |clients: usize| Some((clients, figures.median(&format!("{row}.{clients}"))?));
    CLIENTS.into_iter().filter_map(rate).max_by(|a, b| a.1.total_cmp(&b.1))
}

/// How long a post took is nothing that is asked of these rows, but tells how they came by their rates.
fn with_times(row: Row, clients: usize, figures: &Figures) -> Row {
    let time = |which: &str| figures.median(&format!("{}.{clients}.{which}", row.id));
    match (time("p50_ms"), time("p99_ms")) {
        (Some(p50), Some(p99)) => row.note(format!("{clients} clients: p50 {p50:.1} ms, p99 {p99:.1} ms")),
        _ => row,
    }
}

pub fn judge_many_areas(figures: &Figures) -> Vec<Row> {
    let best = best("B1", figures).map(|(clients, _)| clients);
    let row = |clients: usize| {
        let own = format!("B1.{clients}");
        let of = |peer: &str| figures.ratio(&own, peer);
        let (of_echo, of_pgbench) = (of(&format!("E.post.{clients}")), of("P_ops_s"));
        let (of_jetstream, of_redis) = (of("jetstream_ops_s"), of("redis_ops_s"));
        let name = format!("durable posts, a connection each, {clients} clients");
        let row = with_times(Row::new("B1", name, figures.median(&own), "posts/s"), clients, figures);
        let row = row.work(&own, figures);
        if best.is_some_and(|best| best != clients) {
            let row = row.compared("E", of_echo).compared("P", of_pgbench);
            return row.compared("JetStream", of_jetstream).compared("Redis", of_redis);
        }
        row.ratio("E", of_echo, Bar::at_least(0.35, 0.5))
            .ratio("P", of_pgbench, Bar::at_least(1.0, 1.2))
            .ratio("JetStream", of_jetstream, Bar::AtLeast { must: Some(2.0), goal: None })
            .ratio("Redis", of_redis, Bar::AtLeast { must: None, goal: Some(1.0) })
    };
    CLIENTS.into_iter().map(row).collect()
}

pub fn judge_one_area(figures: &Figures) -> Vec<Row> {
    let (all, one) = (best("B1", figures), best("B2", figures));
    let clients = one.map_or(CLIENTS[0], |(clients, _)| clients);
    let name = format!("the same, all into one area, {clients} clients");
    let ratio = all.zip(one).map(|((_, all), (_, one))| one / all);
    let row = with_times(Row::new("B2", name, one.map(|(_, rate)| rate), "posts/s"), clients, figures);
    let row = row.work(&format!("B2.{clients}"), figures);
    vec![row.ratio("B1", ratio, Bar::at_least(0.7, 0.9))]
}

pub fn judge_batches(figures: &Figures) -> Vec<Row> {
    let name = format!("posts in batches of {BATCH} per connection, {BATCH_CLIENTS} clients");
    let row = Row::new("B3", name, figures.median("B3"), "articles/s").work("B3", figures);
    vec![row.ratio("P", figures.ratio("B3", "P_ops_s"), Bar::at_least(3.0, 5.0))]
}

pub fn judge_alone(figures: &Figures) -> Vec<Row> {
    let name = "one post at a time on an idle service, p50; P1: a single client of pgbench";
    let row = Row::new("B7", name, figures.median("B7"), "ms").work("B7", figures);
    vec![row.ratio("P1", figures.ratio("B7", "P_1_p50_ms"), Bar::at_most(4.0, 2.5))]
}
