//! `read` without an area, by somebody at a terminal: through everything that is unread, key by key.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::{Gaceta, words};
use gaceta_e2e::processes::until;
use gaceta_e2e::screen::Screen;
use gaceta_e2e::terminal::{CTRL_C, Terminal};
use rustix::process::Signal;
use serde_json::json;

/// Three unread articles in `city` and three in `news`, the second of which is deleted.
async fn reader(deployment: &Deployment) -> Gaceta {
    let ana = deployment.reader("ana", "city").await;
    deployment.admin().await.json("admin area add news").await;
    ana.json("subscribe news").await;
    for area in ["city", "news"] {
        let lines: Vec<_> = (1..=3).map(|n| format!("{area} text {n}.")).collect();
        ana.json_with(&["post", area, "--lines"], &lines.join("\n")).await;
    }
    ana.json("delete news#2").await;
    ana
}

fn walk(ana: &Gaceta) -> Terminal {
    Terminal::start_sized(&ana.command(&["read"]), 24, 80)
}

async fn waits_at(walk: &mut Terminal, number: &str) {
    let bottom = format!("— {number} — space ");
    walk.shows_screen(&bottom, |screen| screen.last().starts_with(&bottom)).await;
}

/// Of `city` and `news`.
async fn unread(ana: &Gaceta) -> (i64, i64) {
    let subscriptions = ana.json("subscriptions").await;
    let of = |index: usize| subscriptions[index]["unread"].as_i64().unwrap();
    (of(0), of(1))
}

#[tokio::test]
async fn i3_a_walk_goes_through_all_that_is_unread_and_marks_what_was_shown() {
    let deployment = Deployment::start(1).await;
    let ana = reader(&deployment).await;
    let mut walking = walk(&ana);
    waits_at(&mut walking, "1/3").await;
    let screen = walking.screen();
    assert_eq!(screen.rows[0], "city · 3 unread · area 1 of 2");
    assert!(screen.rows[2].starts_with("● city#1  ana  just now, "), "{screen}");
    assert_eq!(screen.rows[3], "  city text 1.");
    assert!(screen.last().ends_with("r reply  ? keys  q quit —"), "{screen}");
    assert!(!screen.has("text 2."), "one after the other: {screen}");
    walking.type_keys(" n").await;
    waits_at(&mut walking, "3/3").await;
    // Back, and on again.
    walking.type_keys("p").await;
    waits_at(&mut walking, "2/3").await;
    walking.type_keys("vv").await;
    walking.shows("This is the first one here.").await;
    walking.type_keys("?").await;
    walking.shows("s, N             skip the rest").await;
    walking.type_keys("nn").await;
    waits_at(&mut walking, "3/3").await;
    walking.type_keys("\r").await;
    walking.shows_screen("the second area", |screen| screen.has("news · 2 unread · area 2 of 2")).await;
    waits_at(&mut walking, "1/2").await;
    assert_eq!(unread(&ana).await, (0, 2), "an area that was left is marked");
    walking.type_keys(" ").await;
    waits_at(&mut walking, "2/2").await;
    assert!(walking.screen().has("news#2 deleted"), "one quiet line: {}", walking.screen());
    walking.type_keys(" ").await;
    let (status, shown) = walking.ends().await;
    assert_eq!((status.code(), unread(&ana).await), (Some(0), (0, 0)));
    assert!(shown.trim_end().ends_with("Nothing more unread."), "{shown}");
    assert!(!walking.screen().has("space next"), "{}", walking.screen());
    // All of it is one reading of each area.
    assert_eq!(ana.json("undo city").await["unread"], 3);
    assert_eq!(ana.json("undo news").await["unread"], 2);
}

#[tokio::test]
async fn skip_catch_up_undo_and_quit() {
    let deployment = Deployment::start(1).await;
    let ana = reader(&deployment).await;
    let mut walking = walk(&ana);
    waits_at(&mut walking, "1/3").await;
    walking.type_keys(" u").await;
    walking.shows("city: back at #0, 3 unread.").await;
    waits_at(&mut walking, "1/3").await;
    walking.type_keys("s").await;
    waits_at(&mut walking, "1/2").await;
    assert_eq!(unread(&ana).await, (2, 2), "the rest of a skipped area stays unread");
    walking.type_keys("c").await;
    walking.shows("news: read to #3. To take it back: gaceta undo news").await;
    walking.shows("That is all. Skipped: city.").await;
    assert_eq!(walking.ends().await.0.code(), Some(0));
    assert_eq!(unread(&ana).await, (2, 0));
    assert_eq!(ana.json("undo news").await["unread"], 1, "what was read before stays read");
    let mut walking = walk(&ana);
    waits_at(&mut walking, "1/2").await;
    walking.type_keys("q").await;
    assert_eq!(walking.ends().await.0.code(), Some(0));
    assert_eq!(unread(&ana).await, (1, 1));
}

#[tokio::test]
async fn a_reply_is_posted_from_the_walk_and_what_fails_loses_nothing() {
    let deployment = Deployment::start(1).await;
    let ana = reader(&deployment).await;
    let editor = deployment.file("editor");
    std::fs::write(&editor, "echo 'my answer' >\"$1\"").unwrap();
    let writing = ana.clone().with("EDITOR", &format!("sh '{}'", editor.display()));
    let mut walking = walk(&writing);
    waits_at(&mut walking, "1/3").await;
    walking.type_keys("r").await;
    walking.shows("city#4").await;
    waits_at(&mut walking, "1/3").await;
    assert_eq!(ana.bodies("city").await[3], "my answer");
    walking.type_keys("   ").await;
    walking.shows("city#4  ana").await;
    walking.shows("my answer").await;
    std::fs::write(&editor, "exit 1").unwrap();
    walking.type_keys("r").await;
    walking.shows("gaceta: ").await;
    waits_at(&mut walking, "4/4").await;
    walking.type_keys("q").await;
    assert_eq!(walking.ends().await.0.code(), Some(0));
    assert_eq!(unread(&ana).await, (0, 2));
}

#[tokio::test]
async fn i3_a_walk_that_is_cut_off_repeats_only_what_was_not_yet_marked() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "city").await;
    let lines: Vec<_> = (1..=30).map(|n| format!("text {n}.")).collect();
    ana.json_with(&["post", "city", "--lines"], &lines.join("\n")).await;
    let left = async || ana.json("subscriptions").await[0]["unread"].as_i64().unwrap();
    let mut walking = walk(&ana);
    walking.type_keys(&" ".repeat(11)).await; // typed ahead
    waits_at(&mut walking, "12/30").await;
    walking.signal(Signal::KILL);
    walking.ends().await;
    assert_eq!(left().await, 20, "ten were marked, two are shown again");

    let mut walking = walk(&ana);
    walking.type_keys("  ").await;
    waits_at(&mut walking, "3/20").await;
    assert!(walking.screen().has("● city#13 "), "{}", walking.screen());
    walking.type_keys(CTRL_C).await;
    assert_eq!(walking.ends().await.0.code(), Some(130));
    assert!(!walking.screen().has("space next"), "{}", walking.screen());
    assert_eq!(left().await, 17);

    let mut walking = walk(&ana);
    waits_at(&mut walking, "1/17").await;
    walking.signal(Signal::TERM);
    assert_eq!(walking.ends().await.0.code(), Some(143));
    assert_eq!(left().await, 16);

    let mut walking = walk(&ana);
    waits_at(&mut walking, "1/16").await;
    walking.hang_up().await;
    until("the mark", async || (left().await == 15).then_some(())).await;
}

#[tokio::test]
async fn a_walk_goes_on_when_a_node_dies_and_when_an_area_is_gone() {
    let mut deployment = Deployment::start(1).await;
    let ana = reader(&deployment).await;
    let (ana, admin) = (ana.with("GACETA_PAGER", "cat"), deployment.admin().await);
    let mut walking = Terminal::start_sized(&ana.command(&words("read --timeout 1s")), 24, 80);
    waits_at(&mut walking, "1/3").await;
    walking.type_keys("  ").await;
    waits_at(&mut walking, "3/3").await;
    deployment.nodes[0].process.kill().await;
    walking.type_keys(" ").await;
    walking.shows("Waiting for the service").await;
    deployment.restart_node(0).await;
    waits_at(&mut walking, "1/2").await;
    assert_eq!(unread(&ana).await, (0, 2));
    admin.json("admin area rm news --confirm news").await;
    walking.type_keys("  ").await;
    walking.shows("news: ").await;
    walking.shows("Nothing more unread.").await;
    assert_eq!(walking.ends().await.0.code(), Some(0));
}

#[tokio::test]
async fn where_nobody_presses_keys_nothing_has_changed_and_a_dumb_terminal_takes_lines() {
    let deployment = Deployment::start(1).await;
    let ana = reader(&deployment).await;
    let dumb = ana.clone().with("TERM", "dumb");
    let mut walking = walk(&dumb);
    walking.shows("-- 1/3 -- Enter next  s skip").await;
    walking.type_line("").await;
    walking.shows("* city#2  ana").await;
    walking.shows("q quit --").await;
    walking.type_line("s").await;
    walking.shows("news - 2 unread - area 2 of 2").await;
    walking.type_line("q").await;
    assert_eq!(walking.ends().await.0.code(), Some(0));
    assert!(!walking.written().contains(&0x1b), "no codes");
    assert_eq!(unread(&ana).await, (1, 1));

    let mut plain = Terminal::start(&ana.command(&words("read --no-input --keep")));
    assert!(plain.ends().await.1.contains("city text 3."));
    let piped = ana.run("read --keep").await;
    assert!(piped.stdout.starts_with("city#3 ") && piped.stdout.contains("news text 3."), "{piped:?}");
    let lines = ana.run("read --json").await;
    assert_eq!(lines.stdout.lines().count(), 2, "{lines:?}");
    assert_eq!(unread(&ana).await, (0, 0));
    assert_eq!(ana.json("catchup").await[0]["unread"], json!(0));
    let mut nothing = walk(&ana);
    assert!(nothing.ends().await.1.contains("Nothing unread."));
}

#[tokio::test]
async fn i3_no_key_passes_over_the_rest_of_a_long_article() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "city").await;
    let long: Vec<_> = (1..=60).map(|n| format!("line {n}.")).collect();
    ana.json_with(&["post", "city", "-"], &long.join("\n")).await;
    ana.json("post city second").await;
    let failing = ana.clone().with("EDITOR", "false");
    let mut walking = walk(&failing);
    let more = async |walking: &mut Terminal, line: &str| {
        let at_more = |screen: &Screen| screen.has(line) && screen.last().starts_with("— 1/2 — space more");
        walking.shows_screen(line, at_more).await;
    };
    more(&mut walking, "line 20.").await;
    walking.type_keys("q").await;
    walking.ends().await;
    assert_eq!(ana.json("subscriptions").await[0]["unread"], 2, "a part of it was seen");
    let mut walking = walk(&failing);
    more(&mut walking, "line 20.").await;
    walking.type_keys("x ").await; // no key of ours, and on
    more(&mut walking, "line 43.").await;
    walking.type_keys("?").await;
    walking.shows("s, N             skip the rest").await;
    walking.type_keys("v").await;
    walking.shows("This is the first one here.").await;
    more(&mut walking, "line 10.").await;
    walking.type_keys("r").await;
    walking.shows("gaceta: ").await;
    more(&mut walking, "line 10.").await;
    walking.type_keys("  ").await;
    let at_end = |screen: &Screen| screen.has("line 60.") && screen.last().starts_with("— 1/2 — space next");
    walking.shows_screen("the end", at_end).await;
    walking.type_keys(" ").await;
    waits_at(&mut walking, "2/2").await;
    walking.type_keys("q").await;
    assert_eq!(walking.ends().await.0.code(), Some(0));
    assert_eq!(ana.json("subscriptions").await[0]["unread"], 0);
}

#[tokio::test]
async fn a_walk_whose_terminal_is_closed_while_the_service_is_away_ends() {
    let mut deployment = Deployment::start(1).await;
    let ana = reader(&deployment).await;
    let mut walking = Terminal::start_sized(&ana.command(&words("read --timeout 1s")), 24, 80);
    waits_at(&mut walking, "1/3").await;
    walking.type_keys("  ").await;
    waits_at(&mut walking, "3/3").await;
    deployment.nodes[0].process.kill().await;
    walking.type_keys(" ").await;
    walking.shows("Waiting for the service").await;
    walking.hang_up().await;
    assert_eq!(walking.ends().await.0.code(), Some(143));
}

#[tokio::test]
async fn i1_a_reply_that_is_interrupted_says_where_its_text_is() {
    let deployment = Deployment::start(1).await;
    let ana = reader(&deployment).await;
    let editor = deployment.file("editor");
    std::fs::write(&editor, "echo 'my answer' >\"$1\"; echo written; [ -z \"$STAY\" ] || read -r _").unwrap();
    let writing = ana.clone().with("EDITOR", &format!("sh '{}'", editor.display()));
    let mut walking = walk(&writing.clone().with("STAY", "yes"));
    waits_at(&mut walking, "1/3").await;
    walking.type_keys("r").await;
    walking.shows("written").await;
    walking.signal(Signal::TERM);
    let (status, shown) = walking.ends().await;
    assert_eq!(status.code(), Some(143));
    assert!(shown.contains("The text is kept in "), "{shown}");
    assert_eq!(ana.bodies("city").await.len(), 3);

    // The node is stopped while she writes: the article before was marked already.
    let node = deployment.nodes[0].process.pid().as_raw_nonzero();
    std::fs::write(&editor, format!("kill -STOP {node}; echo 'my second' >\"$1\"")).unwrap();
    let mut walking = walk(&writing);
    waits_at(&mut walking, "1/2").await;
    walking.type_keys("r").await;
    walking.shows("waiting for a node").await;
    walking.type_keys(CTRL_C).await;
    let (status, shown) = walking.ends().await;
    deployment.nodes[0].process.signal(Signal::CONT);
    assert_eq!(status.code(), Some(130));
    assert!(shown.contains("post --resume"), "{shown}");
    assert_eq!((ana.files("outbox"), ana.files("drafts")), (1, 0));
}
