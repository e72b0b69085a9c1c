//! `follow --exec`: a program for each article, at least once, in order, none skipped, whatever dies (I3).
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::processes::{Process, until};
use rustix::process::Signal;
use std::fs;
use std::path::Path;

/// Runs `follow news --exec sh -c SCRIPT`; `$LOG` is `log`.
fn follow(person: &Gaceta, log: &Path, script: &str) -> Process {
    let person = person.clone().with("LOG", log.to_str().unwrap());
    Process::start("follow", person.command(&["follow", "news", "--exec", "sh", "-c", script]))
}

fn lines(log: &Path) -> Vec<String> {
    fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

async fn logged(log: &Path, count: usize) -> Vec<String> {
    until("the program to run", async || Some(lines(log)).filter(|lines| lines.len() >= count)).await
}

async fn cursor(person: &Gaceta) -> i64 {
    person.json("subscriptions").await[0]["cursor"].as_i64().unwrap()
}

async fn reaches(person: &Gaceta, seq: i64) {
    until("the cursor to move", async || (cursor(person).await == seq).then_some(())).await;
}

#[tokio::test]
async fn i3_a_program_is_given_each_article_as_it_was_written_one_after_the_other() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let text = "two\nlines; $(false) 'quoted' \u{1b}[31m\n";
    let posted = ana.json_with(&["post", "news", "-"], &format!("{text}\n")).await;
    ana.json("post news gone").await;
    ana.json("delete news#2").await;
    ana.json_with(&["post", "news", "-"], &"x".repeat(65_536)).await; // the longest there is
    let log = deployment.file("log");
    // The third is not read; the cursor is where it was while its program still runs.
    let script = r#"
        echo "$GACETA_AREA#$GACETA_SEQ $GACETA_ID $GACETA_AUTHOR ${GACETA_POSTED_AT%T*} ${GACETA_DELETED:-no}" >> "$LOG"
        if [ "$GACETA_SEQ" -lt 3 ]; then cat > "$LOG.$GACETA_SEQ"; echo "out $GACETA_SEQ"; fi"#;
    let ana_again = ana.clone().with("GACETA_DELETED", "from outside").with("GACETA_ID", "from outside");
    let mut follow = follow(&ana_again, &log, script);
    let read = logged(&log, 3).await;
    let id = posted["id"].as_str().unwrap();
    assert!(read[0].starts_with(&format!("news#1 {id} ana 2")) && read[0].ends_with(" no"), "{read:?}");
    assert_eq!(read[1], "news#2    1");
    assert!(read[2].starts_with("news#3 "), "{read:?}");
    assert_eq!(fs::read_to_string(log.with_extension("1")).unwrap(), text);
    assert_eq!(fs::read_to_string(log.with_extension("2")).unwrap(), "");
    assert_eq!(follow.line().await.as_deref(), Some("out 1"), "the program's output, and nothing else");
    assert_eq!(follow.line().await.as_deref(), Some("out 2"));
    reaches(&ana, 3).await;
    ana.json("post news later").await;
    logged(&log, 4).await;
    reaches(&ana, 4).await;
    assert_eq!(follow.terminate().await, Some(143));
}

#[tokio::test]
async fn i3_a_program_that_fails_stops_it_before_that_article() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    for text in ["one", "two", "three"] {
        ana.json(&format!("post news {text}")).await;
    }
    let log = deployment.file("log");
    let mut failing = follow(&ana, &log, r#"echo "$GACETA_SEQ" >> "$LOG"; [ "$GACETA_SEQ" != 2 ] || exit 9"#);
    assert_eq!(failing.end().await.code(), Some(1));
    failing.logged("exit status: 9 for news#2, which stays unread").await;
    assert_eq!((lines(&log), cursor(&ana).await), (vec!["1".into(), "2".into()], 1));
    let json = ana.run_with(&["--json", "follow", "--exec", "sh", "-c", "echo mine; exit 9"], "").await;
    assert_eq!(
        (json.code, json.stdout.as_str()),
        (Some(1), "mine\n"),
        "standard output is the program's: {json:?}"
    );
    assert!(
        json.stderr.starts_with("{\"error\":{\"code\":\"local\",") && json.stderr.ends_with("}\n"),
        "{json:?}"
    );
    let missing = ana.fails_with(&["follow", "--exec", "/nowhere/at all"], "", 1).await;
    assert!(missing["message"].as_str().unwrap().contains("cannot start"), "{missing}");
    let mut next = follow(&ana, &log, r#"cat >> "$LOG""#);
    // A text has no newline at its end.
    let all = "1\n2\ntwothree";
    until("the rest", async || (fs::read_to_string(&log).unwrap() == all).then_some(())).await;
    reaches(&ana, 3).await;
    next.terminate().await;
}

#[tokio::test]
async fn i3_what_was_executed_and_not_yet_marked_is_executed_again_and_nothing_is_skipped() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    for n in 1..=4 {
        ana.json(&format!("post news {n}")).await;
    }
    let log = deployment.file("log");
    // Killed by its own program, which has done its work; then after the program's end, before the mark.
    let mut killed =
        follow(&ana, &log, r#"echo "$GACETA_SEQ" >> "$LOG"; [ "$GACETA_SEQ" != 2 ] || kill -9 "$PPID""#);
    assert_eq!(killed.end().await.code(), None);
    assert_eq!((lines(&log), cursor(&ana).await), (vec!["1".into(), "2".into()], 1));
    let aborting = ana.clone().with("GACETA_TEST_ABORT_AT", "follow-executed");
    let mut aborted = follow(&aborting, &log, r#"echo "$GACETA_SEQ" >> "$LOG""#);
    assert_eq!(aborted.end().await.code(), None);
    assert_eq!(cursor(&ana).await, 1);
    let mut last = follow(&ana, &log, r#"echo "$GACETA_SEQ" >> "$LOG""#);
    assert_eq!(logged(&log, 6).await, ["1", "2", "2", "2", "3", "4"]);
    reaches(&ana, 4).await;
    last.terminate().await;
}

#[tokio::test]
async fn i3_whoever_stops_it_lets_the_running_program_finish_and_that_counts() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    ana.json_with(&["post", "news", "-"], &"x".repeat(65_536)).await; // the longest there is
    ana.json("post news two").await;
    let (log, go) = (deployment.file("log"), deployment.file("log.go"));
    let made = std::process::Command::new("mkfifo").arg(&go).status().unwrap();
    assert!(made.success());
    let script = r#"echo begun >> "$LOG"; read -r _ < "$LOG.go"; echo $(wc -c) >> "$LOG""#;
    let mut follow = follow(&ana, &log, script);
    logged(&log, 1).await;
    follow.signal(Signal::TERM);
    tokio::task::spawn_blocking(move || fs::write(go, "now\n")).await.unwrap().unwrap();
    assert_eq!(follow.end().await.code(), Some(143));
    assert_eq!((lines(&log), cursor(&ana).await), (vec!["begun".into(), "65536".into()], 1));
}
