//! Contexts: names for services, kept in a file that belongs to the person; each with a session of its own.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::service::PASSWORD;
use serde_json::{Value, json};
use std::fs;

/// Somebody who gives no agents: contexts are what says where the service is.
fn without_agents(person: &Gaceta) -> Gaceta {
    person.clone().with("GACETA_AGENTS", "")
}

#[tokio::test]
async fn a_context_says_where_the_service_is_and_who_is_logged_in() {
    let deployment = Deployment::start(1).await;
    let agent = deployment.agent.address.to_string();
    let person = without_agents(&Gaceta::at(deployment.agent.address));
    let default = json!({"name": "default", "agents": ["127.0.0.1:8000"], "user": null, "current": true});
    assert_eq!(person.json("context list").await, json!([default]));
    assert_eq!(person.fails("context add work", 2).await["code"], "usage", "where is it?");

    let add = format!("context add work --agents {agent}");
    let work = |user: Value, current: bool| json!({"name": "work", "agents": [agent], "user": user, "current": current});
    assert_eq!(person.json(&add).await, json!({"name": "work", "agents": [agent], "already": false}));
    assert_eq!(person.json(&add).await["already"], true, "I10");
    assert_eq!(person.fails("context add work --agents a:1", 7).await["code"], "conflict");
    assert_eq!(person.json("context use work").await, json!({"name": "work", "already": false}));
    assert_eq!(person.json("context use work").await["already"], true);

    // From here on its agents are asked, and the session is its own.
    person.json_with(&["register", "Ana", "--password-stdin"], PASSWORD).await;
    assert_eq!(person.json("whoami").await["context"], "work");
    let listed = person.json("context list").await;
    assert_eq!(listed[0]["current"], false);
    assert_eq!(listed[1], work(json!("Ana"), true));
    let text = person.run("context list").await;
    assert!(text.stdout.contains("*  work     Ana"), "{text:?}");

    // What is said for one command goes before the config.
    person.fails("--context default areas", 4).await;
    person.clone().with("GACETA_CONTEXT", "default").fails("areas", 4).await;
    person.clone().with("GACETA_CONTEXT", "default").json("--context work areas").await;
    let other = person.clone().with("GACETA_CONFIG", person.state().join("other.toml").to_str().unwrap());
    assert_eq!(other.json("context list").await[1]["current"], false);

    // The current one is not removed by mistake; and with it goes its session, not what waits in the outbox.
    assert_eq!(person.fails("context remove work", 7).await["code"], "conflict");
    fs::create_dir_all(person.state().join("outbox")).unwrap();
    fs::write(person.state().join("outbox/waits.json"), "").unwrap();
    assert_eq!(person.json("context remove work --force").await, json!({"name": "work", "user": "Ana"}));
    assert_eq!(person.json("context list").await, json!([default]));
    assert_eq!(person.files("outbox"), 1);
    person.json(&add).await;
    person.fails("--context work whoami", 4).await;
    assert_eq!(person.json("context remove work").await, json!({"name": "work", "user": null}));
}

#[tokio::test]
async fn what_is_not_there_or_damaged_is_told_with_what_to_do() {
    let person = Gaceta::at("127.0.0.1:1".parse().unwrap());
    person.json("context add work --agents a:1").await;
    let error = person.fails("context use wrok", 3).await;
    assert_eq!(error["message"], "no context \"wrok\": did you mean \"work\"?");
    let error = person.fails("context remove elsewhere", 3).await;
    assert!(error["message"].as_str().unwrap().contains("`gaceta context list`"), "{error}");
    assert_eq!(person.fails("context add ../x", 2).await["code"], "usage");

    // A person's own file: comments stay, and a mistake in it is named with its line.
    fs::write(
        person.config(),
        "# mine\ncontext = \"home\" # for now\n\n[contexts.home]\nagents = [\"b:2\"]\n",
    )
    .unwrap();
    person.json("context add work --agents a:1").await;
    person.json("context use work").await;
    let text = fs::read_to_string(person.config()).unwrap();
    assert!(text.starts_with("# mine\ncontext = \"work\" # for now\n\n[contexts.home]\n"), "{text}");
    fs::write(person.config(), "context = \"home\"\n[contexts.home]\nagent = [\"b:2\"]\n").unwrap();
    for line in ["whoami", "context list", "context use work", "context add more --agents c:3"] {
        let error = person.fails(line, 1).await;
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("config.toml is damaged") && message.contains("line 3"),
            "{line}: {message}"
        );
    }
}

#[tokio::test]
async fn the_role_is_kept_for_help_as_the_service_last_told_it() {
    let deployment = Deployment::start(0).await;
    let (ana, admin) = (deployment.person("ana").await, deployment.admin().await);
    let role = |person: &Gaceta| {
        let context = fs::read(person.state().join("contexts/default.json")).unwrap();
        serde_json::from_slice::<Value>(&context).unwrap()["role"].clone()
    };
    assert_eq!((role(&ana), role(&admin)), (json!("user"), json!("admin")));
    admin.json("admin user role ana admin").await;
    ana.json("whoami").await;
    assert_eq!(role(&ana), json!("admin"));
    ana.json("logout").await;
    assert_eq!(role(&ana), Value::Null);
}
