//! What a person does wrong, or finds broken: a clear error that says what to do, the right exit code, and nothing lost.
//! The rows of `docs/errors.md` about people; those about files are in `bad_files`, those about servers elsewhere.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::service::PASSWORD;
use serde_json::{Value, json};

/// `é` as one character, and as a letter with a combining accent.
const NFC: &str = "Caf\u{e9}";
const NFD: &str = "cafe\u{301}";

fn says(error: &Value, code: &str, word: &str) {
    let message = error["message"].as_str().unwrap();
    assert!(error["code"] == code && message.contains(word), "not {code} with {word:?}: {error}");
}

/// The text of the draft that the error names.
fn draft(error: &Value) -> Vec<u8> {
    std::fs::read(error["draft"].as_str().unwrap_or_else(|| panic!("no draft: {error}"))).unwrap()
}

#[tokio::test]
async fn a_wrong_password_is_4_and_the_session_before_stays() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.person("ana").await;
    let wrong = ana.fails_with(&["login", "ana", "--password-stdin"], "wrong horse", 4).await;
    says(&wrong, "unauthenticated", "wrong name or password");
    let unknown = ana.fails_with(&["login", "nobody", "--password-stdin"], PASSWORD, 4).await;
    assert_eq!(unknown["message"], wrong["message"], "whether a name exists is nobody's business");
    assert_eq!(ana.json("whoami").await["user"], "ana");
}

#[tokio::test]
async fn an_unknown_area_is_3_and_the_text_is_kept() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    for line in ["read nwes", "subscribe nwes", "follow nwes", "catchup nwes", "verify nwes", "delete nwes#1"]
    {
        says(&ana.fails(line, 3).await, "not_found", "no area \"nwes\"");
    }
    let error = ana.fails("post nwes precious words", 3).await;
    says(&error, "not_found", "no area \"nwes\"");
    assert_eq!(draft(&error), b"precious words\n");
}

#[tokio::test]
async fn a_removed_area_is_3_and_the_text_is_kept() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    deployment.admin().await.json("admin area rm news --confirm news").await;
    for line in ["read news", "verify news", "subscribe news"] {
        says(&ana.fails(line, 3).await, "not_found", "no area \"news\"");
    }
    assert_eq!(draft(&ana.fails("post news precious", 3).await), b"precious\n");
}

#[tokio::test]
async fn a_badly_named_area_is_refused_with_the_rule() {
    let deployment = Deployment::start(1).await;
    let admin = deployment.admin().await;
    let long = "x".repeat(65);
    for (name, word) in [
        ("", "empty"),
        ("a#b", "letters, digits"),
        ("a/b", "letters, digits"),
        ("two\nlines", "letters, digits"),
        ("bidi\u{202E}", "letters, digits"),
        ("-x", "begin with"),
        (" x", "begin with"),
        ("a  b", "one blank"),
        (long.as_str(), "at most 64"),
    ] {
        says(&admin.fails_with(&["admin", "area", "add", "--", name], "", 1).await, "invalid", word);
    }
    says(
        &admin.fails_with(&["register", "a#b", "--password-stdin"], PASSWORD, 1).await,
        "invalid",
        "letters",
    );
    assert_eq!(admin.json("areas").await, json!([]));
}

#[tokio::test]
async fn names_that_differ_only_in_case_or_composition_are_the_same() {
    let deployment = Deployment::start(1).await;
    let admin = deployment.admin().await;
    admin.json_with(&["admin", "area", "add", NFC], "").await;
    for twin in [NFD, "CAFE\u{301}", "caf\u{e9}"] {
        let error = admin.fails_with(&["admin", "area", "add", twin], "", 7).await;
        says(&error, "conflict", "there is an area");
        admin.json_with(&["subscribe", twin], "").await;
        assert_eq!(admin.json_with(&["post", twin, "x"], "").await["area"], NFC, "as written at creation");
    }
    let ana = Gaceta::at(deployment.agent.address);
    ana.json_with(&["register", "Zo\u{eb}", "--password-stdin"], PASSWORD).await;
    let twin = ["register", "zoe\u{308}", "--password-stdin"];
    says(&ana.fails_with(&twin, "another horse", 7).await, "conflict", "is taken");
    let logged_in = ana.json_with(&["login", "ZOE\u{308}", "--password-stdin"], PASSWORD).await;
    assert_eq!(logged_in["user"], "Zo\u{eb}");
}

#[tokio::test]
async fn an_empty_text_is_refused() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    for stdin in ["", "\n", " \t\n  \n"] {
        says(&ana.fails_with(&["post", "news", "-"], stdin, 1).await, "invalid", "empty");
    }
    says(&ana.fails_with(&["post", "news", ""], "", 1).await, "invalid", "empty");
    assert_eq!(ana.bodies("news").await, [""; 0]);
}

#[tokio::test]
async fn an_oversized_text_is_refused_and_kept_whole() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let large = "0123456789".repeat(20_000);
    let error = ana.fails_with(&["post", "news", "-"], &large, 1).await;
    says(&error, "too_large", "64 KiB");
    assert_eq!(draft(&error), large.as_bytes(), "all of it, though only a part would have been read");
    ana.json_with(&["post", "news", "-"], &"x".repeat(64 * 1024)).await;
    assert_eq!(ana.bodies("news").await.len(), 1);
}

#[tokio::test]
async fn a_text_that_is_no_text_is_refused_and_kept() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    for (bytes, word) in [(b"caf\xe9 au lait".as_slice(), "UTF-8 at byte 4"), (b"a\0b", "NUL at byte 2")] {
        let error = ana.fails_bytes(&["post", "news", "-"], bytes, 1).await;
        says(&error, "invalid", word);
        assert_eq!(draft(&error), bytes);
    }
    let error = ana.fails_bytes(&["post", "news", "--lines"], b"fine\nbad\xff\n", 1).await;
    says(&error, "invalid", "line 2 is not UTF-8");
    assert_eq!(draft(&error), b"fine\nbad\xff\n");
    assert_eq!(
        ana.bodies("news").await,
        [""; 0],
        "not even the good line: it would be doubled by the next try"
    );
}

#[tokio::test]
async fn with_every_agent_down_it_is_6_and_what_was_posted_waits() {
    let mut deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    deployment.agent.process.kill().await;
    let ana = ana.with("GACETA_AGENTS", &format!("{},127.0.0.1:1", deployment.agent.address));
    for line in ["areas", "read news", "subscriptions", "login ana --password-stdin"] {
        let args = gaceta_e2e::gaceta::words(line);
        let error = ana.fails_with(&[&["--timeout", "300ms"], &args[..]].concat(), PASSWORD, 6).await;
        says(&error, "unavailable", "an agent could not be reached");
    }
    let error = ana.fails("--timeout 300ms post news precious", 6).await;
    assert_eq!(error["pending"], 1);
    deployment.restart_agent().await;
    ana.json("post --resume").await;
    assert_eq!(ana.bodies("news").await, ["precious"]);
}

#[tokio::test]
async fn with_every_node_down_it_is_6_and_what_was_posted_waits() {
    let mut deployment = Deployment::start(2).await;
    let ana = deployment.reader("ana", "news").await;
    for node in &mut deployment.nodes {
        node.process.kill().await;
    }
    says(&ana.fails("--timeout 500ms read news", 6).await, "unavailable", "node");
    let error = ana.fails("--timeout 500ms post news precious", 6).await;
    assert_eq!(error["pending"], 1);
    assert_eq!(ana.json("areas").await[0]["name"], "news", "what agents know is still told");
    deployment.restart_node(0).await;
    ana.json("post --resume").await;
    assert_eq!(ana.bodies("news").await, ["precious"]);
}

#[tokio::test]
async fn a_token_of_another_service_is_4_and_what_was_saved_there_is_not_sent_here() {
    let (here, there) = tokio::join!(Deployment::start(1), Deployment::start(1));
    let ana = here.reader("ana", "news").await;
    let stranger = there.reader("ana", "news").await;
    let token = stranger.token();
    says(&ana.clone().with("GACETA_TOKEN", &token).fails("areas", 4).await, "unauthenticated", "log in");

    // A post that waits for one service, and its author at another one under the same name.
    let mut there = there;
    there.agent.process.kill().await;
    stranger.fails("--timeout 300ms post news meant-for-there", 6).await;
    let elsewhere = stranger.clone().with("GACETA_AGENTS", &here.agent.address.to_string());
    says(&elsewhere.fails("post --resume", 4).await, "unauthenticated", "log in");
    elsewhere.json_with(&["login", "ana", "--password-stdin"], PASSWORD).await;
    assert_eq!(elsewhere.json("post --resume").await, json!([]));
    assert_eq!(ana.bodies("news").await, [""; 0]);
    assert_eq!(elsewhere.files("outbox"), 1, "it waits for the service that it was meant for");
}

/// Ten minutes, either way: what the client shows, and what it sends, does not depend on the two clocks agreeing.
#[tokio::test]
async fn a_clock_ten_minutes_off_changes_no_order_and_loses_nothing() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    ana.json_with(&["post", "news", "--lines"], "before\nahead\nbehind").await;
    let client = deployment.database.client().await;
    for (seq, shift) in [(2, "+ interval '10 minutes'"), (3, "- interval '10 minutes'")] {
        let update = format!("update articles set posted_at = posted_at {shift} where seq = {seq}");
        client.batch_execute(&update).await.unwrap();
    }
    assert_eq!(ana.bodies("news").await, ["before", "ahead", "behind"], "the numbers are the order");
    let read = ana.run("read news").await;
    assert_eq!((read.code, read.stderr.as_str()), (Some(0), ""));
    assert_eq!(read.stdout.lines().filter(|line| line.starts_with("news#")).count(), 3);

    // The counter remembers when it was last posted to: a server clock that was ahead for a while keeps `posted_at` rising.
    client.batch_execute("update heads set last_posted_at = now() + interval '10 minutes'").await.unwrap();
    ana.json("post news after").await;
    let read = ana.json("read news --after 3 --keep").await;
    assert_eq!(read["articles"][0]["body"], "after");
    let sessions = ana.json("sessions").await;
    assert_eq!(sessions.as_array().unwrap().len(), 1, "a session depends on the database's clock alone");
}
