//! Nodes and agents as administrators see and steer them: drained and resumed, given areas by the wanted replicas, doubted by
//! a leader that loses most of them at once; and that everything the service did by itself is told.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::{Deployment, Server};
use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::processes::until;
use gaceta_e2e::programs;
use rustix::process::Signal;
use serde_json::{Value, json};

async fn start(agents: usize, nodes: usize) -> Deployment {
    programs::directory();
    Deployment::start_with_agents(db::testing::database().await, agents, nodes).await
}

async fn nodes(admin: &Gaceta) -> Vec<Value> {
    admin.json("admin node list").await["nodes"].as_array().unwrap().clone()
}

/// The row of the node at this address.
async fn row(admin: &Gaceta, node: &Server) -> Value {
    let address = node.address.to_string();
    nodes(admin).await.into_iter().find(|row| row["address"] == address).unwrap()
}

/// Waits until each of these nodes has so many areas, and returns what there is then.
async fn until_areas(admin: &Gaceta, deployment: &Deployment, wanted: &[u64]) {
    until(&format!("{wanted:?} areas"), async || {
        let rows = nodes(admin).await;
        let areas: Vec<u64> = deployment
            .nodes
            .iter()
            .map(|node| rows.iter().find(|row| row["address"] == node.address.to_string()).unwrap())
            .map(|row| row["areas"].as_u64().unwrap())
            .collect();
        (areas == wanted).then_some(())
    })
    .await;
}

async fn kinds(deployment: &Deployment, family: &str) -> String {
    let sql =
        format!("select string_agg(kind, ' ' order by event_id) from events where kind like '{family}.%'");
    deployment.database.client().await.query_one(&sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn nodes_that_have_left_are_listed_after_those_that_serve() {
    let mut deployment = start(1, 2).await;
    let admin = deployment.admin().await;
    deployment.nodes.sort_by_key(|node| node.address.to_string());
    assert_eq!(deployment.nodes[0].process.terminate().await, Some(0));
    let states: Vec<Value> = nodes(&admin).await.into_iter().map(|mut node| node["state"].take()).collect();
    assert_eq!(states, [json!("live"), json!("left")]);
}

#[tokio::test]
async fn a_drained_node_gives_up_its_areas_serves_on_and_stays_drained_after_a_restart() {
    let mut deployment = start(1, 2).await;
    let admin = deployment.admin().await;
    for n in 0..6 {
        admin.json(&format!("admin area add area-{n}")).await;
    }
    until_areas(&admin, &deployment, &[3, 3]).await;
    let address = deployment.nodes[0].address.to_string();
    let drained = admin.json(&format!("admin node drain {address}")).await;
    assert_eq!((&drained["already"], &drained["node"]["address"]), (&json!(false), &json!(address)));
    assert!(drained["node"]["drained_at"].is_string(), "{drained}");
    assert_eq!(admin.json(&format!("admin node drain {address}")).await["already"], true, "I10");
    until_areas(&admin, &deployment, &[0, 6]).await;

    // Without the other one it serves.
    let ana = deployment.reader("ana", "area-1").await;
    deployment.nodes[1].process.kill().await;
    ana.json("post area-1 hello").await;
    until("the drained node to serve", async || {
        (row(&admin, &deployment.nodes[0]).await["areas"] == 6).then_some(())
    })
    .await;
    deployment.restart_node(1).await;
    until_areas(&admin, &deployment, &[0, 6]).await;

    assert_eq!(deployment.nodes[0].process.terminate().await, Some(0));
    assert_eq!(row(&admin, &deployment.nodes[0]).await["state"], "left", "it is still to be seen");
    deployment.restart_node(0).await;
    assert!(
        row(&admin, &deployment.nodes[0]).await["drained_at"].is_string(),
        "what was wanted of its address"
    );
    let id = row(&admin, &deployment.nodes[0]).await["id"].as_str().unwrap().to_string();
    assert_eq!(admin.json(&format!("admin node resume {id}")).await["already"], false, "by its id");
    assert_eq!(admin.json(&format!("admin node resume {address}")).await["already"], true, "I10");
    until_areas(&admin, &deployment, &[3, 3]).await;

    assert_eq!(admin.fails("admin node drain nowhere:1", 3).await["code"], "not_found");
    assert_eq!(admin.fails("admin node drain 0", 3).await["code"], "not_found", "too short for an id");
    let ambiguous = admin.fails(&format!("admin node drain {}", &id[..4]), 1).await;
    assert!(ambiguous["message"].as_str().unwrap().contains(&address), "{ambiguous}");
    assert_eq!(ana.fails(&format!("admin node drain {address}"), 5).await["code"], "denied");
    for line in ["admin node list", "admin agent list", "admin load"] {
        assert_eq!(ana.fails(line, 5).await["code"], "denied", "{line}");
    }
    let audit = admin.json("admin audit").await;
    let acts = audit.as_array().unwrap().iter().filter(|entry| entry["target"] == address);
    let acts: Vec<_> = acts.map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(acts, ["node.resume", "node.drain"], "what was so already is no act");
}

#[tokio::test]
async fn wanted_replicas_are_there_within_a_round_and_load_is_told() {
    let deployment = start(1, 3).await;
    let ana = deployment.reader("ana", "news").await;
    let admin = deployment.admin().await;
    for (wanted, there) in [(2, 2), (16, 3), (1, 1)] {
        admin.json(&format!("admin area set news --replicas {wanted}")).await;
        until(&format!("{there} replicas"), async || {
            let areas: u64 = nodes(&admin).await.iter().map(|row| row["areas"].as_u64().unwrap()).sum();
            (areas == there).then_some(())
        })
        .await;
    }
    ana.json("post news hello").await;
    until("a sample of every node", async || {
        let rows = nodes(&admin).await;
        rows.iter()
            .all(|row| row["load"]["memory_bytes"].as_f64().is_some_and(|bytes| bytes > 0.0))
            .then_some(())
    })
    .await;
    let load = admin.json("admin load").await;
    assert_eq!(load["samples"][0]["nodes"], 3, "{load}");
    assert_eq!(load["nodes"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_leader_that_loses_most_nodes_at_once_hands_on_and_the_next_one_acts() {
    let deployment = start(2, 2).await;
    let admin = deployment.admin().await;
    let leader = async || {
        until("a leader", async || {
            let list = admin.json("admin agent list").await;
            list["leader"].is_object().then(|| list.clone())
        })
        .await
    };
    let first = leader().await;
    assert_eq!(first["agents"].as_array().unwrap().len(), 2);
    // It has seen both.
    let told = "select exists (select from events where kind = 'assignment.moved')";
    admin.json("admin area add news").await;
    let client = deployment.database.client().await;
    until("a round", async || client.query_one(told, &[]).await.unwrap().get::<_, bool>(0).then_some(()))
        .await;
    for node in &deployment.nodes {
        node.process.signal(Signal::STOP);
    }
    until("both nodes to be out", async || {
        nodes(&admin).await.iter().all(|row| row["state"] == "out").then_some(())
    })
    .await;
    assert_eq!(kinds(&deployment, "leader").await, "leader.elected leader.doubts leader.elected");
    let second = leader().await;
    assert_ne!(second["leader"]["id"], first["leader"]["id"], "the other one");
    assert_eq!(second["leader"]["epoch"], first["leader"]["epoch"].as_i64().unwrap() + 1);
    assert_eq!(second["events"][0]["kind"], "leader.elected");
    for node in &deployment.nodes {
        node.process.signal(Signal::CONT);
    }
    until("both nodes to be back", async || {
        nodes(&admin).await.iter().all(|row| row["state"] == "live").then_some(())
    })
    .await;
    assert_eq!(kinds(&deployment, "leader").await, "leader.elected leader.doubts leader.elected", "once");
}

#[tokio::test]
async fn a_lone_agent_that_loses_all_nodes_acts_on_what_it_sees() {
    let deployment = start(1, 1).await;
    let admin = deployment.admin().await;
    admin.json("admin area add news").await;
    until("its area", async || (nodes(&admin).await[0]["areas"] == 1).then_some(())).await;
    deployment.nodes[0].process.signal(Signal::STOP);
    until("the node to be out", async || (nodes(&admin).await[0]["state"] == "out").then_some(())).await;
    deployment.nodes[0].process.signal(Signal::CONT);
    until("the node to be back", async || (nodes(&admin).await[0]["state"] == "live").then_some(())).await;
    assert_eq!(kinds(&deployment, "leader").await, "leader.elected");
    assert_eq!(nodes(&admin).await[0]["areas"], 1, "nothing was to be moved");
}
