//! What a person hears of work that takes longer than a moment.
#![allow(clippy::unwrap_used)]

mod fake;

use fake::{Articles, Fake};
use gaceta::command::Cli;
use gaceta::render::{Output, Style};
use gaceta::run::run_command;
use gaceta::stop::Stop;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wire::{NodeReply, NodeRequest, VerifiedState, VerifyPage};

/// Three pages of this are more than the second in which nothing is said.
const SLOW: Duration = Duration::from_millis(450);

#[tokio::test]
async fn a_slow_verification_says_how_far_it_is_and_its_result_stays_clean() {
    use clap::Parser;
    let node = Fake::node(|request| async move {
        let NodeRequest::Verify(wire::Verify { after, .. }) = request else { panic!("{request:?}") };
        tokio::time::sleep(SLOW).await;
        let states = vec![VerifiedState::Kept];
        Ok(NodeReply::Verified(VerifyPage { from: after + 1, states, last_seq: 4, expired_through: 0 }))
    })
    .await;
    let agent = Fake::agent(vec![node.address.clone()], 0, 4).await;
    let ana = fake::Person::log_in(&agent).await;
    let (stdout, stderr) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let style = Style { json: true, stderr_terminal: true, ..Style::default() };
    let output = Output::to(style, stdout.clone(), stderr.clone());
    let cli = Cli::try_parse_from(["gaceta", "verify", "news"]).unwrap();
    let code = run_command(cli.command.unwrap(), &ana.settings, &output, &Stop::default()).await;
    let text = |bytes: &Mutex<Vec<u8>>| String::from_utf8(bytes.lock().unwrap().clone()).unwrap();
    assert_eq!(code, 0);
    assert!(text(&stderr).contains("verifying News: 3 of 4"), "{:?}", text(&stderr));
    assert!(text(&stdout).starts_with("{\"area\":\"News\",") && text(&stdout).ends_with("}\n"));
}

#[tokio::test]
async fn a_slow_post_of_many_lines_says_how_far_it_is_and_its_result_stays_clean() {
    use clap::Parser;
    let articles = Articles::default();
    let node = Fake::node(move |request| {
        let NodeRequest::Post(wire::PostBatch { posts }) = request else { panic!("{request:?}") };
        let results = posts.into_iter().map(|post| Ok(articles.take(post))).collect();
        async move {
            tokio::time::sleep(SLOW).await;
            Ok(NodeReply::Posted(wire::PostedBatch { results }))
        }
    })
    .await;
    let agent = Fake::agent(vec![node.address.clone()], 0, 0).await;
    let ana = fake::Person::log_in(&agent).await;
    let (stdout, stderr) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let style = Style { json: true, stderr_terminal: true, ..Style::default() };
    let output = Output::to(style, stdout.clone(), stderr.clone());
    let batch = gaceta::service::outbox::TAKEN_MAX; // as many are sent at once
    let lines: Vec<String> = (1..=3 * batch + 1).map(|number| format!("line {number}")).collect();
    let cli = Cli::try_parse_from(["gaceta", "post", "news", "--lines", &lines.join("\n")]).unwrap();
    let code = run_command(cli.command.unwrap(), &ana.settings, &output, &Stop::default()).await;
    let text = |bytes: &Mutex<Vec<u8>>| String::from_utf8(bytes.lock().unwrap().clone()).unwrap();
    assert_eq!(code, 0, "{:?}", text(&stderr));
    let told = format!("posting: {} of {}", 3 * batch, lines.len());
    assert!(text(&stderr).contains(&told), "{:?}", text(&stderr));
    assert!(text(&stderr).ends_with("\r\x1b[K"), "the line is gone: {:?}", text(&stderr));
    let posted: serde_json::Value = serde_json::from_str(&text(&stdout)).unwrap();
    assert_eq!(posted.as_array().unwrap().len(), lines.len());
}
