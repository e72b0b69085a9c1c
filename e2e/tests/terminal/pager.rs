//! Long reading: what a person has seen is marked as read, and nothing else (I3).
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::{Gaceta, words};
use gaceta_e2e::processes::until;
use gaceta_e2e::terminal::{CTRL_C, Terminal};
use rustix::process::Signal;

const MORE: &str = "space: more";

/// Somebody with `articles` unread ones of three rows each in `news`.
async fn reader(deployment: &Deployment, articles: usize) -> Gaceta {
    let ana = deployment.reader("ana", "news").await;
    let lines: Vec<_> = (1..=articles).map(|n| format!("text {n}.")).collect();
    ana.json_with(&["post", "news", "--lines"], &lines.join("\n")).await;
    ana
}

fn open(ana: &Gaceta, line: &str) -> Terminal {
    Terminal::start_sized(&ana.command(&words(line)), 24, 80)
}

async fn unread(ana: &Gaceta) -> i64 {
    ana.json("subscriptions").await[0]["unread"].as_i64().unwrap()
}

#[tokio::test]
async fn i3_who_leaves_the_pager_leaves_the_rest_unread() {
    let deployment = Deployment::start(1).await;
    let ana = reader(&deployment, 30).await;
    let mut pager = open(&ana, "read news");
    let screen = pager.shows_screen("the bottom line", |screen| screen.last().contains(MORE)).await;
    assert!(screen.last().contains("news 7 of 30"), "{screen}");
    assert!(screen.rows[0].starts_with("● news#1  ana  just now, "), "{screen}");
    assert!(screen.look_of("news#1").bold && screen.look_of("just now").dim, "{screen}");
    assert!(screen.looks().iter().all(|look| !look.coloured && !look.marked), "light and dark: {screen}");
    assert!(screen.has("text 8.") && !screen.has("text 9."), "{screen}");
    pager.type_keys(" ").await;
    pager.shows_screen("the second page", |screen| screen.last().contains("news 15 of 30")).await;
    pager.type_keys("b").await;
    let back = pager.shows_screen("the first page", |screen| {
        screen.rows[0].contains("news#1 ") && screen.last().contains("15 of 30")
    });
    back.await;
    pager.type_keys("q").await;
    let (status, shown) = pager.ends().await;
    assert_eq!(status.code(), Some(0), "{shown}");
    assert!(shown.contains("15 articles more in news"), "{shown}");
    assert_eq!(unread(&ana).await, 15);

    // Ctrl-C is no other: what was seen is read, the terminal is in order.
    let mut pager = open(&ana, "read news");
    pager.shows_screen("the bottom line", |screen| screen.last().contains("7 of 15")).await;
    pager.type_keys(CTRL_C).await;
    assert_eq!(pager.ends().await.0.code(), Some(130));
    assert!(!pager.screen().has(MORE), "{}", pager.screen());
    assert_eq!(unread(&ana).await, 8);

    // --keep marks nothing; the rest fits on one screen and needs no key.
    let mut pager = open(&ana, "read news --keep --limit 5");
    assert!(pager.ends().await.1.contains("news#27"));
    assert_eq!(unread(&ana).await, 8);
    let mut pager = open(&ana, "read news");
    pager.shows_screen("the bottom line", |screen| screen.last().contains(MORE)).await;
    pager.type_keys(" ").await;
    assert_eq!(pager.ends().await.0.code(), Some(0));
    assert_eq!(unread(&ana).await, 0);
}

#[tokio::test]
async fn i3_a_reader_who_is_killed_sees_again_what_was_not_yet_marked_and_nothing_else() {
    let deployment = Deployment::start(1).await;
    let ana = reader(&deployment, 30).await;
    let mut pager = open(&ana, "read news");
    pager.shows_screen("the bottom line", |screen| screen.last().contains(MORE)).await;
    pager.signal(Signal::KILL);
    pager.ends().await;
    assert_eq!(unread(&ana).await, 30, "nothing was acknowledged");
    // A window that is closed, and SIGTERM: what was seen is marked.
    let mut pager = open(&ana, "read news");
    pager.shows_screen("the bottom line", |screen| screen.last().contains(MORE)).await;
    pager.hang_up().await;
    until("the mark", async || (unread(&ana).await == 23).then_some(())).await;
    let mut pager = open(&ana, "read news");
    pager.shows_screen("the bottom line", |screen| screen.last().contains(MORE)).await;
    pager.signal(Signal::TERM);
    assert_eq!(pager.ends().await.0.code(), Some(143));
    assert_eq!(unread(&ana).await, 16);
}

#[tokio::test]
async fn a_window_that_changes_is_drawn_anew() {
    let deployment = Deployment::start(1).await;
    let ana = reader(&deployment, 30).await;
    let mut pager = open(&ana, "read news");
    pager.shows_screen("the bottom line", |screen| screen.last().contains(MORE)).await;
    pager.resize(12, 40);
    let screen = pager.shows_screen("less of it", |screen| {
        screen.rows[11].contains("news 7 of 30") && screen.rows[0].contains("news#")
    });
    let screen = screen.await;
    assert!(screen.rows.iter().all(|row| row.chars().count() < 41), "{screen}");
    pager.type_keys("q").await;
    pager.ends().await;
    assert_eq!(unread(&ana).await, 23);
}

#[tokio::test]
async fn i3_another_pager_marks_what_it_was_given_when_it_ends_well_and_never_before() {
    let deployment = Deployment::start(1).await;
    let ana = reader(&deployment, 30).await;
    let given = deployment.file("given");
    let with = |script: &str| {
        let path = deployment.file("pager");
        std::fs::write(&path, script).unwrap();
        ana.clone().with("PAGER", &format!("sh '{}'", path.display()))
    };
    let bad = with("cat >/dev/null; exit 3");
    let (status, shown) = open(&bad, "read news").ends().await;
    assert!(shown.contains("sh ended badly: nothing is marked as read"), "{shown}");
    assert_eq!((status.code(), unread(&ana).await), (Some(0), 30));

    let asks = with(&format!("cat >'{}'; echo given; read -r _ </dev/tty", given.display()));
    let mut pager = open(&asks, "read news");
    pager.shows("given").await;
    let text = std::fs::read_to_string(&given).unwrap();
    assert!(text.contains("news#1 ") && text.contains("text 30.") && !text.contains('\x1b'), "{text}");
    assert_eq!(unread(&ana).await, 30, "not before it has ended");
    pager.type_line("").await;
    let (status, shown) = pager.ends().await;
    assert_eq!(status.code(), Some(0));
    assert!(shown.contains("Read: news#1 to #30") && shown.contains("gaceta undo news"), "{shown}");
    assert_eq!(unread(&ana).await, 0);
    ana.json("undo news").await;

    // Told to end while somebody is still in it: it ends too.
    let mut pager = open(&asks, "read news");
    pager.shows("given").await;
    pager.signal(Signal::TERM);
    assert_eq!((pager.ends().await.0.code(), unread(&ana).await), (Some(143), 30));

    // One that cannot be started is told of, once, and in its place all is shown; `cat` is none.
    let none = ana.clone().with("PAGER", "/nowhere/pager --with words");
    let (status, shown) = open(&none, "read news --keep").ends().await;
    assert_eq!((status.code(), shown.matches("cannot be started").count()), (Some(0), 1), "{shown}");
    assert!(shown.contains("text 30."), "{shown}");
    let cat = ana.clone().with("PAGER", "less").with("GACETA_PAGER", "cat");
    assert!(open(&cat, "read news").ends().await.1.contains("text 30."));
    assert_eq!(unread(&ana).await, 0);
}

#[tokio::test]
async fn other_long_lists_are_paged_and_a_dumb_terminal_takes_lines() {
    let deployment = Deployment::start(1).await;
    let ana = reader(&deployment, 10).await;
    let admin = deployment.admin().await;
    for n in 0..30 {
        admin.json(&format!("admin area add area-{n}")).await;
    }
    let mut areas = open(&ana, "areas");
    let screen =
        areas.shows_screen("the bottom line", |screen| screen.last().contains("23 of 32 lines")).await;
    assert!(screen.rows[0].starts_with("AREA"), "{screen}");
    areas.type_keys("\r").await;
    areas.shows_screen("one line more", |screen| screen.last().contains("24 of 32 lines")).await;
    areas.type_keys("q").await;
    assert_eq!(areas.ends().await.0.code(), Some(0));
    // Nobody is asked who does not want to be.
    assert!(open(&ana, "areas --no-input").ends().await.1.contains("area-9"));

    let dumb = ana.clone().with("TERM", "dumb");
    let mut pager = open(&dumb, "read news");
    pager.shows("Enter: more, b: back, q: leave --").await;
    assert!(!pager.written().contains(&0x1b), "no codes");
    assert!(pager.screen().rows[0].starts_with("* news#1  ana"), "{}", pager.screen());
    pager.type_line("").await;
    let (status, shown) = pager.ends().await;
    assert!(status.code() == Some(0) && shown.contains("text 10."), "{shown}");
    assert_eq!(unread(&ana).await, 0);
}
