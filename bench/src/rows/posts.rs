//! B1: durable posts.

use crate::bench::Bench;
use crate::figures::Figures;
use crate::report::{Bar, Row};
use crate::stage::{AREAS, BODY_BYTES};
use uuid::Uuid;
use wire::{AreaId, NodeReply, NodeRequest, Post, Posted, Reply, ReplyBody, Request, RequestBody, Token};

/// Both are told; the better one counts.
pub const CLIENTS: [usize; 2] = [64, 256];

/// The frames of one post and of its answer.
pub fn frame_bytes() -> (usize, usize) {
    let post = Post { area_id: AreaId(AREAS as i64), id: Uuid::now_v7(), body: "n".repeat(BODY_BYTES) };
    let request = Request {
        request_id: Uuid::now_v7(),
        token: Some(Token([0; 32])),
        remaining_ms: 10_000,
        body: RequestBody::Node(NodeRequest::Post { posts: vec![post] }),
    };
    let results = vec![Ok(Posted { seq: 1_000, duplicate: false })];
    let reply =
        Reply { request_id: Uuid::now_v7(), result: Ok(ReplyBody::Node(NodeReply::Posted { results })) };
    let bytes = |frame: Result<Vec<u8>, _>| frame.map_or(0, |frame: Vec<u8>| frame.len());
    (bytes(wire::frame::encode(&request)), bytes(wire::frame::encode(&reply)))
}

pub async fn measure_many_areas(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    for clients in CLIENTS {
        let stage = bench.stage(1, clients, AREAS).await?;
        let (measured, costs) = stage.measure(&bench.load(stage.posts(1), clients)).await?;
        bench
            .told(&format!("B1 posts, {clients} clients, processor time per post {costs:.0?} µs"), &measured);
        figures.take(format!("B1.{clients}"), measured.operations_s());
    }
    Ok(())
}

pub fn judge_many_areas(figures: &Figures) -> Vec<Row> {
    let rate = |clients: usize| figures.median(&format!("B1.{clients}"));
    let mut rows: Vec<Row> = CLIENTS
        .iter()
        .map(|clients| {
            let (own, of_echo) = (format!("B1.{clients}"), format!("E.post.{clients}"));
            let name = format!("durable posts, a connection each, {clients} clients");
            Row::new("B1", name, rate(*clients), "posts/s")
                .ratio("E", figures.ratio(&own, &of_echo), Bar::at_least(0.35, 0.5))
                .ratio("P", figures.ratio(&own, "P_ops_s"), Bar::at_least(1.0, 1.2))
        })
        .collect();
    rows.sort_by(|a, b| b.value.unwrap_or(0.0).total_cmp(&a.value.unwrap_or(0.0)));
    rows
}
