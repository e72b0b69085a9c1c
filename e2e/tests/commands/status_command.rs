//! `gaceta status`: what is wrong is told for each server, soon, whatever is wrong.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The bound of the command, and a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(8);

fn ok(servers: &Value) -> Vec<bool> {
    servers.as_array().unwrap().iter().map(|server| server["error"].is_null()).collect()
}

#[tokio::test]
async fn every_server_is_told_of_with_what_is_wrong() {
    let mut deployment = Deployment::start(2).await;
    let ana = deployment.person("ana").await;
    let status = ana.json("status").await;
    assert_eq!((&status["context"], &status["user"]), (&json!("default"), &json!("ana")));
    assert_eq!((ok(&status["agents"]), ok(&status["nodes"])), (vec![true], vec![true, true]));
    let agent = &status["agents"][0];
    assert_eq!(agent["address"], deployment.agent.address.to_string());
    assert_eq!((&agent["nodes_live"], &agent["nodes"]), (&json!(2), &json!(2)));
    assert!(agent["version"].is_string() && agent["elapsed_ms"].is_u64() && agent["database_ms"].is_u64());
    assert!(agent["clock_ms"].as_i64().unwrap().abs() < 2_000, "{agent}");
    let text = ana.run("status").await;
    assert_eq!((text.code, text.stderr.as_str()), (Some(0), ""));
    assert!(text.stdout.contains("2 of 2 nodes live") && !text.stdout.contains("clock"), "{text:?}");

    // An agent that nobody runs, and a node that holds its tongue.
    let agents = format!("127.0.0.1:1,{}", deployment.agent.address);
    let two = ana.clone().with("GACETA_AGENTS", &agents);
    deployment.nodes[0].process.signal(Signal::STOP);
    let asked = Instant::now();
    let status = two.json("status").await;
    assert!(asked.elapsed() < ANSWER_MAX, "{:?}", asked.elapsed());
    let mut well = ok(&status["agents"]);
    well.sort_unstable();
    assert_eq!(well, [false, true]);
    let stopped = deployment.nodes[0].address.to_string();
    let nodes = status["nodes"].as_array().unwrap();
    let silent = nodes.iter().find(|node| node["address"] == stopped).unwrap();
    assert!(silent["error"].is_string() && silent["version"].is_null(), "{silent}");
    assert!(ok(&status["nodes"]).contains(&true));
    deployment.nodes[0].process.signal(Signal::CONT);

    // Nothing works without a node, or without an agent.
    for node in &mut deployment.nodes {
        node.process.kill().await;
    }
    let ran = ana.run("status").await;
    assert_eq!(ran.code, Some(6), "{ran:?}");
    deployment.agent.process.kill().await;
    let ran = ana.run("status").await;
    assert_eq!((ran.code, ran.stderr.contains("No agent answers")), (Some(6), true), "{ran:?}");
    assert!(ran.stdout.contains(&deployment.agent.address.to_string()), "{ran:?}");
}
