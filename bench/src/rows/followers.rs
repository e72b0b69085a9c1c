//! B5 and B6: followers that wait at one node. How long until all of them have what was posted; what they cost.

use crate::bench::Bench;
use crate::figures::Figures;
use crate::load::follows::{Followed, Plan};
use crate::load::run_part;
use crate::report::{Bar, Row};
use crate::stage::{BODY_BYTES, Stage};
use rustix::process::{Resource, getrlimit};
use wire::Token;

const FOLLOWERS: usize = 1_000;
/// So many that the second slowest decides; in a quick run the slowest does.
const POSTS: usize = 100;
const QUICK_POSTS: usize = 30;

const MANY_FOLLOWERS: usize = 10_000;
/// Each is a file of the node, and of the load; the rest is for what they have open besides.
const FILES_NEEDED: u64 = 11_000;
/// One after the other into another area, with nobody waiting and with all: a percentile needs some hundreds.
const POSTS_ELSEWHERE: usize = 300;

pub async fn measure_delivery(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let stage = bench.stage(1, FOLLOWERS, 1).await?;
    let posts = if bench.how.is_quick { QUICK_POSTS } else { POSTS };
    let followed = follow(&stage, |plan| Plan { followers: FOLLOWERS, ping: true, posts, ..plan }).await?;
    let (ack, sent) = (&followed.after_ack, &followed.after_sending);
    let costs = followed.spent.each(followed.deliveries);
    bench.tell(&format!(
        "B5 {FOLLOWERS} followers, acknowledgement to the last delivery: p50 {:.1} ms, p99 {:.1} ms; from sending: \
         p50 {:.1} ms, p99 {:.1} ms; {} polls were told `busy`; processor time of a delivery: {costs}",
        ack.p50_ms, ack.p99_ms, sent.p50_ms, sent.p99_ms, followed.busy
    ));
    figures.take_work("B5", followed.deliveries as f64 / followed.delivering_s, costs);
    figures.take("B5.p50_ms", ack.p50_ms);
    figures.take("B5.p99_ms", ack.p99_ms);
    figures.take("B5.sent_p99_ms", sent.p99_ms);
    Ok(())
}

pub fn judge_delivery(figures: &Figures) -> Vec<Row> {
    let name = format!("{FOLLOWERS} followers of one area, acknowledgement to the last delivery, p99");
    let row = Row::new("B5", name, figures.median("B5.p99_ms"), "ms").bar(Bar::below(150.0, 50.0));
    let row = row.work("B5", figures);
    vec![match (figures.median("B5.p50_ms"), figures.median("B5.sent_p99_ms")) {
        (Some(p50), Some(sent)) => row.note(format!("p50 {p50:.1} ms; p99 from sending {sent:.1} ms")),
        _ => row,
    }]
}

/// Resident memory of the node alone: what the kernel holds for the sockets is the same for every server.
pub async fn measure_memory(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    if let Some(files) = getrlimit(Resource::Nofile).maximum
        && files < FILES_NEEDED
    {
        figures.missing("B6.kib", format!("the hard file limit is {files}, below {FILES_NEEDED}"));
        return Ok(());
    }
    // Half of them are subscribed to the followed area, the others to the one that is posted into meanwhile.
    let stage = bench.stage(1, MANY_FOLLOWERS * 2, 2).await?;
    // They do not ping: that would be 5,000 short connections a second, and measure those.
    let many = |plan| Plan { followers: MANY_FOLLOWERS, posts: 1, elsewhere: POSTS_ELSEWHERE, ..plan };
    let followed = follow(&stage, many).await?;
    let added_kib = followed.resident_with_kib.saturating_sub(followed.resident_before_kib);
    let each_kib = added_kib as f64 / MANY_FOLLOWERS as f64;
    let (before, with) = (&followed.elsewhere_before, &followed.elsewhere_while);
    bench.tell(&format!(
        "B6 {MANY_FOLLOWERS} followers: {} KiB before, {} KiB with them, {each_kib:.2} KiB each; a post elsewhere: p50 \
         {:.2} ms before, {:.2} ms with them, p99 {:.2} and {:.2} ms; all of them served in {:.0} ms, {} polls were told `busy`",
        followed.resident_before_kib,
        followed.resident_with_kib,
        before.p50_ms,
        with.p50_ms,
        before.p99_ms,
        with.p99_ms,
        followed.after_ack.p50_ms,
        followed.busy
    ));
    figures.take("B6.kib", each_kib);
    figures.take("B6.before_p50_ms", before.p50_ms);
    figures.take("B6.p50_ms", with.p50_ms);
    figures.take("B6.p99_ms", with.p99_ms);
    figures.take("B6.served_ms", followed.after_ack.p50_ms);
    Ok(())
}

pub fn judge_memory(figures: &Figures) -> Vec<Row> {
    let name = format!("{MANY_FOLLOWERS} followers waiting on one node, resident memory for each");
    let row = Row::new("B6", name, figures.median("B6.kib"), "KiB").bar(Bar::at_most(16.0, 8.0));
    let note = || {
        let [before, p50, p99, served] = ["before_p50_ms", "p50_ms", "p99_ms", "served_ms"]
            .map(|name| figures.median(&format!("B6.{name}")));
        Some(format!(
            "without their pings; posts elsewhere meanwhile: p50 {:.2} ms, without followers {:.2} ms, p99 {:.2} ms; one post to all of them: \
             {:.0} ms",
            p50?, before?, p99?, served?
        ))
    };
    vec![match figures.why_missing("B6.kib").map(str::to_owned).or_else(note) {
        Some(note) => row.note(note),
        None => row,
    }]
}

async fn follow(stage: &Stage, how: impl FnOnce(Plan) -> Plan) -> anyhow::Result<Followed> {
    let node = &stage.nodes[0];
    let row = stage.client.query_one("select check_token from service", &[]).await?;
    let check_token: Vec<u8> = row.get(0);
    let plan = Plan {
        node: node.address,
        node_pid: node.process.pid().as_raw_nonzero().get() as u32,
        postmaster: stage.postmaster,
        check_token: Token(check_token.as_slice().try_into()?),
        crowd: stage.crowd,
        followers: 0,
        ping: false,
        body_bytes: BODY_BYTES,
        posts: 0,
        elsewhere: 0,
    };
    run_part("follows", &how(plan)).await
}
