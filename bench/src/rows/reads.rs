//! B4: reading.

use crate::bench::Bench;
use crate::figures::Figures;
use crate::load::Work;
use crate::report::{Bar, Row};
use crate::stage::{AREAS, BODY_BYTES};
use uuid::Uuid;
use wire::{
    AreaId, Article, NodeReply, NodeRequest, Page, ReadFrom, Reply, ReplyBody, Request, RequestBody, Shown,
    Token,
};

pub const CLIENTS: usize = 64;
/// Articles in a page.
pub const PAGE: u32 = 20;
/// In each area: a hundred pages.
pub const ARTICLES: usize = 2_000;
/// For each client: they take turns, since a reader has read an area within a second.
pub const PEOPLE: usize = 32;

/// The frames of one read and of its page.
pub fn frame_bytes() -> (usize, usize) {
    let shown = Some(Shown { from: 1_000, upto: 1_019, generation: 1, reading_id: Uuid::now_v7() });
    let area_id = AreaId(AREAS as i64);
    let body = RequestBody::Node(NodeRequest::Read(wire::Read {
        area_id,
        from: ReadFrom::Unread,
        limit: PAGE,
        shown,
    }));
    let request =
        Request { request_id: Uuid::now_v7(), token: Some(Token([0; 32])), remaining_ms: 10_000, body };
    let article = |seq| Article {
        seq,
        id: Uuid::now_v7(),
        author: "person-0".into(),
        posted_at_us: 1_700_000_000_000_000,
        body: "o".repeat(BODY_BYTES),
    };
    let page = Page {
        area_id,
        from: 1_020,
        upto: 1_039,
        generation: 1,
        cursor: 1_019,
        last_seq: ARTICLES as i64,
        expired_through: 0,
        articles: (1_020..1_040).map(article).collect(),
        deleted: vec![],
        more: true,
    };
    let reply = Reply { request_id: Uuid::now_v7(), result: Ok(ReplyBody::Node(NodeReply::Page(page))) };
    let bytes = |frame: Result<Vec<u8>, _>| frame.map_or(0, |frame: Vec<u8>| frame.len());
    (bytes(wire::frame::encode(&request)), bytes(wire::frame::encode(&reply)))
}

pub async fn measure(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let stage = bench.stage(1, CLIENTS * PEOPLE, AREAS).await?;
    stage.crowd.fill(&stage.client, ARTICLES, BODY_BYTES).await?;
    let work = Work::Read { nodes: stage.addresses(), crowd: stage.crowd, page: PAGE };
    let (measured, costs) = stage.measure(&bench.load(work, CLIENTS)).await?;
    bench.told_with(&format!("B4 reads, {CLIENTS} clients"), &measured, costs);
    figures.take_work("B4", measured.operations_s(), costs);
    figures.take("B4", measured.operations_s());
    Ok(())
}

pub fn judge(figures: &Figures) -> Vec<Row> {
    let name = format!("read {PAGE} unread, the next request marks them, {CLIENTS} clients");
    let row = Row::new("B4", name, figures.median("B4"), "reads/s").work("B4", figures);
    vec![row.ratio("E", figures.ratio("B4", "E.read"), Bar::at_least(0.3, 0.5))]
}
