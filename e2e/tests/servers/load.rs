//! How much the nodes do: reported by each, written by the leader with its sum and mean, gone on with by the next leader, and
//! shown to administrators.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::processes::until;
use serde_json::Value;

/// The latest sample that is wanted.
fn sample_of(load: &Value, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
    load["samples"].as_array().unwrap().iter().rev().find(|sample| wanted(sample)).cloned()
}

fn close(a: &Value, b: f64) -> bool {
    (a.as_f64().unwrap() - b).abs() < 1e-6
}

#[tokio::test]
async fn i7_what_nodes_do_is_summed_by_the_leader_and_the_next_one_goes_on() {
    let database = db::testing::database().await;
    let mut deployment = Deployment::start_with_agents(database, 2, 2).await;
    let admin = deployment.admin().await;
    admin.json("admin settings set sample_keep_s 1h").await;
    admin.json("admin settings set sample_interval_ms 1s").await;
    let ana = deployment.reader("ana", "news").await;
    let mut follow = ana.start("--json follow news");
    let wanted = |sample: &Value| {
        sample["nodes"] == 2
            && sample["sum"]["posts_s"].as_f64() > Some(0.0)
            && sample["sum"]["followers"] == 1.0
            && sample["sum"]["deliveries_s"].as_f64() > Some(0.0)
    };
    // Again and again, since nodes tell what they did in the last seconds.
    let look = async || {
        ana.json("post news hello").await;
        follow.line().await.unwrap();
        let load = admin.json("admin load --span 10m").await;
        sample_of(&load, wanted).map(|sample| (load, sample))
    };
    let (load, sample) = until("a sample of two nodes with posts and a follower", look).await;
    for (name, sum) in sample["sum"].as_object().unwrap() {
        assert!(close(&sample["mean"][name], sum.as_f64().unwrap() / 2.0), "{name}: {sample}");
    }
    assert!(sample["sum"]["memory_bytes"].as_f64() > Some(1_000_000.0), "{sample}");
    let addresses: Vec<String> = deployment.nodes.iter().map(|node| node.address.to_string()).collect();
    let told: Vec<&str> =
        load["nodes"].as_array().unwrap().iter().map(|node| node["address"].as_str().unwrap()).collect();
    assert!(addresses.iter().all(|address| told.contains(&address.as_str())), "{load}");

    // The leader dies; the series goes on under another epoch.
    let agents = admin.json("admin agent list").await;
    let leader = agents["leader"]["id"].as_str().unwrap();
    let leading = agents["agents"].as_array().unwrap().iter().find(|agent| agent["id"] == leader).unwrap();
    assert_eq!(leading["leads"], true);
    let of_leader = |server: &&mut gaceta_e2e::deployment::Server| {
        leading["address"].as_str() == Some(&server.address.to_string())
    };
    let mut servers = std::iter::once(&mut deployment.agent).chain(&mut deployment.other_agents);
    servers.find(of_leader).unwrap().process.kill().await;
    let epoch = sample["epoch"].as_i64().unwrap();
    let next = |sample: &Value| sample["epoch"].as_i64() > Some(epoch) && sample["nodes"] == 2;
    let load = until("a sample of the next leader", async || {
        let load = admin.json("admin load --span 10m").await;
        sample_of(&load, next).map(|_| load)
    })
    .await;
    let samples = load["samples"].as_array().unwrap();
    assert!(samples.iter().any(|sample| sample["epoch"] == epoch), "what was there before stays");
    assert!(samples.is_sorted_by_key(|sample| sample["epoch"].as_i64()), "epochs rise");
    assert!(samples.is_sorted_by_key(|sample| sample["at"].as_str().map(str::to_owned)));

    // For people: a table, and lines of bars.
    let shown = admin.run("admin load").await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for line in ["NODE", "mean", "sum", "posts/s", "followers"] {
        assert!(shown.stdout.lines().any(|row| row.starts_with(line)), "{line}: {}", shown.stdout);
    }
    assert!(shown.stderr.contains("Leaders changed"), "{shown:?}");
    assert_eq!(ana.fails("admin load", 5).await["code"], "denied");
    follow.terminate().await;
}

#[tokio::test]
async fn nodes_and_agents_are_listed_with_what_happened_to_them() {
    let deployment = Deployment::start(2).await;
    let admin = deployment.admin().await;
    admin.json("admin area add news").await;
    let node = deployment.nodes[0].address;
    let drained = admin.json(&format!("admin node drain {node}")).await;
    assert_eq!((&drained["already"], drained["node"]["drained_at"].is_string()), (&Value::Bool(false), true));
    assert_eq!(admin.json(&format!("admin node drain {node}")).await["already"], true, "I10");
    let moved = until("the area at the other node", async || {
        let list = admin.json("admin node list").await;
        let of = |address: String| {
            list["nodes"].as_array().unwrap().iter().find(|node| node["address"] == address.as_str()).cloned()
        };
        let (drained, other) = (of(node.to_string())?, of(deployment.nodes[1].address.to_string())?);
        (drained["areas"] == 0 && other["areas"] == 1).then_some(list)
    })
    .await;
    let kinds: Vec<&str> =
        moved["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"node.registered") && kinds.contains(&"node.live"), "{kinds:?}");

    let shown = admin.run("admin node list").await.stdout;
    let row = shown.lines().find(|row| row.starts_with(&node.to_string())).unwrap();
    assert!(row.contains("live, drained"), "{shown}");
    let id: String = moved["nodes"][0]["id"].as_str().unwrap().into();
    let resumed = admin.run(&format!("admin node resume {node}")).await;
    assert!(resumed.stderr.contains("gets areas again"), "{resumed:?}");
    assert_eq!(admin.fails("admin node drain 10.9.9.9:1", 3).await["code"], "not_found");
    assert_eq!(admin.json(&format!("admin node drain {id}")).await["already"], false, "by its id, too");

    let shown = admin.run("admin agent list").await.stdout;
    assert!(shown.contains("leads (epoch 1)") && shown.contains("leader.elected"), "{shown}");
}
