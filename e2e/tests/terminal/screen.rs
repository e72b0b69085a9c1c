//! What a reader's screen looks like: at 80×24 and at 200×60, with colours and without, on a terminal that can do nothing.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::screen::{Look, Screen};
use gaceta_e2e::terminal::Terminal;

/// Wider text is hard to read, however wide the terminal is.
const TEXT_COLUMNS_MAX: usize = 100;
const WORDS: usize = 60;

/// One article that was read, one that was deleted, one long paragraph that is unread.
async fn reader(deployment: &Deployment) -> Gaceta {
    let ana = deployment.reader("ana", "news").await;
    ana.json_with(&["post", "news", "--lines"], "read already\ndeleted\n").await;
    ana.json("catchup news").await;
    ana.json("delete news#2").await;
    let paragraph: Vec<String> = (1..=WORDS).map(|n| format!("word-{n:03}")).collect();
    ana.json_with(&["post", "news", "-"], &paragraph.join(" ")).await;
    ana
}

/// The screen after `read news --all --keep`, which has a person's whole day on it.
async fn screen(ana: &Gaceta, rows: u16, columns: u16) -> Screen {
    let args = ["read", "news", "--all", "--keep"];
    let mut terminal = Terminal::start_sized(&ana.command(&args), rows, columns);
    let (status, _) = terminal.ends().await;
    assert!(status.success(), "{}", terminal.screen());
    terminal.screen()
}

/// How the paragraph is broken: no word is cut, none is lost, no line is wider than it may be.
fn check_paragraph(screen: &Screen, columns: usize) {
    let lines: Vec<&String> = screen.rows.iter().filter(|row| row.contains("word-")).collect();
    let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
    let expected: Vec<String> = (1..=WORDS).map(|n| format!("word-{n:03}")).collect();
    assert_eq!(words, expected, "{screen}");
    let widest = lines.iter().map(|line| line.chars().count()).max().unwrap();
    let room = columns.min(TEXT_COLUMNS_MAX + 2);
    assert!(widest <= room && widest + 10 > room, "{widest} of {room}: {screen}");
    assert!(lines.iter().all(|line| line.starts_with("  word-")), "indented under its head: {screen}");
}

#[tokio::test]
async fn articles_are_sensible_on_a_small_and_on_a_large_screen() {
    let deployment = Deployment::start(1).await;
    let ana = reader(&deployment).await;
    for (rows, columns) in [(24, 80), (60, 200)] {
        let screen = screen(&ana, rows, columns).await;
        check_paragraph(&screen, columns.into());
        assert!(screen.rows[0].starts_with("news#1  ana  "), "read, so without a mark: {screen}");
        assert!(screen.rows[0].contains("just now, ") || screen.rows[0].contains(" ago, "), "{screen}");
        assert_eq!(screen.rows[screen.row_of("news#2")], "news#2 deleted", "one quiet line");
        assert!(screen.rows[screen.row_of("news#3")].starts_with("● news#3  ana  "), "{screen}");
    }
}

#[tokio::test]
async fn nothing_is_said_by_colour_and_nothing_vanishes_on_light_or_dark() {
    let deployment = Deployment::start(1).await;
    let ana = reader(&deployment).await;
    let coloured = screen(&ana, 24, 80).await;
    assert!(coloured.look_of("news#3").bold && coloured.look_of("news#2").dim, "{coloured}");
    let quiet = |look: &Look| !look.coloured && !look.marked;
    assert!(
        coloured.looks().iter().all(quiet),
        "only the terminal's own two colours: {:?}",
        coloured.looks()
    );

    let plain = screen(&ana.clone().with("NO_COLOR", "1"), 24, 80).await;
    assert_eq!(plain.looks(), [Look::default()]);
    let without_times = |screen: &Screen| {
        let head = |row: &String| row.split(" ana ").next().unwrap().to_owned();
        screen.rows.iter().map(head).collect::<Vec<_>>()
    };
    assert_eq!(without_times(&plain), without_times(&coloured), "the same without colours");

    let dumb = screen(&ana.with("TERM", "dumb"), 24, 80).await;
    assert_eq!(dumb.looks(), [Look::default()]);
    assert!(dumb.odd.is_empty() && dumb.title.is_none());
    assert!(
        dumb.rows[dumb.row_of("news#3")].starts_with("* news#3"),
        "a mark that every terminal has: {dumb}"
    );
    check_paragraph(&dumb, 80);
}
