//! Hostile text, read back in every place where it is shown, on a terminal and through a pipe: it moves, colours, hides
//! and reorders nothing, and `--json` carries it as it is.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::{Gaceta, words};
use gaceta_e2e::hostile::{assert_harmless, assert_untouched, corpus};
use gaceta_e2e::screen::{Look, Screen};
use gaceta_e2e::terminal::{CTRL_C, Terminal};
use serde_json::Value;

/// All of it fits on one screen, so that all of it can be looked at.
const ROWS_ALL: u16 = 5_000;
const COLUMNS: u16 = 80;

/// Every text of the corpus is an article of mallory's, and after each there is an honest one.
async fn posted(deployment: &Deployment) -> (Gaceta, Vec<String>) {
    let ana = deployment.reader("ana", "safe").await;
    let mallory = deployment.reader("mallory", "safe").await;
    let mut bodies = vec![];
    for (index, (what, text)) in corpus().into_iter().enumerate() {
        let posted = mallory.json_with(&["post", "safe", "-"], &format!("{text}\n")).await;
        assert_eq!(posted["seq"], 2 * index + 1, "{what}");
        mallory.json(&format!("post safe honest {index}.")).await;
        bodies.extend([text, format!("honest {index}.")]);
    }
    (ana, bodies)
}

/// Every row is a head, where one is due, or indented, or empty; and the honest articles are as their author left them.
fn assert_articles(screen: &Screen, articles: usize) {
    assert_untouched(screen);
    let mut heads = 0;
    for (index, row) in screen.rows.iter().enumerate() {
        if row.is_empty() || row.starts_with("  ") {
            let looks: Vec<Look> = (0..COLUMNS).map(|column| screen.look(index as u16, column)).collect();
            assert!(looks.iter().all(|look| *look == Look::default()), "a coloured row {index}: {row}");
            continue;
        }
        heads += 1;
        let head = format!("● safe#{heads}  mallory  ");
        assert!(row.starts_with(&head), "row {index} is not {head:?}: {row}");
        if heads % 2 == 0 {
            assert_eq!(screen.rows[index + 1], format!("  honest {}.", heads / 2 - 1));
            assert_eq!(screen.rows[index + 2], "");
        }
    }
    assert_eq!(heads, articles);
    assert_eq!(screen.cursor.1, 0);
}

#[tokio::test]
async fn articles_on_a_terminal() {
    let deployment = Deployment::start(1).await;
    let (ana, bodies) = posted(&deployment).await;
    let limit = "--limit 1000";
    let read = &format!("read safe --all --keep {limit}");

    let mut terminal = Terminal::start_sized(&ana.command(&words(read)), ROWS_ALL, COLUMNS);
    assert_eq!(terminal.ends().await.0.code(), Some(0));
    assert_harmless(terminal.written(), false);
    assert_articles(&terminal.screen(), bodies.len());

    // Without colours there is not one code.
    let plain = ana.clone().with("NO_COLOR", "1");
    let mut terminal = Terminal::start_sized(&plain.command(&words(read)), ROWS_ALL, COLUMNS);
    terminal.ends().await;
    assert!(!terminal.written().contains(&0x1b));
    assert_articles(&terminal.screen(), bodies.len());

    let last = format!("honest {}.", bodies.len() / 2 - 1);
    let all = deployment.reader("bob", "safe").await;
    all.json("unsubscribe safe").await;
    all.json("subscribe safe --from-start").await;
    let mut terminal = Terminal::start_sized(&all.command(&["follow", "safe"]), ROWS_ALL, COLUMNS);
    terminal.shows(&last).await;
    terminal.type_keys(CTRL_C).await;
    terminal.ends().await;
    assert_harmless(&without_echo(terminal.written()), false);

    // A screenful at a time: the pager, and the walk.
    let keys = " ".repeat(1_500);
    let mut pager = Terminal::start_sized(&ana.command(&words(read)), 24, COLUMNS);
    pager.shows("space: more").await;
    pager.type_keys(&keys).await;
    assert_eq!(pager.ends().await.0.code(), Some(0));
    assert_harmless(pager.written(), true);
    assert_untouched(&pager.screen());
    assert!(pager.screen().has(&last), "{}", pager.screen());
    assert_eq!(ana.json("catchup safe").await["unread"], 0);
    all.json("undo safe").await;
    let mut walk = Terminal::start_sized(&all.command(&["read"]), 24, COLUMNS);
    walk.shows("r reply").await;
    walk.type_keys(&keys).await;
    assert_eq!(walk.ends().await.0.code(), Some(0));
    assert_harmless(walk.written(), true);
    assert_untouched(&walk.screen());
    assert_eq!(walk.screen().last(), "Nothing more unread.");
}

/// Ctrl-C is shown by the kernel, and taken away by us.
fn without_echo(written: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(written).replace("^C", "").replace("\r\x1b[K", "").into_bytes()
}

#[tokio::test]
async fn articles_through_a_pipe_and_as_json() {
    let deployment = Deployment::start(1).await;
    let (ana, bodies) = posted(&deployment).await;
    let read = "read safe --all --keep --limit 1000";
    let piped = ana.run(read).await.stdout;
    assert_harmless(piped.as_bytes(), false);
    assert!(!piped.contains(['\x1b', '\r']));
    let heads: Vec<&str> = piped.lines().filter(|line| !line.is_empty() && !line.starts_with("  ")).collect();
    assert_eq!(heads.len(), bodies.len());
    for (index, head) in heads.iter().enumerate() {
        assert!(head.starts_with(&format!("safe#{} 2", index + 1)) && head.ends_with("Z mallory"), "{head}");
    }

    let json = ana.run(&format!("{read} --json")).await.stdout;
    let (line, rest) = json.split_once('\n').unwrap();
    assert_eq!(rest, "");
    assert!(!line.contains(|c: char| c.is_control() || ('\u{202A}'..='\u{202E}').contains(&c)));
    let value: Value = serde_json::from_str(line).unwrap();
    let read: Vec<&str> =
        value["articles"].as_array().unwrap().iter().map(|a| a["body"].as_str().unwrap()).collect();
    assert_eq!(read, bodies, "the raw text");
}

#[tokio::test]
async fn names_are_refused_with_a_clear_error_or_are_what_they_look_like() {
    let deployment = Deployment::start(1).await;
    let (ana, admin) = (deployment.reader("ana", "safe").await, deployment.admin().await);
    let mut accepted = vec![];
    for (what, text) in corpus() {
        // Longer ones are refused for that.
        let name: String = text.chars().take(64).collect();
        let added = admin.run_with(&["admin", "area", "add", "--", &name], "").await;
        match added.code {
            Some(0) => {
                accepted.push(what);
                assert_harmless(name.as_bytes(), false);
            }
            code => assert_eq!(code, Some(1), "{what}: {added:?}"),
        }
        let nobody = Gaceta::at(deployment.agent.address);
        let registered =
            nobody.run_with(&["register", "--password-stdin", "--", &name], "password one").await;
        assert_eq!(registered.code, added.code, "{what}: {registered:?}");
        for ran in [&added, &registered] {
            assert_harmless(ran.stderr.as_bytes(), false);
            assert!(ran.code == Some(0) || ran.stderr.starts_with("gaceta: a name "), "{what}: {ran:?}");
        }
        // Asked for, it is not found, and told of in one harmless line.
        for line in [["read", "--", &name], ["subscribe", "--", &name], ["verify", "--", &name]] {
            let ran = ana.run_with(&line, "").await;
            assert_harmless(ran.stderr.as_bytes(), false);
            assert!(ran.code == Some(3) || accepted.contains(&what), "{what}: {ran:?}");
            assert!(ran.stderr.lines().count() <= 2, "{what}: {ran:?}");
        }
        let unknown = ana.run_with(&["read", "safe", &name], "").await;
        assert_harmless(unknown.stderr.as_bytes(), false);
        assert_eq!(unknown.code, Some(2), "{what}: {unknown:?}");
    }
    assert_eq!(accepted, ["wide", "64 KiB without a blank", "64 KiB of wide ones"]);
}

#[tokio::test]
async fn lists_keep_their_lines() {
    let mut deployment = Deployment::start(1).await;
    let (ana, admin) = (deployment.reader("ana", "safe").await, deployment.admin().await);
    let (mut areas, mut long) = (0, 0);
    for (what, text) in corpus() {
        let description: String = text.chars().take(300).collect();
        let area = format!("area-{areas}");
        let added = ["admin", "area", "add", &area, &format!("--description={description}")];
        let ran = admin.run_with(&added, "").await;
        assert_harmless(ran.stderr.as_bytes(), false);
        if ran.code == Some(0) {
            areas += 1;
            long += usize::from(description.chars().count() > 60);
            ana.json(&format!("subscribe {area}")).await;
        } else {
            let controls = description.chars().any(char::is_control);
            assert!(
                controls && ran.stderr.starts_with("gaceta: a description is one line"),
                "{what}: {ran:?}"
            );
        }
    }
    assert!(areas > 15 && long > 3, "{areas} {long}");
    // The label of a session is what a machine calls itself.
    let mut sessions = 1;
    for (what, text) in corpus() {
        let label: String = text.chars().take(40).collect();
        let elsewhere = Gaceta::at(deployment.agent.address).with("USER", &label);
        let ran =
            elsewhere.run_with(&["login", "ana", "--password-stdin"], gaceta_e2e::service::PASSWORD).await;
        assert_eq!(ran.code, Some(0), "{what}: {ran:?}");
        sessions += 1;
    }
    let looks = |person: &Gaceta, line: &str| {
        let (command, line) = (person.command(&words(line)), line.to_owned());
        async move {
            let mut terminal = Terminal::start_sized(&command, 300, COLUMNS);
            assert_eq!(terminal.ends().await.0.code(), Some(0), "{line}");
            assert_harmless(terminal.written(), false);
            assert_untouched(&terminal.screen());
            terminal.screen()
        }
    };
    // A row each, none wider than the screen: else there were more rows than there are things.
    let used = |screen: &Screen| screen.rows.iter().filter(|row| !row.is_empty()).count();
    let screen = looks(&ana, "areas").await;
    assert_eq!(used(&screen), 1 + 1 + areas, "{screen}");
    assert!(
        screen.rows[1..=areas].iter().all(|row| row.starts_with("area-") || row.starts_with("safe")),
        "{screen}"
    );
    let screen = looks(&ana, "subscriptions").await;
    assert_eq!(used(&screen), 1 + 1 + areas, "{screen}");
    let screen = looks(&ana, "sessions").await;
    assert_eq!(used(&screen), 1 + sessions, "{screen}");
    let ids =
        screen.rows.iter().skip(1).take(sessions).all(|row| {
            row.split_whitespace().next().is_some_and(|id| id.chars().all(|c| c.is_ascii_digit()))
        });
    assert!(ids, "{screen}");
    assert_eq!(used(&looks(&admin, "admin area list").await), 1 + 1 + areas);
    assert_eq!(used(&looks(&admin, "admin user list").await), 1 + 2);
    assert_eq!(used(&looks(&admin, "admin user sessions ana").await), 1 + sessions);
    let audit = looks(&admin, "admin audit --limit 200").await;
    assert!(
        used(&audit) > areas && audit.rows.iter().all(|row| !row.starts_with("  ") || row.len() > 4),
        "{audit}"
    );
    // Through a pipe nothing is cut, a line is a line, and JSON has what was given.
    let piped = ana.run("areas").await.stdout;
    assert_harmless(piped.as_bytes(), false);
    assert_eq!(piped.lines().count(), 1 + 1 + areas);
    let json = ana.json("areas").await;
    let described = json.as_array().unwrap().iter().filter(|area| area["description"] != "");
    let given: Vec<String> = corpus().into_iter().map(|(_, text)| text.chars().take(300).collect()).collect();
    for area in described {
        assert!(given.iter().any(|text| text == area["description"].as_str().unwrap()), "{area}");
    }

    // What waits in the outbox, and the drafts of what is refused.
    deployment.nodes[0].process.kill().await;
    let mut waiting = 0;
    for (what, text) in corpus().into_iter().filter(|(_, text)| text.len() < 1_000).take(20) {
        let ran = ana.run_with(&["post", "safe", "-", "--timeout", "100ms"], &text).await;
        assert_harmless(ran.stderr.as_bytes(), false);
        assert_eq!(ran.code, Some(6), "{what}: {ran:?}");
        waiting += 1;
    }
    let screen = looks(&ana, "outbox").await;
    assert_eq!(used(&screen), 1 + waiting + 1, "{screen}");
}

#[tokio::test]
async fn news_at_the_prompt() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "safe").await;
    let mallory = deployment.reader("mallory", "safe").await;
    let mut prompt = Terminal::start_sized(&ana.command(&[]), 24, COLUMNS);
    prompt.shows("ana> ").await;
    for (index, (what, text)) in corpus().into_iter().filter(|(_, text)| text.len() < 1_000).enumerate() {
        mallory.json_with(&["post", "safe", "-"], &format!("{text}\n")).await;
        mallory.json(&format!("post safe honest {index}.")).await;
        let honest = format!("mallory: honest {index}.");
        let told = |screen: &Screen| screen.has(&honest) || screen.has("more in safe");
        let shows = |screen: &Screen| told(screen) && screen.last().starts_with("ana");
        let screen = prompt.shows_screen(what, shows).await;
        assert_eq!((screen.title.as_deref(), screen.is_alternate()), (None, false), "{what}: {screen}");
        assert!(!screen.odd.iter().any(|odd| odd.starts_with("bell")), "{what}: {:?}", screen.odd);
        assert!(screen.looks().iter().all(|look| !look.marked && !look.coloured), "{what}: {screen}");
    }
}
