//! The contract of the command line: areas, subscriptions, reading, posting, deleting, following.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::{Gaceta, form, ran};
use serde_json::{Value, json};

fn seqs(read: &Value) -> Vec<i64> {
    read["articles"].as_array().unwrap().iter().map(|article| article["seq"].as_i64().unwrap()).collect()
}

async fn unread(person: &Gaceta) -> Value {
    person.json("subscriptions").await[0]["unread"].clone()
}

#[tokio::test]
async fn areas_and_subscriptions() {
    let deployment = Deployment::start(1).await;
    let (ana, admin) = (deployment.person("ana").await, deployment.admin().await);
    assert_eq!(ana.json("areas").await, json!([]));
    assert_eq!(ana.json("subscriptions").await, json!([]));
    admin.json_with(&["admin", "area", "add", "City News", "--description", "what happens"], "").await;
    let (subscribe, unsubscribe) = (["subscribe", "city news"], ["unsubscribe", "CITY NEWS"]);
    let area = json!({
        "name": "City News", "description": "what happens", "subscribed": false, "unread": null,
        "last_seq": 0, "replicas": 1,
    });
    assert_eq!(ana.json("areas").await, json!([area]));
    assert_eq!(ana.json_with(&unsubscribe, "").await, json!({"area": "City News", "already": true}), "I10");
    let subscribed = ana.json_with(&subscribe, "").await;
    assert_eq!(subscribed, json!({"area": "City News", "cursor": 0, "already": false}));
    assert_eq!(ana.json_with(&subscribe, "").await["already"], true, "I10");
    ana.json_with(&["post", "city news", "one"], "").await;
    let listed = ana.json("areas").await;
    assert_eq!(
        (&listed[0]["subscribed"], &listed[0]["unread"]),
        (&json!(true), &json!(1)),
        "one's own count"
    );
    assert_eq!(ana.json("subscriptions").await, json!([{"area": "City News", "unread": 1, "cursor": 0}]));

    let bob = deployment.person("bob").await;
    assert_eq!(bob.json_with(&subscribe, "").await["cursor"], 1, "from the head on");
    assert_eq!(bob.json_with(&unsubscribe, "").await, json!({"area": "City News", "already": false}));
    let from_start = [&subscribe[..], &["--from-start"]].concat();
    assert_eq!(bob.json_with(&from_start, "").await["cursor"], 0);
    for line in ["subscribe nowhere", "unsubscribe nowhere"] {
        assert_eq!(ana.fails(line, 3).await["code"], "not_found", "{line}");
    }
}

#[tokio::test]
async fn reading_moves_the_cursor_over_what_was_shown() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let empty = ana.json("read news").await;
    assert_eq!((seqs(&empty), &empty["more"]), (vec![], &json!(false)), "nothing to read is no error");
    let nothing = ana.run("--json read").await;
    assert_eq!((nothing.code, nothing.stdout.as_str(), nothing.stderr.as_str()), (Some(0), "", ""));
    let lines: Vec<_> = (1..=6).map(|n| format!("text {n}")).collect();
    ana.json_with(&["post", "news", "--lines"], &lines.join("\n")).await;
    ana.json("delete news#2").await;

    let kept = ana.json("read news --keep --limit 2").await;
    assert_eq!(
        form(&kept),
        "{area: string, articles: [{author: string, body: string, id: string, posted_at: string, seq: number}], \
         deleted: [number], expired_through: number, from: number, more: bool, upto: number}"
    );
    assert_eq!((seqs(&kept), &kept["more"], &kept["deleted"]), (vec![1, 3], &json!(true), &json!([2])));
    assert_eq!(unread(&ana).await, 5, "--keep leaves the cursor");
    assert_eq!(seqs(&ana.json("read news --limit 2").await), [1, 3]);
    assert_eq!(unread(&ana).await, 3);
    assert_eq!(seqs(&ana.json("read news --after 4 --limit 1").await), [5]);
    assert_eq!(unread(&ana).await, 3, "I3: what is not contiguous with the cursor does not move it");
    assert_eq!(ana.json("undo news").await, json!({"area": "news", "cursor": 0, "unread": 5}));
    assert_eq!(ana.fails("undo news", 7).await["code"], "conflict", "once");
    assert_eq!(seqs(&ana.json("read news --all").await), [1, 3, 4, 5, 6]);
    assert_eq!(unread(&ana).await, 0, "all of it is contiguous");
    assert_eq!(ana.json("undo").await, json!([{"area": "news", "cursor": 0, "unread": 5}]));

    assert_eq!(ana.json("catchup news").await, json!({"area": "news", "cursor": 6, "unread": 0}));
    assert_eq!(ana.json("catchup").await, json!([{"area": "news", "cursor": 6, "unread": 0}]));
    assert_eq!(ana.json("undo news").await["cursor"], 0, "of the one that moved something");
    ana.json("catchup news").await;
    ana.json("post news seven").await;
    // Without an area: a line for each that has something unread.
    let all = ana.run("--json read").await;
    assert_eq!(seqs(&serde_json::from_str(&all.stdout).unwrap()), [7]);

    let bob = deployment.person("bob").await;
    for line in ["read news", "catchup news", "undo news", "follow news", "post news x"] {
        assert_eq!(bob.fails(line, 5).await["code"], "denied", "{line}: not subscribed");
    }
    for line in [
        "read nowhere",
        "catchup nowhere",
        "undo nowhere",
        "follow nowhere",
        "post nowhere x",
        "verify nowhere",
    ] {
        assert_eq!(bob.fails(line, 3).await["code"], "not_found", "{line}");
    }
}

#[tokio::test]
async fn posting_answers_with_the_number_and_refuses_with_a_draft() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let posted = ana.json("post news Hello,   world").await;
    assert_eq!(form(&posted), "{area: string, duplicate: bool, id: string, seq: number}");
    assert_eq!(
        (&posted["area"], &posted["seq"], &posted["duplicate"]),
        (&json!("news"), &json!(1), &json!(false))
    );
    let id = "018f3f5e-0000-7000-8000-000000000001";
    let first = ana.json(&format!("post news --id {id} text")).await;
    let expected = |duplicate| json!({"area": "news", "seq": 2, "id": id, "duplicate": duplicate});
    assert_eq!(first, expected(false));
    assert_eq!(ana.json(&format!("post news --id {id} text")).await, expected(true), "I1");
    let conflict = ana.fails(&format!("post news --id {id} other"), 7).await;
    assert_eq!(conflict["code"], "conflict", "I1: the same id with another text");
    assert_eq!(std::fs::read_to_string(conflict["draft"].as_str().unwrap()).unwrap(), "other\n");
    assert_eq!(ana.json("outbox").await, json!([]), "a definite answer removes it");

    ana.json_with(&["post", "news", "-"], "from\na pipe\n").await;
    ana.json_with(&["post", "news"], "without words").await;
    let lines = ana.json_with(&["post", "news", "--lines"], "five\n\nsix\r\n").await;
    assert_eq!(form(&lines), "[{area: string, duplicate: bool, id: string, seq: number}]");
    assert_eq!(
        (&lines[0]["seq"], &lines[1]["seq"], lines.as_array().unwrap().len()),
        (&json!(5), &json!(6), 2)
    );
    let expected = ["Hello, world", "text", "from\na pipe", "without words", "five", "six"];
    assert_eq!(ana.bodies("news").await, expected);

    let large = "x".repeat(64 * 1024 + 1);
    assert_eq!(ana.fails_with(&["post", "news", "-"], &large, 1).await["code"], "too_large");
    assert_eq!(ana.fails_with(&["post", "news", "-"], "", 1).await["code"], "invalid");
    assert_eq!(ana.fails_with(&["post", "news", "--lines"], "fine\n\0\n", 1).await["code"], "invalid");
    let refused = ana.fails("post nowhere text", 3).await;
    assert_eq!(form(&refused), "{code: string, draft: string, message: string}");
    assert_eq!(ana.bodies("news").await.len(), 6, "nothing of that arrived");
    assert_eq!(ana.files("outbox"), 0);

    // For people: data on standard output, the rest on standard error.
    let plain = ana.run("post news seven").await;
    assert_eq!((plain.code, plain.stderr.as_str()), (Some(0), ""));
    assert!(plain.stdout.starts_with("news#7"), "{plain:?}");
    let failed = ana.run("post nowhere seven").await;
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(3), ""));
}

#[tokio::test]
async fn the_line_that_an_error_gives_posts_what_was_kept() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.person("ana").await;
    deployment.admin().await.json_with(&["admin", "area", "add", "City News"], "").await;
    let line_of =
        |stderr: &str| stderr.lines().find_map(|line| line.strip_prefix("To post it: ")).map(str::to_owned);
    let mut lines = Vec::new();
    for (args, stdin) in [
        (&["post", "city news", "one text"][..], ""),
        (&["post", "city news", "-"], "two\nlines\n"),
        (&["post", "city news", "--lines"], "three\nfour\n"),
    ] {
        let denied = ana.run_with(args, stdin).await;
        assert_eq!(denied.code, Some(5), "{denied:?}");
        lines.push(line_of(&denied.stderr).unwrap());
    }
    let unknown = ana.run("post nowhere text").await;
    assert!(line_of(&unknown.stderr).unwrap().contains(" post AREA - < "), "{unknown:?}");

    ana.json_with(&["subscribe", "City News"], "").await;
    for line in lines {
        let gaceta = ana.command(&[]);
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg(format!("gaceta() {{ \"$0\" \"$@\"; }}; {line}")).arg(gaceta.get_program());
        shell.envs(gaceta.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let posted = ran(shell, b"").await;
        assert_eq!(posted.code, Some(0), "{line}: {posted:?}");
    }
    let read = ana.json_with(&["read", "City News", "--all"], "").await;
    let bodies: Vec<&Value> = read["articles"].as_array().unwrap().iter().map(|one| &one["body"]).collect();
    assert_eq!(bodies, ["one text", "two\nlines", "three", "four"]);
}

#[tokio::test]
async fn deleting_verifying_following() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let bob = deployment.reader("bob", "news").await;
    ana.json_with(&["post", "news", "--lines"], "one\ntwo\nthree").await;
    assert_eq!(bob.fails("delete news#2", 5).await["code"], "denied", "I4");
    assert_eq!(deployment.admin().await.fails("delete news#2", 5).await["code"], "denied", "I4: not even he");
    assert_eq!(ana.json("delete news#2").await, json!({"area": "news", "seq": 2, "already": false}));
    assert_eq!(ana.json("delete news#2").await, json!({"area": "news", "seq": 2, "already": true}), "I10");
    for line in ["delete news#9", "delete nowhere#1"] {
        assert_eq!(ana.fails(line, 3).await["code"], "not_found", "{line}");
    }
    let verified = ana.json("verify news").await;
    let expected = json!({
        "area": "news", "last_seq": 3, "kept": 2, "deleted": 1, "expired": 0, "missing": [], "damaged": [],
        "unknown": [],
    });
    assert_eq!(verified, expected, "I2");
    // It can fail: behind the service's back a number is lost, and a text is changed.
    let client = deployment.database.client().await;
    client
        .batch_execute(
            "update articles set body = 'forged' where seq = 1; delete from articles where seq = 3",
        )
        .await
        .unwrap();
    let ran = ana.run("--json verify news").await;
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &found["missing"], &found["damaged"]), (Some(1), &json!([3]), &json!([1])));

    ana.json("catchup news").await;
    let mut follower = ana.start("follow --json");
    bob.json("post news four").await;
    let article: Value = serde_json::from_str(&follower.line().await.unwrap()).unwrap();
    assert_eq!(
        form(&article),
        "{area: string, author: string, body: string, id: string, posted_at: string, seq: number}"
    );
    assert_eq!((&article["area"], &article["author"]), (&json!("news"), &json!("bob")));
    bob.json_with(&["post", "news", "--lines"], "five\nsix").await;
    bob.json("delete news#6").await;
    let mut again = bob.start("follow news --json");
    let mut last = String::new();
    while !last.contains("\"seq\":6") {
        last = again.line().await.unwrap();
    }
    assert_eq!(
        serde_json::from_str::<Value>(&last).unwrap(),
        json!({"area": "news", "seq": 6, "deleted": true})
    );
    bob.json("unsubscribe news").await;
    assert_eq!(again.end().await.code(), Some(5), "I5: the subscription has ended");
}
