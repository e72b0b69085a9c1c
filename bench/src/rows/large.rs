//! B11: posts, reads and `subscriptions` with a million articles in one area, a hundred thousand people and a million
//! subscriptions, against the same with little.
//!
//! The large database is made once in a run. From then on only the service writes to it.

use super::reads::{ARTICLES, PAGE, PEOPLE};
use crate::bench::Bench;
use crate::figures::Figures;
use crate::load::Work;
use crate::people::{Crowd, TEN_AREAS};
use crate::report::{Bar, Row};
use crate::stage::{AREAS, BODY_BYTES, Stage};
use db::testing::TestDatabase;
use std::sync::Arc;
use std::time::Instant;

const CLIENTS: usize = 64;
const LARGE_PEOPLE: usize = 100_000;
const LARGE_ARTICLES: usize = 1_000_000;
/// Readers begin anywhere before this: far enough from the end that no run gets there.
const CURSOR_MAX: usize = 900_000;

/// What is measured with little and with much.
const KINDS: [(&str, &str, &str); 3] = [
    ("posts", "durable posts", "posts/s"),
    ("reads", "read 20 unread of the area of a million", "reads/s"),
    ("subscriptions", "`subscriptions`", "requests/s"),
];

pub struct Large {
    database: Arc<TestDatabase>,
    crowd: Crowd,
}

pub async fn measure(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let large = bench.large.get_or_try_init(|| make(bench)).await?;
    // As if everybody had just been here, which notes each session's use: the people of small data have just been made.
    let client = large.database.client().await;
    client.batch_execute("update sessions set last_used_at = now()").await?;
    client.batch_execute("vacuum analyze sessions").await?;
    let large = Stage::on(&bench.cluster, large.database.clone(), large.crowd, 1).await?;

    let small = bench.stage(1, CLIENTS * PEOPLE, AREAS).await?;
    small.crowd.fill(&small.client, ARTICLES, BODY_BYTES).await?;
    small.crowd.subscribe_to_ten(&small.client).await?;
    for (size, stage) in [("small", &small), ("large", &large)] {
        let work = Work::Subscriptions { agent: stage.agent.address, crowd: stage.crowd };
        take(bench, figures, &format!("{size}.subscriptions"), stage, work).await?;
    }
    take(bench, figures, "small.reads", &small, reads(&small, small.crowd)).await?;
    // All of them in the one area.
    take(bench, figures, "large.reads", &large, reads(&large, Crowd { areas: 1, ..large.crowd })).await?;
    drop(small);

    let small = bench.stage(1, CLIENTS, AREAS).await?;
    take(bench, figures, "small.posts", &small, small.posts(1)).await?;
    take(bench, figures, "large.posts", &large, large.posts(1)).await
}

fn reads(stage: &Stage, crowd: Crowd) -> Work {
    Work::Read { nodes: stage.addresses(), crowd, page: PAGE }
}

async fn take(
    bench: &Bench,
    figures: &mut Figures,
    name: &str,
    stage: &Stage,
    work: Work,
) -> anyhow::Result<()> {
    let (measured, costs) = stage.measure(&bench.load(work, CLIENTS)).await?;
    bench.told_with(&format!("B11 {name}, {CLIENTS} clients"), &measured, costs);
    figures.take(format!("B11.{name}"), measured.operations_s());
    Ok(())
}

pub fn judge(figures: &Figures) -> Vec<Row> {
    let row = |(kind, what, unit): (&str, &str, &'static str)| {
        let (large, small) = (format!("B11.large.{kind}"), format!("B11.small.{kind}"));
        let name = format!("{what}, 1 M articles in one area, 100,000 users, 1 M subscriptions");
        Row::new("B11", name, figures.median(&large), unit).ratio(
            "small data",
            figures.ratio(&large, &small),
            Bar::at_least(0.7, 0.9),
        )
    };
    KINDS.into_iter().map(row).collect()
}

/// Straight into the tables, as the service's own statements would have left them.
async fn make(bench: &Bench) -> anyhow::Result<Large> {
    let began = Instant::now();
    let database = Arc::new(bench.cluster.database().await);
    let client = database.client().await;
    // Every reference is made of what it refers to; checking each of millions takes longer than all the rest.
    client.batch_execute("set session_replication_role = replica").await?;
    let crowd = Crowd::make(&client, LARGE_PEOPLE, AREAS).await?;
    bench.tell("B11 has its people");
    crowd.subscribe_to_ten(&client).await?;
    bench.tell(&format!("B11 has {TEN_AREAS} subscriptions for each of them"));
    Crowd { areas: 1, ..crowd }.fill(&client, LARGE_ARTICLES, BODY_BYTES).await?;
    // Neighbours in the table are far from each other in the area.
    client
        .execute(
            "update subscriptions set cursor = user_id * 7919 % $2::bigint where area_id = $1",
            &[&crowd.first_area_id, &(CURSOR_MAX as i64)],
        )
        .await?;
    client.batch_execute("vacuum analyze").await?;
    bench.tell(&format!("B11 has its data after {:.0} s", began.elapsed().as_secs_f64()));
    Ok(Large { database, crowd })
}
