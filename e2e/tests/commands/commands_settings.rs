//! The settings of the service: the contract of their commands, and that every server applies them without a restart.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::processes::until;
use gaceta_e2e::service::PASSWORD;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What the design promises, and what the machine of a test may be late.
const APPLIED_MAX: Duration = Duration::from_millis(2_000 + 3_000);

/// Well below the 25 s of a poll: it is pinged meanwhile.
const POLL_LEFT_MAX: Duration = Duration::from_secs(15);
/// Well below the 8 s that requests have which are not answered.
const STOPPED_MAX: Duration = Duration::from_secs(5);

/// Waits until every server runs the version that there is.
async fn applied(admin: &Gaceta, servers: usize) -> Value {
    let started = Instant::now();
    let status = until("every server to run the settings", async || {
        let status = admin.json("admin settings status").await;
        let all = status["servers"].as_array().unwrap();
        let is_applied = all.iter().all(|server| server["version"] == status["version"]);
        (is_applied && all.len() == servers).then_some(status)
    })
    .await;
    assert!(started.elapsed() < APPLIED_MAX, "{:?}", started.elapsed());
    status
}

#[tokio::test]
async fn settings_are_listed_set_and_put_back() {
    let deployment = Deployment::start(1).await;
    let admin = deployment.admin().await;
    let ran = admin.run("admin settings get lease_ttl_ms").await;
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "6s\n", ""), "for scripts");

    let set = admin.json("admin settings set lease_ttl_ms 7500").await;
    let changed =
        json!({"name": "lease_ttl_ms", "value": "7500ms", "set": true, "version": 2, "already": false});
    assert_eq!(set, changed);
    assert_eq!(admin.json("admin settings set lease_ttl_ms 7500ms").await["already"], true, "I10");
    let listed = admin.json("admin settings list").await;
    assert_eq!(listed["version"], 2);
    let find = |name: &str| {
        listed["settings"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
    };
    assert_eq!(find("lease_ttl_ms")["default"], "6s");
    assert!(find("lease_ttl_ms")["set_at"].is_string() && find("registration")["set_at"].is_null());
    assert_eq!(admin.json("admin settings get lease_ttl_ms").await, find("lease_ttl_ms"));
    let table = admin.run("admin settings list").await.stdout;
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");

    let error = admin.fails("admin settings set lease_ttl_ms 3s", 1).await;
    let told = "lease_ttl_ms must be at least 3 × lease_renewal_ms (1500ms): 4500ms or more, not 3s";
    assert_eq!(error, json!({"code": "invalid", "message": told}));
    let error = admin.fails("admin settings set registration shut", 1).await;
    assert_eq!(error["message"], "registration must be open or closed, not \"shut\"");
    for line in ["get lease_ttl", "set lease_ttl 9s", "unset lease_ttl"] {
        let error = admin.fails(&format!("admin settings {line}"), 3).await;
        assert_eq!(error["message"], "no setting \"lease_ttl\": did you mean \"lease_ttl_ms\"?", "{line}");
    }
    let error = admin.fails("admin settings get zzz", 3).await;
    assert!(error["message"].as_str().unwrap().contains("admin settings list"), "{error}");

    let unset = admin.json("admin settings unset lease_ttl_ms").await;
    assert_eq!((&unset["value"], &unset["set"], &unset["version"]), (&json!("6s"), &json!(false), &json!(3)));
    assert_eq!(admin.json("admin settings unset lease_ttl_ms").await["already"], true, "I10");
    let audit = admin.json("admin audit --limit 2").await;
    let entry =
        |at: usize| (audit[at]["action"].clone(), audit[at]["target"].clone(), audit[at]["detail"].clone());
    let of = |action: &str, detail| (json!(action), json!("lease_ttl_ms"), detail);
    assert_eq!(entry(0), of("setting.unset", json!({"from": 7_500, "to": null})));
    assert_eq!(entry(1), of("setting.set", json!({"from": null, "to": 7_500})));
}

#[tokio::test]
async fn a_file_is_imported_whole_or_not_at_all_with_every_mistake_and_its_line() {
    let deployment = Deployment::start(1).await;
    let admin = deployment.admin().await;
    let file = deployment.file("settings.toml");
    let import = format!("admin settings import {}", file.display());

    std::fs::write(
        &file,
        "event_keep_s = \"10d\"\n# comment\nregistraton = \"closed\"\n\nlease_ttl_ms = 2000\n",
    )
    .unwrap();
    let ran = admin.run(&import).await;
    let at = file.display();
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr),
        (
            Some(1),
            "",
            format!(
                "gaceta: {at}, line 3: no setting \"registraton\": did you mean \"registration\"?\n  \
                 {at}, line 5: lease_ttl_ms must be 3s to 1m, not 2000\n  nothing was changed\n"
            )
        )
    );
    assert_eq!(admin.json("admin settings export").await, json!({"version": 1, "settings": {}}));
    std::fs::write(&file, "event_keep_s = 10 days\n").unwrap();
    let error = admin.fails(&import, 1).await;
    assert!(error["message"].as_str().unwrap().contains("line 1"), "{error}");
    assert_eq!(admin.fails("admin settings import /no/such/file", 1).await["code"], "local");

    std::fs::write(&file, "event_keep_s = \"240h\"\nregistration = \"open\"\n").unwrap();
    let imported = admin.json(&import).await;
    let changes = json!([
        {"name": "registration", "from": "open", "to": "open", "set": true},
        {"name": "event_keep_s", "from": "30d", "to": "10d", "set": true},
    ]);
    assert_eq!(imported, json!({"version": 2, "already": false, "changes": changes}));
    let again = admin.json(&import).await;
    assert_eq!(again, json!({"version": 2, "already": true, "changes": []}), "I10");

    // What is exported can be edited and imported.
    let text = admin.run("admin settings export").await.stdout;
    assert!(
        text.contains("\nevent_keep_s = \"10d\"\n") && text.contains("\n# lease_ttl_ms = \"6s\"\n"),
        "{text}"
    );
    let args = ["admin", "settings", "import", "-"];
    assert_eq!(admin.json_with(&args, &text).await["already"], true);
    let everything = text.replace("\n# lease", "\nlease").replace("10d", "11d");
    let imported = admin.json_with(&args, &everything).await;
    assert_eq!(imported["changes"].as_array().unwrap().len(), 3, "{imported}");
}

#[tokio::test]
async fn every_server_applies_a_change_within_two_seconds_and_tells_so() {
    let database = db::testing::database().await;
    let deployment = Deployment::start_with_agents(database, 2, 3).await;
    let (admin, ana) = (deployment.admin().await, deployment.reader("ana", "news").await);
    applied(&admin, 5).await;
    let long = "x".repeat(3_000);
    let id = "018f3f5e-0000-7000-8000-00000000000a";
    let post = ["post", "news", "--id", id, "-"];
    let first = ana.json_with(&post, &long).await;

    admin.json("admin settings set body_bytes_max 2KiB").await;
    let status = applied(&admin, 5).await;
    assert_eq!(status["version"], 2);
    for (kind, addresses) in
        [("agent", deployment.agents()), ("node", deployment.nodes.iter().map(|node| node.address).collect())]
    {
        for address in addresses {
            let is_it = |server: &Value| server["kind"] == kind && server["address"] == address.to_string();
            assert!(status["servers"].as_array().unwrap().iter().any(is_it), "{kind} {address}: {status}");
        }
    }
    let error = ana.fails_with(&["post", "news", "-"], &long, 1).await;
    assert_eq!(error["code"], "too_large");
    assert!(error["message"].as_str().unwrap().contains("at most 2048 bytes"), "{error}");
    // I1: what was accepted under a wider limit is posted, and its repeat hears so.
    let again = ana.json_with(&post, &long).await;
    assert_eq!((&again["seq"], &again["duplicate"]), (&first["seq"], &json!(true)));

    admin.json("admin settings unset body_bytes_max").await;
    applied(&admin, 5).await;
    ana.json_with(&["post", "news", "-"], &long).await;

    // A row that nobody understands, written by hand, ends nobody.
    let client = deployment.database.client().await;
    let by_hand = "insert into settings values ('follow_wait_ms_max', '\"soon\"'), ('body_bytes_max', '-1');
                   update settings_state set version = version + 1";
    client.batch_execute(by_hand).await.unwrap();
    assert_eq!(applied(&admin, 5).await["version"], 4);
    ana.json_with(&["post", "news", "-"], &long).await;
    let log = deployment.nodes[0].process.log();
    assert_eq!(log.matches("body_bytes_max cannot be \"-1\"").count(), 1, "said once: {log}");
}

#[tokio::test]
async fn what_guards_something_holds_at_once_through_every_agent() {
    let database = db::testing::database().await;
    let deployment = Deployment::start_with_agents(database, 2, 1).await;
    let admin = deployment.admin().await;
    admin.json("admin settings set registration closed").await;
    for agent in deployment.agents() {
        let args = ["register", "bob", "--password-stdin"];
        let error = Gaceta::at(agent).fails_with(&args, PASSWORD, 5).await;
        assert!(error["message"].as_str().unwrap().contains("registration is closed"), "{error}");
    }
    admin.json("admin settings set registration open").await;
    let bob = deployment.person("bob").await;

    let client = deployment.database.client().await;
    let lifetime_s = async || {
        let session = bob.json("sessions").await[0].clone();
        let (from, upto) = (session["last_used_at"].as_str(), session["expires_at"].as_str());
        let between = "select extract(epoch from $2::text::timestamptz - $1::text::timestamptz)::bigint";
        client.query_one(between, &[&from, &upto]).await.unwrap().get::<_, i64>(0)
    };
    assert_eq!(lifetime_s().await, 90 * 86_400);
    admin.json("admin settings set session_lifetime_s 1h").await;
    assert_eq!(lifetime_s().await, 3_600, "also of a session that was begun before");
    let long_ago = "update sessions set last_used_at = now() - interval '61 minutes'
                     where user_id = (select user_id from users where name = 'bob')";
    client.batch_execute(long_ago).await.unwrap();
    assert_eq!(bob.fails("whoami", 4).await["code"], "unauthenticated", "I5");
}

#[tokio::test]
async fn watch_tells_of_each_change_and_goes_on_when_its_agent_dies() {
    let database = db::testing::database().await;
    let mut deployment = Deployment::start_with_agents(database, 2, 1).await;
    let admin = deployment.admin().await;
    let mut watch = admin.start("admin settings watch");
    until("the watch to begin", async || watch.log().contains("at version 1").then_some(())).await;
    admin.json("admin settings set keep_count 10").await;
    assert_eq!(watch.line().await.unwrap(), "version 2: keep_count forever -> 10");
    deployment.agent.process.kill().await;
    let survivor = Gaceta::at(deployment.other_agents[0].address).log_in("admin", PASSWORD).await;
    survivor.json("admin settings unset keep_count").await;
    assert_eq!(watch.line().await.unwrap(), "version 3: keep_count 10 -> forever (its default)");

    // The role is asked again for each answer.
    let client = deployment.database.client().await;
    client.batch_execute("update users set role = 'user' where name = 'admin'").await.unwrap();
    client.batch_execute("update settings_state set version = version + 1").await.unwrap();
    assert_eq!(watch.line().await, None);
    assert!(watch.log().contains("only administrators"), "{}", watch.log());
}

#[tokio::test]
async fn watch_leaves_an_agent_that_is_paused_and_holds_up_none_that_stops() {
    let database = db::testing::database().await;
    let mut deployment = Deployment::start_with_agents(database, 2, 1).await;
    let admin = deployment.admin().await;
    let mut watch = admin.start("admin settings watch");
    until("the watch to begin", async || watch.log().contains("at version 1").then_some(())).await;
    // It waits at one of them.
    for (count, paused, other) in [
        (10, &deployment.agent, &deployment.other_agents[0]),
        (11, &deployment.other_agents[0], &deployment.agent),
    ] {
        let at_other = Gaceta::at(other.address).log_in("admin", PASSWORD).await;
        paused.process.signal(Signal::STOP);
        let began = Instant::now();
        at_other.json(&format!("admin settings set keep_count {count}")).await;
        let line = watch.line().await.unwrap();
        assert!(line.ends_with(&format!("-> {count}")), "{line}");
        assert!(began.elapsed() < POLL_LEFT_MAX, "{:?}", began.elapsed());
        paused.process.signal(Signal::CONT);
    }
    let began = Instant::now();
    let other = &mut deployment.other_agents[0];
    let (one, other) = tokio::join!(deployment.agent.process.terminate(), other.process.terminate());
    assert_eq!((one, other), (Some(0), Some(0)));
    assert!(began.elapsed() < STOPPED_MAX, "{:?}", began.elapsed());
}
