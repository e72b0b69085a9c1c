//! What a person notices of retention: how many unread articles have expired, told once and never left out; that numbers and
//! identities stay; and that a removed area is there until it is purged. Time is not waited for: it is written back.
#![allow(clippy::unwrap_used)]

use db::leader::Term;
use db::retention::Limits;
use db::{Db, TokenHash};
use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::processes::until;
use gaceta_e2e::terminal::Terminal;
use serde_json::{Value, json};
use uuid::Uuid;

const DAY_S: i64 = 86_400;

/// What the leader does every few seconds.
struct Retention {
    db: Db,
    limits: Limits,
}

impl Retention {
    fn new(deployment: &Deployment) -> Self {
        let limits = Limits {
            keep_for_s: Some(DAY_S),
            keep_count: None,
            keep_unread_s_max: 30 * DAY_S,
            removed_area_keep_s: 30 * DAY_S,
        };
        Self { db: Db::new(&deployment.database.dsn).unwrap(), limits }
    }

    /// With the lease of whoever leads.
    async fn round(&self) {
        let leader = until("a leader", async || db::leader::current(&self.db).await.unwrap()).await;
        let term = Term { agent_id: leader.agent_id, epoch: leader.epoch };
        agent::leader::retention::round(&self.db, term, &self.limits).await.unwrap();
    }

    /// The articles of an area up to `upto` were posted so many days ago.
    async fn aged(&self, area: &str, upto: i64, days: i32) {
        let sql = "update articles x set posted_at = now() - $3 * interval '1 day'
                     from areas a where a.area_id = x.area_id and a.name = $1 and x.seq <= $2";
        self.db.query(sql, &[&area, &upto, &f64::from(days)]).await.unwrap();
    }
}

async fn post_lines(person: &Gaceta, count: usize) {
    let lines: Vec<_> = (1..=count).map(|n| format!("text {n}")).collect();
    person.json_with(&["post", "news", "--lines"], &lines.join("\n")).await;
}

async fn unread(person: &Gaceta) -> Value {
    person.json("subscriptions").await[0]["unread"].clone()
}

const TOLD: &str = "3 articles in news that you had not read have expired.";

#[tokio::test]
async fn a_reader_whose_unread_articles_expired_is_told_how_many_once() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let retention = Retention::new(&deployment);
    let mut readers = vec![];
    for name in ["bob", "carol", "dora", "emil"] {
        readers.push(deployment.reader(name, "news").await);
    }
    let [bob, carol, dora, emil] = &readers[..] else { panic!() };
    let id = Uuid::now_v7().to_string();
    ana.json(&format!("post news first --id {id}")).await;
    post_lines(&ana, 4).await;
    ana.json("delete news#2").await;
    ana.json("catchup news").await;

    retention.aged("news", 3, 20).await;
    retention.round().await;
    assert_eq!(unread(bob).await, 4, "too old, and not read: kept longer");
    retention.aged("news", 3, 40).await;
    retention.round().await;
    assert_eq!(unread(bob).await, 2);
    assert_eq!(bob.json("areas").await[0]["unread"], 2);

    // Each way of reading tells it: as text, as JSON, a follower, a follower with a program.
    let read = bob.run("read").await;
    assert_eq!(read.code, Some(0));
    assert!(read.stderr.contains(TOLD) && read.stdout.contains("news#4"), "{read:?}");
    let again = bob.run("read").await;
    assert!(!again.stderr.contains("expired"), "once: {again:?}");
    let whole = bob.run("read news --after 0").await;
    assert!(whole.stderr.contains("3 articles in news have expired."), "{whole:?}");

    let read = carol.json("read news").await;
    let told = (&read["from"], &read["upto"], &read["expired_through"], &read["deleted"]);
    assert_eq!(told, (&json!(1), &json!(5), &json!(3), &json!([])));

    let mut follow = dora.start("--json follow news");
    let gap: Value = serde_json::from_str(&follow.line().await.unwrap()).unwrap();
    assert_eq!(gap, json!({"area": "news", "seq": 3, "expired": 3}));
    let next: Value = serde_json::from_str(&follow.line().await.unwrap()).unwrap();
    assert_eq!(next["seq"], 4);
    follow.terminate().await;
    assert_eq!(unread(dora).await, 0, "what was told is read");

    let mut follow = emil.start("follow --exec printenv GACETA_SEQ");
    assert_eq!(follow.line().await.as_deref(), Some("4"));
    follow.logged(TOLD).await;
    follow.terminate().await;

    let verified = ana.json("verify news").await;
    let counts = ["kept", "deleted", "expired"].map(|what| verified[what].as_i64().unwrap());
    assert_eq!((counts, &verified["missing"], &verified["damaged"]), ([2, 0, 3], &json!([]), &json!([])));
    let repeated = ana.json(&format!("post news first --id {id}")).await;
    assert_eq!((&repeated["seq"], &repeated["duplicate"]), (&json!(1), &json!(true)));
}

#[tokio::test]
async fn who_has_nothing_left_to_read_is_told_too() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let (bob, carol) = (deployment.reader("bob", "news").await, deployment.reader("carol", "news").await);
    let retention = Retention::new(&deployment);
    post_lines(&ana, 3).await;
    retention.aged("news", 3, 40).await;
    retention.round().await;
    assert_eq!(unread(&bob).await, 0);
    let read = bob.run("read").await;
    assert!(read.stderr.contains(TOLD), "{read:?}");
    let again = bob.run("read").await;
    assert!(again.stderr.starts_with("Nothing unread"), "once: {again:?}");

    // Somebody at a terminal.
    for told in [TOLD, "Nothing unread"] {
        let mut walking = Terminal::start_sized(&carol.command(&["read"]), 24, 80);
        walking.shows(told).await;
        assert_eq!(walking.ends().await.0.code(), Some(0));
    }
}

#[tokio::test]
async fn i3_a_follower_that_was_away_is_told_what_expired_meanwhile() {
    let mut deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let retention = Retention::new(&deployment);
    let mut follow = ana.start("--json follow news");
    ana.json("post news before").await;
    assert!(follow.line().await.unwrap().contains("before"));

    deployment.nodes[0].process.kill().await;
    let token = wire::Token::from_text(&ana.token()).unwrap();
    let sql = "select area_id from areas where name = 'news'";
    let area_id = retention.db.query_one(sql, &[]).await.unwrap().get(0);
    for body in ["one", "two"] {
        let post = db::articles::NewPost {
            token: TokenHash::of(&token.0),
            area_id,
            id: Uuid::now_v7(),
            body: body.into(),
        };
        db::articles::post_group(&retention.db, &[post]).await.unwrap().remove(0).unwrap();
    }
    retention.aged("news", 3, 40).await;
    retention.round().await;
    deployment.restart_node(0).await;
    let gap: Value = serde_json::from_str(&follow.line().await.unwrap()).unwrap();
    assert_eq!(gap, json!({"area": "news", "seq": 3, "expired": 2}));
    ana.json("post news after").await;
    assert!(follow.line().await.unwrap().contains("after"));
    assert_eq!(follow.terminate().await, Some(143));
    assert_eq!(unread(&ana).await, 0);
}

#[tokio::test]
async fn an_administrator_says_what_is_kept_and_is_told_what_is_allowed() {
    let deployment = Deployment::start(1).await;
    let admin = deployment.admin().await;
    let kept = async || {
        let area = admin.json("admin area list").await[0].clone();
        (area["keep_for_s"].clone(), area["keep_count"].clone())
    };
    let added = admin.json("admin area add news --keep-for 90d --keep-count 10").await;
    assert_eq!(added["area"]["keep_for_s"], 90 * DAY_S);
    let error = admin.fails("admin area set news --keep-for 400d", 1).await;
    assert_eq!(
        error["message"],
        "articles are kept for 1s to 365d (the setting keep_unread_s_max), or forever"
    );
    // At once, before the agent runs the new settings.
    admin.json("admin settings set keep_unread_s_max 500d").await;
    admin.json("admin area set news --keep-for 400d").await;
    admin.json("admin settings unset keep_unread_s_max").await;
    admin.fails("admin area set news --keep-for 401d", 1).await;
    admin.json("admin area set news --keep-for 90d").await;
    admin.fails("admin area set news --keep-count 99999999999999999", 1).await;
    admin.fails("admin area set news --keep-for 0s", 2).await;
    assert_eq!(kept().await, (json!(90 * DAY_S), json!(10)), "a refused change changes nothing");

    // What holds is shown, be it the area's own or the service's.
    admin.json("admin settings set keep_for_s 1d").await;
    admin.json("admin area set news --keep-for default --keep-count default").await;
    until("the service's default", async || (kept().await == (json!(DAY_S), json!(null))).then_some(()))
        .await;
    admin.json("admin area set news --keep-for forever").await;
    assert_eq!(kept().await, (json!(null), json!(null)));
    let audit = admin.json("admin audit --limit 1").await;
    assert_eq!(audit[0]["detail"]["keep_for_s"], "forever");
    assert_eq!(audit[0]["detail"]["keep_count"], json!(null));
}

#[tokio::test]
async fn a_removed_area_is_there_until_it_is_purged() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let admin = deployment.admin().await;
    let retention = Retention::new(&deployment);
    post_lines(&ana, 3).await;
    let remove = "admin area rm news --confirm news";
    admin.json(remove).await;
    retention.round().await;
    admin.json("admin area restore news").await;
    assert_eq!(ana.bodies("news").await.len(), 3);

    admin.json(remove).await;
    let long_ago = "update areas set removed_at = now() - interval '31 days'";
    retention.db.query(long_ago, &[]).await.unwrap();
    retention.round().await;
    admin.fails("admin area restore news", 3).await;
    assert_eq!(admin.json("admin area list").await, json!([]));
    assert_eq!(ana.json("subscriptions").await, json!([]));
    // The same name is another area.
    admin.json("admin area add news").await;
    ana.fails("read news", 5).await;
    ana.json("subscribe news").await;
    assert_eq!(ana.json("post news anew").await["seq"], 1);
    let left = retention.db.query_one("select count(*) from articles", &[]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 1);
}

/// Nobody but the agents does anything here.
#[tokio::test]
async fn the_leader_lets_articles_expire_as_the_settings_say_and_writes_it_down() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let admin = deployment.admin().await;
    let retention = Retention::new(&deployment);
    post_lines(&ana, 5).await;
    retention.aged("news", 2, 20).await;
    admin.json("admin settings set keep_for_s 10d").await;
    ana.json("catchup news").await;
    until("what is old to expire", async || {
        let verified = ana.json("verify news").await;
        (verified["expired"] == 2 && verified["kept"] == 3).then_some(())
    })
    .await;
    let bodies = "select count(*) from articles where body is not null";
    until("the bodies to go", async || {
        (retention.db.query_one(bodies, &[]).await.unwrap().get::<_, i64>(0) == 3).then_some(())
    })
    .await;
    let told = "select subject, detail::text, epoch is not null from events where kind = 'area.expired'";
    let told = retention.db.query(told, &[]).await.unwrap();
    let told: Vec<(&str, &str, bool)> = told.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(told, [("news", r#"{"from": 1, "through": 2, "unread_by": 0}"#, true)]);
    let list = admin.json("admin agent list").await;
    let shown: Vec<(&Value, &Value)> =
        list["events"].as_array().unwrap().iter().map(|event| (&event["kind"], &event["subject"])).collect();
    assert_eq!(shown[0], (&json!("area.expired"), &json!("news")), "an administrator sees it: {shown:?}");
    assert!(shown.iter().any(|(kind, _)| **kind == "leader.elected"), "{shown:?}");
}
