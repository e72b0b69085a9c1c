//! Several agents and nodes, some of them dead, refusing or paused: whoever uses the client notices a moment, nothing else.
//! A paused process still accepts connections (its kernel does), so that only its silence tells.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::{Deployment, Server, agent};
use gaceta_e2e::gaceta::Gaceta;
use rustix::process::Signal;
use serde_json::Value;
use std::net::SocketAddr;

/// Another agent of the same service.
async fn second_agent(deployment: &Deployment) -> Server {
    Server::start("agent", agent(&deployment.database.dsn, "127.0.0.1:0")).await
}

fn at(person: &Gaceta, agents: &[SocketAddr]) -> Gaceta {
    let agents: Vec<String> = agents.iter().map(SocketAddr::to_string).collect();
    person.clone().with("GACETA_AGENTS", &agents.join(","))
}

/// The agent that the next command asks first.
fn remembered(person: &Gaceta) -> Option<String> {
    let context: Value =
        serde_json::from_slice(&std::fs::read(person.state().join("contexts/default.json")).unwrap())
            .unwrap();
    context["last_agent"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn i6_a_session_made_at_one_agent_is_good_at_the_other() {
    let deployment = Deployment::start(1).await;
    let second = second_agent(&deployment).await;
    let ana = deployment.reader("ana", "news").await;
    let elsewhere = at(&ana, &[second.address]);
    assert_eq!(elsewhere.json("whoami").await["user"], "ana");
    elsewhere.json("post news hello").await;
    elsewhere.json("logout").await;
    ana.fails("whoami", 4).await;
}

#[tokio::test]
async fn whichever_agent_is_dead_or_paused_the_other_answers_and_is_remembered() {
    let mut deployment = Deployment::start(1).await;
    let second = second_agent(&deployment).await;
    let both = [deployment.agent.address, second.address];
    // Who logs in names them once: the context keeps both.
    let ana = Gaceta::registered(deployment.agent.address, "ana").await;
    let ana = at(&ana, &both);
    assert_eq!(ana.json("whoami").await["agents"], serde_json::json!(both));

    for round in 0..2 {
        let (paused, running) = (round % 2, (round + 1) % 2);
        let servers = [&deployment.agent, &second];
        servers[paused].process.signal(Signal::STOP);
        // The first command may ask the paused one first; from then on none does.
        assert_eq!(ana.json("whoami").await["user"], "ana");
        assert_eq!(remembered(&ana), Some(both[running].to_string()));
        servers[paused].process.signal(Signal::CONT);
        assert_eq!(ana.json("whoami").await["user"], "ana");
        assert_eq!(remembered(&ana), Some(both[running].to_string()), "no reason to leave it");
    }

    // The one that answered last is gone; then nobody listens where it was.
    deployment.agent.process.kill().await;
    assert_eq!(ana.json("areas").await, serde_json::json!([]));
    assert_eq!(remembered(&ana), Some(second.address.to_string()));
    let nobody = at(&ana, &["127.0.0.1:9".parse().unwrap(), second.address]);
    for _ in 0..4 {
        nobody.json("whoami").await;
    }
    deployment.restart_agent().await;
    drop(second);
    assert_eq!(ana.json("whoami").await["user"], "ana");
    assert_eq!(remembered(&ana), Some(deployment.agent.address.to_string()));
}

#[tokio::test]
async fn with_half_of_the_nodes_paused_everything_goes_on_and_a_follower_moves() {
    let deployment = Deployment::start(4).await;
    let ana = deployment.reader("ana", "news").await;
    let bob = deployment.reader("bob", "news").await;
    let mut follow = bob.start("--json follow news");
    let mut seq = 0;
    // Whichever of them the follower waits at, in one of the rounds it is paused.
    for paused in [[0, 1], [2, 3]] {
        ana.json("post news before").await;
        seq += 1;
        assert!(follow.line().await.unwrap().contains("before"));
        for node in paused {
            deployment.nodes[node].process.signal(Signal::STOP);
        }
        let posted = ana.json("post news during").await;
        seq += 1;
        assert_eq!((&posted["seq"], &posted["duplicate"]), (&seq.into(), &false.into()));
        assert!(follow.line().await.unwrap().contains("during"));
        let read = ana.json("read news").await;
        assert_eq!(read["articles"].as_array().unwrap().len(), 2);
        ana.json(&format!("delete news#{seq}")).await;
        let deleted = ana.json("read news --all --keep").await;
        assert_eq!(deleted["deleted"].as_array().unwrap().last(), Some(&seq.into()));
        for node in paused {
            deployment.nodes[node].process.signal(Signal::CONT);
        }
    }
    assert_eq!(follow.terminate().await, Some(143));
    let verified = bob.json("verify news").await;
    assert_eq!((&verified["kept"], &verified["deleted"]), (&2.into(), &2.into()));
}
