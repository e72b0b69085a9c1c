//! `post AREA` at a terminal: the person's own editor, whose text is never lost, whatever becomes of it.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::terminal::{CTRL_C, CTRL_D, Terminal};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// The same person with this script as the editor; it is given the file as `$1`.
fn with_editor(deployment: &Deployment, person: &Gaceta, script: &str) -> Gaceta {
    let path = deployment.file("my editor"); // with a blank: it is quoted, and no shell splits it
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    person.clone().with("GACETA_EDITOR", &format!("'{}'", path.display()))
}

async fn run(person: &Gaceta, args: &[&str]) -> (Option<i32>, String) {
    let (status, shown) = Terminal::start(&person.command(args)).ends().await;
    (status.code(), shown)
}

fn drafts(person: &Gaceta) -> Vec<String> {
    let files = fs::read_dir(person.state().join("drafts")).into_iter().flatten().flatten();
    let texts = files.filter(|file| !file.file_name().to_string_lossy().starts_with('.'));
    texts.map(|file| fs::read_to_string(file.path()).unwrap()).collect()
}

#[tokio::test]
async fn what_was_written_is_posted_and_what_was_not_posted_is_there_the_next_time() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let writes = |script| with_editor(&deployment, &ana, script);
    let (code, shown) = run(&writes("printf 'Hello\\nworld\\n' > \"$1\""), &["post", "news"]).await;
    assert_eq!((code, shown.contains("news#1")), (Some(0), true), "{shown}");
    assert_eq!(ana.bodies("news").await, ["Hello\nworld"]);
    assert!(drafts(&ana).is_empty());

    // Nothing written, nothing posted.
    for script in ["true", "printf ' \\n' > \"$1\"", "rm \"$1\""] {
        let (code, shown) = run(&writes(script), &["post", "news"]).await;
        assert_eq!(
            (code, shown.contains("the text is empty: nothing was posted")),
            (Some(1), true),
            "{shown}"
        );
        assert!(drafts(&ana).is_empty());
    }

    // The editor fails: the text stays, and is gone on with; as it was it is not posted by mistake.
    let (code, shown) = run(&writes("printf 'One\\n' > \"$1\"; exit 3"), &["post", "--in", "NEWS"]).await;
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("exit status: 3") && shown.contains("The text is kept in "), "{shown}");
    assert_eq!(drafts(&ana), ["One\n"]);
    let mode =
        fs::metadata(fs::read_dir(ana.state().join("drafts")).unwrap().flatten().next().unwrap().path());
    assert_eq!(mode.unwrap().permissions().mode() & 0o777, 0o600);
    let (code, shown) = run(&writes("true"), &["post", "news"]).await;
    assert_eq!((code, shown.contains("the text is as it was")), (Some(1), true), "{shown}");
    let (code, shown) = run(&writes("> \"$1\"; kill -9 $$"), &["post", "news"]).await;
    assert_eq!((code, shown.contains("The text is kept in ")), (Some(1), true), "{shown}");
    assert_eq!(drafts(&ana), ["One\n"], "an editor that is killed while it writes takes nothing with it");
    let (code, shown) = run(&writes("printf 'Two\\0' >> \"$1\""), &["post", "news"]).await;
    assert_eq!((code, shown.contains("has a NUL")), (Some(1), true), "{shown}");
    assert_eq!(drafts(&ana), ["One\nTwo\0"]);
    let (code, shown) = run(&writes("printf 'One\\nThree\\n' > \"$1\""), &["post", "news"]).await;
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(ana.bodies("news").await, ["Hello\nworld", "One\nThree"]);
    assert!(drafts(&ana).is_empty());

    let (code, shown) = run(&ana.clone().with("EDITOR", "/nowhere/at all"), &["post", "news"]).await;
    assert_eq!((code, shown.contains("GACETA_EDITOR names another one")), (Some(1), true), "{shown}");
    let (code, shown) = run(&writes("echo never > \"$1\""), &["post", "nowhere"]).await;
    assert_eq!(code, Some(3), "told before anybody writes for it: {shown}");
    assert!(drafts(&ana).is_empty());
}

#[tokio::test]
async fn what_the_service_refuses_stays_one_draft_and_what_waits_in_the_outbox_is_none() {
    let mut deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let writes = with_editor(&deployment, &ana, "printf 'Again\\n' >> \"$1\"");
    ana.json("unsubscribe news").await;
    let (code, shown) = run(&writes, &["post", "news"]).await;
    assert_eq!((code, shown.contains("The text is kept in ")), (Some(5), true), "{shown}");
    assert_eq!(drafts(&ana), ["Again\n"]);
    ana.json("subscribe news").await;
    deployment.agent.process.kill().await;
    let (code, shown) = run(&writes, &["--timeout", "500ms", "post", "news"]).await;
    assert_eq!((code, shown.contains("In the outbox: ")), (Some(6), true), "{shown}");
    assert!(drafts(&ana).is_empty());
    deployment.restart_agent().await;
    ana.json("post --resume").await;
    assert_eq!(ana.bodies("news").await, ["Again\nAgain"]);
}

#[tokio::test]
async fn ctrl_c_belongs_to_the_editor_and_sigterm_ends_both() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let script = "trap 'echo interrupted' INT; echo open; while [ -z \"$line\" ]; do read -r line; done; echo \"$line\" > \"$1\"";
    let mut terminal = Terminal::start(&with_editor(&deployment, &ana, script).command(&["post", "news"]));
    terminal.shows("open\n").await;
    terminal.type_keys(CTRL_C).await;
    terminal.shows("interrupted\n").await;
    terminal.type_line("written all the same").await;
    terminal.shows("news#1").await;
    assert_eq!(terminal.ends().await.0.code(), Some(0));
    assert_eq!(ana.bodies("news").await, ["written all the same"]);

    let script =
        "echo half > \"$1\"; trap 'echo told; exit 1' TERM; echo open; while :; do read -r line; done";
    let mut terminal = Terminal::start(&with_editor(&deployment, &ana, script).command(&["post", "news"]));
    terminal.shows("open\n").await;
    terminal.signal(Signal::TERM);
    let (status, shown) = terminal.ends().await;
    assert_eq!((status.code(), shown.contains("The text is kept in ")), (Some(143), true), "{shown}");
    assert_eq!(drafts(&ana), ["half\n"]);
}

#[tokio::test]
async fn at_the_prompt_the_editor_has_the_terminal_and_gives_it_back() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let script = "stty raw -echo; echo open; dd bs=1 count=1 2>/dev/null > \"$1\"";
    let mut terminal = Terminal::start(&with_editor(&deployment, &ana, script).command(&[]));
    terminal.shows("> ").await;
    terminal.type_line("post news").await;
    terminal.shows("open").await;
    terminal.type_keys("x").await; // without Enter: the editor's own mode
    terminal.shows("news#1").await;
    terminal.shows("> ").await;
    terminal.type_line("read news --all").await;
    terminal.shows("  x").await;
    terminal.shows("> ").await;
    terminal.type_keys(CTRL_D).await;
    assert_eq!(terminal.ends().await.0.code(), Some(0));
}

#[tokio::test]
async fn a_typed_text_that_is_refused_is_the_beginning_in_the_editor() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let dumb = ana.clone().with("TERM", "dumb");
    let mut terminal = Terminal::start(&dumb.command(&["post", "news"]));
    terminal.shows("Ctrl-D").await;
    terminal.type_line("a NUL \0 by mistake").await;
    terminal.type_keys(CTRL_D).await;
    let (status, shown) = terminal.ends().await;
    assert_eq!((status.code(), shown.contains("The text is kept in ")), (Some(1), true), "{shown}");
    assert_eq!(drafts(&ana), ["a NUL \0 by mistake\n"]);
    assert_eq!(ana.json_with(&["post", "news", "-"], "fine").await["seq"], json!(1));
    for blank in ["", "\n", " \t \n\n"] {
        assert_eq!(ana.fails_with(&["post", "news", "-"], blank, 1).await["code"], "invalid");
    }
    let repairs = with_editor(&deployment, &ana, "tr -d '\\0' < \"$1\" > \"$1.new\"; mv \"$1.new\" \"$1\"");
    let (code, shown) = run(&repairs, &["post", "news"]).await;
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(ana.bodies("news").await, ["fine", "a NUL  by mistake"]);
    assert!(drafts(&ana).is_empty());
}

#[tokio::test]
async fn an_end_that_comes_together_with_the_text_is_seen() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await.with("TERM", "dumb");
    for n in 1..=5 {
        let mut terminal = Terminal::start(&ana.command(&["post", "news"]));
        terminal.shows("Ctrl-D").await;
        terminal.type_keys(&format!("text {n}\r{CTRL_D}")).await;
        terminal.shows(&format!("news#{n}")).await;
        assert_eq!(terminal.ends().await.0.code(), Some(0));
    }
}
