//! B8: one `gaceta post`, as a person or a script runs it: what the process itself adds to a look-up and a post.

use crate::bench::Bench;
use crate::figures::Figures;
use crate::report::{Bar, Row};
use crate::rows::posts;
use crate::stage::{AREAS, BODY_BYTES};
use anyhow::Context;
use e2e::gaceta::Gaceta;
use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use uuid::Uuid;
use wire::{AgentReply, AgentRequest, Reply, ReplyBody, Request, RequestBody, Token};

/// In each round; the median counts.
const RUNS: usize = 30;
/// The first ones find neither the program nor the pages of the database in memory.
const WARM_RUNS: usize = 3;
/// A look-up takes a millisecond; who waits so long has found a fault.
const LOOKUP_WAIT: Duration = Duration::from_secs(5);
const AREA: &str = "area-0";

pub async fn measure(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    if !figures.has_round("B7", bench.round) {
        posts::measure_alone(bench, figures).await?;
    }
    let stage = bench.stage(1, 1, AREAS).await?;
    // What a person has: a session file, and agents that are given.
    let person = Gaceta::registered(stage.agent.address, "poster").await;
    person.json(&format!("subscribe {AREA}")).await;
    let token = Token::from_text(&person.token()).context("no token in the session")?;
    let text = "n".repeat(BODY_BYTES);
    let (mut walls_ms, mut lookups_ms) = (vec![], vec![]);
    // In turns, so that whatever else the machine does meets both.
    for run in 0..WARM_RUNS + RUNS {
        let began = Instant::now();
        lookup(stage.agent.address, token).await?;
        let lookup_ms = ms_since(began);
        let mut command = person.command(&["post", AREA, &text]);
        command.stdin(Stdio::null());
        let (output, wall_ms) = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            command.output().map(|output| (output, ms_since(began)))
        })
        .await??;
        succeeded(&output)?;
        if run >= WARM_RUNS {
            walls_ms.push(wall_ms);
            lookups_ms.push(lookup_ms);
        }
    }
    let (wall_ms, lookup_ms) = (median(walls_ms), median(lookups_ms));
    let post_ms = figures.median("B7").context("B7 was measured")?;
    bench.tell(&format!(
        "B8 one gaceta post: {wall_ms:.2} ms; look-up {lookup_ms:.2} ms, post {post_ms:.2} ms"
    ));
    figures.take("B8", wall_ms - lookup_ms - post_ms);
    figures.take("B8.wall_ms", wall_ms);
    figures.take("B8.lookup_ms", lookup_ms);
    Ok(())
}

/// What the client asks an agent before it posts.
async fn lookup(agent: SocketAddr, token: Token) -> anyhow::Result<()> {
    let body = RequestBody::Agent(AgentRequest::Where(wire::Where { areas: vec![AREA.into()] }));
    let remaining_ms = LOOKUP_WAIT.as_millis() as u32;
    let request = Request { request_id: Uuid::now_v7(), token: Some(token), remaining_ms, body };
    match wire::call(agent, &request, LOOKUP_WAIT).await? {
        Reply { result: Ok(ReplyBody::Agent(AgentReply::Located(_))), .. } => Ok(()),
        other => anyhow::bail!("not the answer to a look-up: {:?}", other.result),
    }
}

fn succeeded(output: &Output) -> anyhow::Result<()> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "gaceta post failed: {}", stderr.trim());
    Ok(())
}

fn ms_since(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1_000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

pub fn judge(figures: &Figures) -> Vec<Row> {
    let name = "one gaceta post as a process, beyond B7's p50 and an agent's look-up";
    let row = Row::new("B8", name, figures.median("B8"), "ms").bar(Bar::at_most(30.0, 10.0));
    let parts = ["B8.wall_ms", "B8.lookup_ms", "B7"].map(|name| figures.median(name));
    vec![match parts {
        [Some(wall), Some(lookup), Some(post)] => {
            row.note(format!("in all {wall:.1} ms, the look-up {lookup:.2} ms, a post (B7) {post:.2} ms"))
        }
        _ => row,
    }]
}
