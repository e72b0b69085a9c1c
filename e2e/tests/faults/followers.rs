//! I3 with real processes: a follower misses nothing, repeats nothing, sees nothing out of order, whoever is killed; and
//! when it is killed itself, it may show again what was not yet acknowledged, nothing else.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::at_once;
use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::processes::{Process, event, until};
use rustix::process::Signal;
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use tokio::sync::watch;

/// More than a pipe holds, and less than a page.
const LARGE_POSTS: usize = 30;
const LARGE_POST_BYTES: usize = 10_000;
/// What a pipe holds, less what an article may be short of it.
const PIPE_FULL_BYTES: u64 = 48 * 1024;

async fn next_seq(follower: &mut Process) -> i64 {
    let line = follower.line().await.unwrap_or_else(|| panic!("the follower ended:\n{}", follower.log()));
    let item: Value = serde_json::from_str(&line).unwrap();
    item["seq"].as_i64().unwrap()
}

async fn subscription(person: &Gaceta) -> (i64, i64) {
    let subscriptions = person.json("subscriptions").await;
    let of = |key: &str| subscriptions[0][key].as_i64().unwrap();
    (of("cursor"), of("unread"))
}

async fn post(person: &Gaceta, texts: std::ops::RangeInclusive<i64>) {
    let lines: Vec<_> = texts.map(|n| format!("text {n}")).collect();
    person.json_with(&["post", "news", "--lines"], &lines.join("\n")).await;
}

#[tokio::test]
async fn i3_a_follower_survives_killed_and_stopped_servers_while_eight_write() {
    const WRITERS: usize = 8;
    const POSTS: usize = 14;
    let mut deployment = Deployment::start(2).await;
    let reader = deployment.reader("reader", "news").await;
    let mut follower = reader.start("follow news --json");
    let (count, counted) = watch::channel(0);
    let mut writing = vec![];
    for writer in 0..WRITERS {
        let person = deployment.reader(&format!("writer-{writer}"), "news").await;
        let count = count.clone();
        writing.push(async move {
            for n in 0..POSTS {
                person.json(&format!("--timeout 25s post news {writer}-{n}")).await;
                count.send_modify(|count| *count += 1);
            }
        });
    }
    let writers = tokio::spawn(at_once(writing));
    // Each step when so many posts more were acknowledged: whatever happened before was survived.
    let reached = async |posts: usize| {
        let mut counted = counted.clone();
        event(&format!("{posts} posts"), counted.wait_for(|count| *count >= posts)).await.unwrap();
    };
    for (node, at) in [(0, 10), (1, 30)] {
        reached(at).await;
        deployment.nodes[node].process.kill().await;
        reached(at + 10).await; // the other one serves
        deployment.restart_node(node).await;
    }
    reached(55).await;
    deployment.agent.process.kill().await;
    deployment.restart_agent().await;
    reached(70).await;
    deployment.nodes[0].process.signal(Signal::STOP);
    reached(85).await;
    deployment.nodes[0].process.signal(Signal::CONT);
    event("the writers", writers).await.unwrap();

    let total = (WRITERS * POSTS) as i64;
    for expected in 1..=total {
        assert_eq!(next_seq(&mut follower).await, expected, "I3");
    }
    follower.signal(Signal::TERM);
    assert_eq!(follower.line().await, None, "nothing twice");
    assert_eq!(follower.end().await.code(), Some(143));
    assert_eq!(subscription(&reader).await, (total, 0));
    let mut bodies = reader.bodies("news").await;
    bodies.sort();
    let mut expected: Vec<_> =
        (0..WRITERS).flat_map(|w| (0..POSTS).map(move |n| format!("{w}-{n}"))).collect();
    expected.sort();
    assert_eq!(bodies, expected, "I1");
}

#[tokio::test]
async fn i3_a_killed_follower_shows_again_only_what_was_not_acknowledged() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    // The number shown last, and the cursor as it was seen after the kill.
    let (mut shown, mut cursor) = (0, 0);
    for round in 1..=5 {
        post(&ana, shown + 1..=shown + 3).await;
        let mut follower = ana.start("follow --json");
        // What was acknowledged in the last moment may have reached the service after the kill.
        let first = next_seq(&mut follower).await;
        assert!(
            first > cursor && first <= shown + 1,
            "round {round}: {first} after {shown}, cursor {cursor}"
        );
        for seq in first + 1..=shown + 3 {
            assert_eq!(next_seq(&mut follower).await, seq, "round {round}");
        }
        // One more, seen at once: what was shown before it has been acknowledged by then, this one need not be.
        shown += 4;
        post(&ana, shown..=shown).await;
        assert_eq!(next_seq(&mut follower).await, shown);
        follower.kill().await;
        let unread;
        (cursor, unread) = subscription(&ana).await;
        assert!(
            cursor == shown - 1 || cursor == shown,
            "round {round}: the cursor is at {cursor} of {shown}"
        );
        assert_eq!(unread, shown - cursor);
    }
}

#[tokio::test]
async fn i3_a_follower_that_is_told_to_stop_marks_what_it_showed() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    for (signal, code, head) in [(Signal::TERM, 143, 2), (Signal::INT, 130, 4)] {
        let mut follower = ana.start("follow --json");
        post(&ana, head - 1..=head).await;
        assert_eq!((next_seq(&mut follower).await, next_seq(&mut follower).await), (head - 1, head));
        follower.signal(signal);
        assert_eq!(follower.end().await.code(), Some(code));
        assert_eq!(subscription(&ana).await, (head, 0), "marked on leaving");
    }
}

#[tokio::test]
async fn i3_what_was_shown_while_no_node_answered_is_marked_on_leaving() {
    let mut deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    post_large(&ana).await;
    let mut follower = Process::start_unread("follow", ana.command(&["follow"]));
    until("a full pipe", async || (follower.unread_bytes() > PIPE_FULL_BYTES).then_some(())).await;
    deployment.nodes[0].process.kill().await;
    follower.read();
    follower.logged("Waiting for the service").await; // so everything was shown, and nobody has heard of it
    assert_eq!(subscription(&ana).await, (0, LARGE_POSTS as i64));
    follower.signal(Signal::TERM);
    deployment.restart_node(0).await;
    assert_eq!(follower.end().await.code(), Some(143));
    assert_eq!(subscription(&ana).await, (LARGE_POSTS as i64, 0), "{}", follower.log());
}

async fn post_large(person: &Gaceta) {
    let lines = vec!["x".repeat(LARGE_POST_BYTES); LARGE_POSTS].join("\n");
    person.json_with(&["post", "news", "--lines"], &lines).await;
}

#[tokio::test]
async fn i3_what_could_not_be_shown_stays_unread() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    post_large(&ana).await;
    for signal in [Signal::KILL, Signal::TERM] {
        // Nobody reads: the pipe fills in the middle of the page, and the follower is stuck.
        let mut follower = Process::start_unread("follow", ana.command(&["follow", "--json"]));
        until("a full pipe", async || (follower.unread_bytes() > PIPE_FULL_BYTES).then_some(())).await;
        follower.signal(signal);
        let status = follower.end().await;
        assert!(status.signal() == Some(9) || status.code() == Some(143), "{status}");
        assert_eq!(subscription(&ana).await, (0, LARGE_POSTS as i64), "{signal:?}");
    }
    let mut follower = ana.start("follow --json");
    for seq in 1..=LARGE_POSTS as i64 {
        assert_eq!(next_seq(&mut follower).await, seq);
    }
}

#[tokio::test]
async fn who_is_told_to_end_ends_also_when_nobody_reads_the_answer() {
    let mut deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    deployment.nodes[0].process.kill().await;
    let lines = vec!["x".repeat(LARGE_POST_BYTES); LARGE_POSTS].join("\n");
    ana.fails_with(&["post", "news", "--lines", "--timeout", "500ms"], &lines, 6).await;
    let mut waiting = Process::start_unread("outbox", ana.command(&["outbox", "--json"]));
    until("a full pipe", async || (waiting.unread_bytes() > PIPE_FULL_BYTES).then_some(())).await;
    waiting.signal(Signal::TERM);
    assert_eq!(waiting.end().await.code(), Some(143));
}
