//! The contract of the command line, as scripts rely on it: exit codes, the exact form of `--json`, data on standard
//! output and everything else on standard error. Here: accounts and sessions, and what every command may answer.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::{Gaceta, form};
use gaceta_e2e::service::PASSWORD;
use serde_json::json;

/// Every command that needs a session, with arguments that would do.
const COMMANDS: [&str; 31] = [
    "logout",
    "whoami",
    "sessions",
    "sessions end 1",
    "sessions --all",
    "areas",
    "subscriptions",
    "subscribe news",
    "unsubscribe news",
    "read",
    "read news",
    "catchup",
    "catchup news",
    "undo news",
    "follow",
    "follow news",
    "post news text",
    "post --resume",
    "outbox",
    "delete news#1",
    "verify news",
    "admin area add news",
    "admin area set news --description x",
    "admin area rm news --confirm news",
    "admin area restore news",
    "admin area list",
    "admin article rm news#1",
    "admin user list",
    "admin user role ana admin",
    "admin user disable ana",
    "admin audit",
];

#[tokio::test]
async fn who_is_not_logged_in_may_only_register_and_log_in() {
    let deployment = Deployment::start(1).await;
    let nobody = Gaceta::at(deployment.agent.address);
    for line in COMMANDS {
        assert_eq!(nobody.fails(line, 4).await["code"], "unauthenticated", "{line}");
    }
    for line in [
        "admin user add bob --password-stdin",
        "admin user passwd bob --password-stdin",
        "passwd --password-stdin",
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        assert_eq!(
            nobody.fails_with(&args, "old one\nnew one", 4).await["code"],
            "unauthenticated",
            "{line}"
        );
    }
    // A session that has ended is none, either; whoever ended it may repeat that (I10).
    let ana = deployment.person("ana").await;
    let twin = ana.clone().with("GACETA_TOKEN", &ana.token());
    ana.json("logout").await;
    for line in COMMANDS.iter().filter(|line| !["logout", "sessions --all"].contains(line)) {
        assert_eq!(twin.fails(line, 4).await["code"], "unauthenticated", "{line}");
    }
}

#[tokio::test]
async fn accounts_and_passwords() {
    let deployment = Deployment::start(1).await;
    let ana = Gaceta::at(deployment.agent.address);
    let register = ["register", "Ana", "--password-stdin"];
    let made = ana.json_with(&register, "secret one\n").await;
    assert_eq!(made, json!({"user": "Ana", "role": "user", "context": "default", "registered": true}));
    let again = ana.json_with(&register, "secret one").await;
    assert_eq!(again["registered"], false, "I10: the same name with the same password");
    assert_eq!(ana.fails_with(&register, "another one", 7).await["code"], "conflict");
    assert_eq!(ana.fails_with(&["register", "-x", "--password-stdin"], "p", 2).await["code"], "usage");
    assert_eq!(
        ana.fails_with(&["register", "--password-stdin", "a/b"], "secret one", 1).await["code"],
        "invalid"
    );
    assert_eq!(ana.fails_with(&register, "", 2).await["code"], "usage", "no password");
    assert_eq!(ana.fails("register bob", 2).await["code"], "usage", "nobody can be asked");

    let whoami = ana.json("whoami").await;
    let agents = json!([deployment.agent.address.to_string()]);
    assert_eq!(whoami, json!({"user": "Ana", "role": "user", "context": "default", "agents": agents}));
    let login = ["login", "ana", "--password-stdin"];
    for (name, password) in [("ana", "wrong"), ("nobody", "secret one")] {
        let error = ana.fails_with(&["login", name, "--password-stdin"], password, 4).await;
        assert_eq!(error, json!({"code": "unauthenticated", "message": "wrong name or password"}));
    }

    // Another context of the same person; changing the password ends all sessions but the one that did.
    let other = ana.clone().with("GACETA_CONTEXT", "other");
    assert_eq!(other.json_with(&login, "secret one").await["context"], "other");
    let passwd = ["passwd", "--password-stdin"];
    assert_eq!(ana.fails_with(&passwd, "wrong\nsecret two", 4).await["code"], "unauthenticated");
    assert_eq!(ana.fails_with(&passwd, "one line", 2).await["code"], "usage");
    assert_eq!(ana.json_with(&passwd, "secret one\nsecret two\n").await, json!({"changed": true}));
    assert_eq!(ana.json("whoami").await["user"], "Ana");
    other.fails("whoami", 4).await;
    other.fails_with(&login, "secret one", 4).await;
    other.json_with(&login, "secret two").await;

    let sessions = ana.json("sessions").await;
    let a_session = "[{created_at: string, current: bool, expires_at: string, id: number, label: string, last_used_at: string}]";
    assert_eq!(form(&sessions), a_session);
    let others: Vec<_> = sessions.as_array().unwrap().iter().filter(|one| one["current"] == false).collect();
    let id = others.iter().map(|one| one["id"].as_i64().unwrap()).max().unwrap();
    assert_eq!(ana.json(&format!("sessions end {id}")).await, json!({"ended": 1}));
    assert_eq!(ana.json(&format!("sessions end {id}")).await, json!({"ended": 0}), "I10");
    assert_eq!(other.fails("areas", 4).await["code"], "unauthenticated", "I5");
    // Somebody else's session is none of hers.
    let bob = deployment.person("bob").await;
    let bobs = bob.json("sessions").await[0]["id"].as_i64().unwrap();
    ana.run(&format!("sessions end {bobs}")).await;
    assert_eq!(bob.json("whoami").await["user"], "bob");

    other.json_with(&login, "secret two").await;
    assert_eq!(other.json("sessions end --all").await["ended"].as_i64(), Some(2));
    ana.fails("whoami", 4).await;
    other.fails("whoami", 4).await;
    ana.json_with(&login, "secret two").await;
    assert_eq!(ana.json("logout").await, json!({"user": "Ana", "logged_out": true}));
}

#[tokio::test]
async fn what_cannot_be_parsed_is_2_and_help_is_data() {
    let deployment = Deployment::start(0).await;
    let nobody = Gaceta::at(deployment.agent.address);
    for line in [
        "",
        "nonsense",
        "post",
        "read --all",
        "read news --after -1",
        "read news --all --unread",
        "delete news",
        "admin area add news --replicas 0",
        "areas --timeout soon",
        "areas --agents nowhere",
        "areas --context ../x",
    ] {
        assert_eq!(nobody.fails(line, 2).await["code"], "usage", "{line}");
    }
    for line in ["--help", "help", "--version", "post --help", "completions bash"] {
        let ran = nobody.run(line).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{line}");
        assert!(!ran.stdout.is_empty(), "{line}");
    }
}

#[tokio::test]
async fn i1_when_no_agent_answers_the_post_waits_with_the_line_that_resumes_it() {
    let mut deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    deployment.agent.process.kill().await;
    assert_eq!(ana.fails("--timeout 300ms areas", 6).await["code"], "unavailable");
    let error = ana.fails("--timeout 300ms post news hello", 6).await;
    assert_eq!(form(&error), "{code: string, id: string, message: string, pending: number, resume: string}");
    assert_eq!((&error["code"], &error["pending"]), (&json!("unavailable"), &json!(1)));
    let again = ana.fails("--timeout 300ms post news hello", 6).await;
    assert_eq!(again["id"], error["id"], "the same text reuses the pending id");
    let outbox = ana.json("outbox").await;
    assert_eq!(form(&outbox), "[{area: string, body: string, created_at: string, id: string}]");
    assert_eq!((&outbox[0]["id"], &outbox[0]["body"]), (&error["id"], &json!("hello")));
    ana.fails("--timeout 300ms post --resume", 6).await;

    deployment.restart_agent().await;
    // Somebody else on the same machine sends only what is his own.
    let bob = ana.clone().with("GACETA_CONTEXT", "bob");
    bob.json_with(&["register", "bob", "--password-stdin"], PASSWORD).await;
    assert_eq!(bob.json("post --resume").await, json!([]));
    assert_eq!(bob.json("outbox").await, json!([]));
    let resume = error["resume"].as_str().unwrap().strip_prefix("gaceta ").unwrap();
    let sent = ana.json(resume).await;
    assert_eq!(sent, json!([{"area": "news", "seq": 1, "id": error["id"], "duplicate": false}]));
    assert_eq!(ana.json("outbox").await, json!([]));
    assert_eq!(ana.json("post --resume").await, json!([]), "nothing to send is no error");
    assert_eq!(ana.bodies("news").await, ["hello"]);
}
