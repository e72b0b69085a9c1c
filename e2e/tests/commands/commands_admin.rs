//! The contract of the command line: what administrators do, and that nobody else may.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::{Gaceta, form};
use gaceta_e2e::service::PASSWORD;
use serde_json::{Value, json};

const AREA: &str = "{already: bool, area: {created_at: string, description: string, expired_through: number, id: number, keep_count: null, \
                    keep_for_s: null, last_seq: number, name: string, removed_at: null, replicas: number, \
                    subscribers: number}}";

#[tokio::test]
async fn areas_are_made_changed_removed_and_restored() {
    let deployment = Deployment::start(1).await;
    let (admin, ana) = (deployment.admin().await, deployment.person("ana").await);
    let added = admin.json("admin area add news").await;
    assert_eq!(form(&added), AREA);
    assert_eq!(admin.fails("admin area add NEWS", 7).await["code"], "conflict");
    assert_eq!(admin.fails("admin area add a#b", 1).await["code"], "invalid");
    let set = admin
        .json("admin area set news --description fresh --replicas 2 --keep-for 90d --keep-count 5")
        .await;
    let area = &set["area"];
    assert_eq!((&area["description"], &area["replicas"]), (&json!("fresh"), &json!(2)));
    assert_eq!((&area["keep_for_s"], &area["keep_count"]), (&json!(90 * 86_400), &json!(5)));
    let forever = admin.json("admin area set news --keep-for forever --keep-count forever").await;
    assert_eq!(
        (&forever["area"]["keep_for_s"], &forever["area"]["keep_count"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(admin.fails("admin area set news", 2).await["code"], "usage");
    assert_eq!(admin.fails("admin area set nowhere --replicas 2", 3).await["code"], "not_found");

    ana.json("subscribe news").await;
    ana.json("post news hello").await;
    for line in ["admin area rm news", "admin area rm news --confirm new"] {
        assert_eq!(admin.fails(line, 2).await["code"], "usage", "{line}");
    }
    assert_eq!(
        admin.json("admin area rm news --confirm news").await,
        json!({"area": "news", "already": false})
    );
    assert_eq!(ana.fails("post news more", 3).await["code"], "not_found");
    assert_eq!(ana.json("areas").await, json!([]));
    let removed = admin.json("admin area list").await;
    assert_eq!(removed[0]["removed_at"].as_str().map(str::len), Some("2026-01-01T00:00:00.000000Z".len()));
    assert_eq!(admin.json("admin area restore news").await["already"], false);
    assert_eq!(admin.json("admin area restore news").await["already"], true, "I10");
    assert_eq!(ana.bodies("news").await, ["hello"], "the subscription is back, too");
    assert_eq!(admin.fails("admin area restore nowhere", 3).await["code"], "not_found");
    assert_eq!(admin.fails("admin area rm nowhere --confirm nowhere", 3).await["code"], "not_found");
}

#[tokio::test]
async fn users_are_made_promoted_and_locked_out_and_all_of_it_is_audited() {
    let deployment = Deployment::start(1).await;
    let at = deployment.agent.address;
    let admin = deployment.admin().await;
    let add = ["admin", "user", "add", "Eva", "--role", "user", "--password-stdin"];
    assert_eq!(admin.json_with(&add, PASSWORD).await, json!({"user": "Eva", "already": false}));
    let again = admin.run_with(&[&["--json"], &add[..]].concat(), PASSWORD).await;
    assert!(matches!(again.code, Some(0 | 7)), "{again:?}");
    let eva = Gaceta::logged_in(at, "eva", PASSWORD).await;
    let users = admin.json("admin user list").await;
    assert_eq!(
        form(&users),
        "[{created_at: string, disabled_at: null, name: string, role: string, sessions: number}]"
    );
    assert_eq!(users.as_array().unwrap().len(), 2);
    let sessions = admin.json("admin user sessions eva").await;
    assert_eq!(
        form(&sessions),
        "[{created_at: string, current: bool, expires_at: string, id: number, label: string, last_used_at: string}]"
    );

    assert_eq!(admin.json("admin user role eva admin").await, json!({"user": "eva", "already": false}));
    assert_eq!(admin.json("admin user role eva admin").await["already"], true, "I10");
    assert_eq!(eva.json("whoami").await["role"], "admin", "at once, with the same session");
    eva.json("admin user role eva user").await;
    assert_eq!(eva.fails("admin audit", 5).await["code"], "denied");
    for line in ["admin user role admin user", "admin user disable admin"] {
        let error = admin.fails(line, 5).await;
        assert!(error["message"].as_str().unwrap().contains("last"), "{line}: {error}");
    }

    assert_eq!(admin.json("admin user disable eva").await["already"], false);
    assert_eq!(admin.json("admin user disable eva").await["already"], true, "I10");
    eva.fails("whoami", 4).await;
    let login = ["login", "eva", "--password-stdin"];
    assert_eq!(eva.fails_with(&login, PASSWORD, 5).await["code"], "denied");
    assert_eq!(
        eva.fails_with(&login, "wrong", 4).await["code"],
        "unauthenticated",
        "who does not know it is told nothing"
    );
    admin.json("admin user enable eva").await;
    eva.json_with(&login, PASSWORD).await;
    let passwd = ["admin", "user", "passwd", "eva", "--password-stdin"];
    assert_eq!(admin.json_with(&passwd, "a new one").await["user"], "eva");
    eva.fails("whoami", 4).await;
    eva.json_with(&login, "a new one").await;
    for line in ["role nobody admin", "disable nobody", "enable nobody", "sessions nobody"] {
        assert_eq!(admin.fails(&format!("admin user {line}"), 3).await["code"], "not_found", "{line}");
    }

    admin.json("admin area add news").await;
    eva.json("subscribe news").await;
    eva.json("post news hello").await;
    let removed = json!({"area": "news", "seq": 1, "already": false});
    assert_eq!(admin.json("admin article rm news#1").await, removed, "I4: a command of its own");
    assert_eq!(admin.json("admin article rm news#1").await["already"], true, "I10");
    assert_eq!(admin.fails("admin article rm news#2", 3).await["code"], "not_found");

    let audit = admin.json("admin audit").await;
    let entry = &audit[0];
    assert_eq!(
        form(entry).replace(&form(&entry["detail"]), "…"),
        "{action: string, actor: string, at: string, detail: …, id: number, target: string}"
    );
    assert!(entry["detail"].is_object());
    let of =
        |entry: &Value| format!("{} {}", entry["actor"].as_str().unwrap(), entry["action"].as_str().unwrap());
    let actions: Vec<String> = audit.as_array().unwrap().iter().map(of).collect();
    let expected = [
        "admin article.rm",
        "admin area.add",
        "admin user.passwd",
        "admin user.enable",
        "admin user.disable",
        "Eva user.role",
        "admin user.role",
        "admin user.add",
    ];
    assert_eq!(actions, expected, "newest first, what was so already not at all");
    assert_eq!(admin.json("admin audit --limit 2").await.as_array().unwrap().len(), 2);
    assert!(!audit.to_string().contains("a new one") && !audit.to_string().contains(PASSWORD));
}

#[tokio::test]
async fn nobody_else_may() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    for line in [
        "admin area add other",
        "admin area set news --replicas 2",
        "admin area rm news --confirm news",
        "admin area restore news",
        "admin area list",
        "admin article rm news#1",
        "admin user list",
        "admin user role ana admin",
        "admin user disable admin",
        "admin user enable admin",
        "admin user sessions admin",
        "admin audit",
        "admin settings list",
        "admin settings get registration",
        "admin settings set registration closed",
        "admin settings unset registration",
        "admin settings import /dev/null",
        "admin settings export",
        "admin settings status",
        "admin settings watch",
    ] {
        assert_eq!(ana.fails(line, 5).await["code"], "denied", "{line}");
    }
    for line in ["admin user add eva --password-stdin", "admin user passwd admin --password-stdin"] {
        let args: Vec<&str> = line.split(' ').collect();
        assert_eq!(ana.fails_with(&args, PASSWORD, 5).await["code"], "denied", "{line}");
    }
    assert_eq!(ana.json("areas").await.as_array().unwrap().len(), 1);
    assert_eq!(ana.json("whoami").await["role"], "user");
    assert_eq!(deployment.admin().await.json("whoami").await["role"], "admin");
}
