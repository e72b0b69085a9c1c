//! The real program, killed at every step of a post: nothing was sent, or it arrives exactly once (I1).
#![allow(clippy::unwrap_used)]
#![cfg(debug_assertions)] // release builds cannot be told to die

mod fake;

use fake::{Articles, Fake, Person};
use std::process::{Command, Output, Stdio};

async fn gaceta(ana: &Person, args: &'static [&'static str], abort_at: &'static str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gaceta"));
    // Settings of the test's own directory: `gaceta` below XDG_STATE_HOME is what the person uses.
    command.args(args).env("XDG_STATE_HOME", ana.dir.path()).env("GACETA_TEST_ABORT_AT", abort_at);
    command.env("GACETA_AGENTS", ana.settings.agents.as_ref().unwrap().join(","));
    command.env_remove("GACETA_TOKEN").env_remove("GACETA_CONTEXT").stdin(Stdio::null());
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    tokio::time::timeout(fake::WATCHDOG, run).await.expect("the watchdog barked").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_whenever_it_is_killed_a_post_arrives_once_or_was_never_sent() {
    for (point, arrives) in [
        ("outbox-before-write", 0),
        ("outbox-written", 1),
        ("before-send", 1),
        ("after-send", 1),
        ("after-answer", 1),
        ("outbox-removed", 1),
    ] {
        let articles = Articles::default();
        let node = articles.node().await;
        let agent = Fake::agent(vec![node.address.clone()], 0, 0).await;
        let ana = Person::log_in(&agent).await;
        let killed = gaceta(&ana, &["post", "news", "hello"], point).await;
        assert_eq!(killed.status.code(), None, "{point}: {killed:?}");
        for _ in 0..2 {
            let resumed = gaceta(&ana, &["post", "--resume"], "").await;
            assert!(resumed.status.success(), "{point}: {resumed:?}");
        }
        assert_eq!(articles.bodies().len(), arrives, "{point}");
        assert_eq!(ana.files("outbox"), 0, "{point}");
    }
}
