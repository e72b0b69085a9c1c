//! News at the prompt, while somebody types, as a person sees them on the screen.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::{self, Deployment, Server};
use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::terminal::{CTRL_C, Terminal};

const ROWS: u16 = 24;
const COLUMNS: u16 = 80;

/// Ana at the prompt, and bob, who reads the same.
async fn ana_and_bob(deployment: &Deployment) -> (Terminal, Gaceta, Gaceta) {
    let ana = deployment.reader("ana", "news").await;
    let bob = deployment.reader("bob", "news").await;
    let mut prompt = Terminal::start_sized(&ana.command(&[]), ROWS, COLUMNS);
    prompt.prompts("ana> ").await;
    (prompt, ana, bob)
}

#[tokio::test]
async fn news_come_above_the_line_that_is_being_typed() {
    let deployment = Deployment::start(1).await;
    let (mut prompt, ana, bob) = ana_and_bob(&deployment).await;
    prompt.type_keys("post news half a ").await;
    let line = "ana> post news half a";
    prompt.shows("post news half a").await;
    bob.json("post news first").await;
    let screen = prompt
        .shows_screen("the announcement", |screen| screen.has("news#1 bob: first") && screen.last() == line)
        .await;
    assert_eq!(screen.row_of("news#1 bob: first") + 1, screen.row_of("ana> post news half a"));
    assert!(screen.look_of("news#1 bob: first").dim, "{}", screen.text());

    // Longer than the screen is wide, and hostile.
    let long = format!("\x1b[2J{}", "long ".repeat(100));
    bob.json_with(&["post", "news", &long], "").await;
    let screen = prompt
        .shows_screen("the long one", |screen| screen.has("news#2 bob: [2Jlong") && screen.last() == line)
        .await;
    assert_eq!(screen.row_of("news#2 bob") + 1, screen.row_of("ana> post news half a"), "one row");

    prompt.type_line("line").await;
    prompt.shows("news#3").await;
    prompt.prompts("ana 3 unread> ").await;
    assert_eq!(ana.bodies("news").await[2], "half a line");

    // One's own is no news, here or from another device; what was read meanwhile is none either.
    ana.json("post news own").await;
    bob.json("post news after").await;
    prompt.shows("news#5 bob: after").await;
    assert!(!prompt.screen().has("ana: own"), "{}", prompt.screen().text());
    prompt.type_line("follow").await;
    prompt.shows("  own").await;
    bob.json("post news followed").await;
    prompt.shows("  followed").await;
    prompt.type_keys(CTRL_C).await;
    prompt.prompts("ana> ").await;
    bob.json("post news last").await;
    prompt.shows("news#7 bob: last").await;
    let screen = prompt.screen();
    for not_announced in ["news#3 ana:", "news#4 ana:", "news#6 bob:"] {
        assert!(!screen.has(not_announced), "{}", screen.text());
    }
}

#[tokio::test]
async fn a_flood_is_a_few_lines() {
    let deployment = Deployment::start(1).await;
    let (mut prompt, _ana, bob) = ana_and_bob(&deployment).await;
    let lines: String = (1..=40).map(|number| format!("text {number}\n")).collect();
    bob.run_with(&["post", "news", "-", "--lines"], &lines).await;
    prompt.shows(" more in news").await;
    assert!(prompt.screen().text().lines().count() < 20, "{}", prompt.screen().text());
    prompt.type_line("").await;
    prompt.prompts("ana 40 unread> ").await;
}

#[tokio::test]
async fn news_of_areas_that_are_subscribed_at_the_prompt_and_only_while_they_are() {
    let deployment = Deployment::start(1).await;
    let (mut prompt, _ana, bob) = ana_and_bob(&deployment).await;
    let carol = deployment.reader("carol", "weather").await;
    prompt.type_line("subscribe weather").await;
    prompt.shows("Subscribed to weather").await;
    prompt.prompts("ana> ").await;
    carol.json("post weather rain").await;
    prompt.shows("weather#1 carol: rain").await;
    prompt.type_line("unsubscribe weather").await;
    prompt.shows("No longer subscribed").await;
    prompt.prompts("ana> ").await;
    carol.json("post weather sun").await;
    bob.json("post news first").await;
    prompt.shows("news#1 bob: first").await;
    assert!(!prompt.screen().has("weather#2"), "{}", prompt.screen().text());
    prompt.type_line("logout").await;
    prompt.prompts("not logged in> ").await;
    bob.json("post news second").await;
    prompt.type_line("login ana").await;
    prompt.shows("Password for ana: ").await;
    prompt.type_line(gaceta_e2e::service::PASSWORD).await;
    prompt.prompts("ana 2 unread> ").await;
    bob.json("post news third").await;
    prompt.shows("news#3 bob: third").await;
    assert!(!prompt.screen().has("news#2"), "{}", prompt.screen().text());
}

#[tokio::test]
async fn i8_news_go_on_when_servers_come_back() {
    let mut deployment = Deployment::start(2).await;
    let (mut prompt, _ana, bob) = ana_and_bob(&deployment).await;
    bob.json("post news one").await;
    prompt.shows("news#1 bob: one").await;
    for node in 0..2 {
        deployment.nodes[node].process.kill().await;
        deployment.restart_node(node).await;
    }
    bob.json("post news two").await;
    prompt.shows("news#2 bob: two").await;
    let screen = prompt.shows_screen("the prompt", |screen| screen.last() == "ana>").await;
    assert_eq!(screen.text().lines().count(), 3, "nothing else was said: {}", screen.text());
}

#[tokio::test]
async fn a_terminal_that_cannot_print_above_a_line_has_news_after_the_next_command() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await.with("TERM", "dumb");
    let bob = deployment.reader("bob", "news").await;
    let mut prompt = Terminal::start_sized(&ana.command(&[]), ROWS, COLUMNS);
    prompt.prompts("ana> ").await;
    prompt.type_keys("whoa").await;
    prompt.shows("whoa").await;
    bob.json("post news first").await;
    prompt.type_line("mi").await;
    let shown = prompt.shows("unread> ").await;
    if !shown.contains("news#1 bob: first\n") {
        // It was not there yet: after the next one then.
        prompt.type_line("areas").await;
        prompt.shows("news#1 bob: first\n").await;
    }
    assert!(!prompt.written().contains(&0x1b));
}

#[tokio::test]
async fn i9_a_prompt_whose_session_was_ended_elsewhere_does_not_ask_on_and_on() {
    let database = db::testing::database().await;
    gaceta_e2e::programs::directory(); // before the first wait that is watched
    let mut command = deployment::agent(&database.dsn, "127.0.0.1:0");
    command.env("GACETA_LOG", "gaceta_agent=debug");
    let agent = Server::start("agent", command).await;
    let ana = Gaceta::registered(agent.address, "ana").await;
    let again = Gaceta::logged_in(agent.address, "ana", gaceta_e2e::service::PASSWORD).await;
    let mut prompt = Terminal::start_sized(&ana.command(&[]), ROWS, COLUMNS);
    prompt.prompts("ana> ").await;
    again.json("sessions end --all").await;
    prompt.type_line("whoami").await;
    prompt.shows("log in").await;
    prompt.prompts("ana> ").await;
    // Meanwhile whoever asked without a pause would ask hundreds of times.
    for _ in 0..60 {
        again.fails("areas", 4).await;
    }
    let refused = agent.process.log().matches("refused").count();
    assert!((1..10).contains(&refused), "{refused} refusals");
}
