//! `gaceta-standalone` as a newcomer meets it: the first start, the prompt on a real terminal, a second start, and an end
//! that leaves nothing running.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::gaceta::{Gaceta, token_in};
use gaceta_e2e::processes::{Process, until};
use gaceta_e2e::programs;
use gaceta_e2e::service::PASSWORD;
use gaceta_e2e::standalone::Place;
use gaceta_e2e::terminal::{CTRL_C, CTRL_D, Terminal};
use rustix::process::{Signal, geteuid};
use serde_json::json;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const SERVE: [&str; 5] = ["--no-prompt", "--listen", "127.0.0.1:0", "--log", "trace"];
const PROMPT: [&str; 4] = ["--listen", "127.0.0.1:0", "--log", "trace"];

/// Serves, is used, tells a second start where it is, ends on SIGTERM with nothing left; and all data is there again.
async fn serves_in_an_empty_directory(place: &Place) {
    let mut first = Process::start("standalone", place.standalone(&SERVE));
    let address = first.ready("agent").await;
    let password_file = fs::metadata(place.data.join("admin-password")).unwrap();
    assert_eq!(password_file.mode() & 0o777, 0o600);
    let postmaster = place.postmaster().expect("PostgreSQL runs");
    let owner = fs::metadata(format!("/proc/{}", postmaster.as_raw_nonzero())).map(|process| process.uid());
    assert_ne!(owner.unwrap_or(1), 0, "PostgreSQL does not run as root");

    let admin = Gaceta::logged_in(address, "admin", &place.admin_password()).await;
    admin.json("admin area add news").await;
    let ana = Gaceta::registered(address, "ana").await;
    ana.json("subscribe news").await;
    ana.json("post news hello").await;

    let mut second = Process::start("second", place.standalone(&SERVE));
    assert_eq!(second.line().await, None, "nothing on standard output");
    assert_eq!(second.end().await.code(), Some(1));
    let told = second.log();
    assert!(told.contains("runs here already") && told.contains(&format!("--agents {address}")), "{told}");

    assert_eq!(first.terminate().await, Some(0), "{}", first.log());
    assert_eq!(place.running(), Vec::<String>::new());
    let mut secrets = vec![place.admin_password(), PASSWORD.to_owned(), admin.token(), ana.token()];
    no_log_has(place, &mut secrets, &first.log());

    let mut again = Process::start("again", place.standalone(&SERVE));
    let ana = Gaceta::logged_in(again.ready("agent").await, "ana", PASSWORD).await;
    assert_eq!(ana.bodies("news").await, ["hello"], "I1");
    assert_eq!(again.terminate().await, Some(0));
    assert_eq!(place.running(), Vec::<String>::new());
}

/// Neither in a file nor on standard error, though everything is logged.
fn no_log_has(place: &Place, secrets: &mut [String], stderr: &str) {
    let mut logs = place.logs();
    assert!(!logs.is_empty(), "at least PostgreSQL's");
    logs.push((Path::new("standard error").into(), stderr.to_owned()));
    for (path, text) in logs {
        for secret in secrets.iter() {
            assert!(!text.contains(secret), "{} has a secret: {secret}", path.display());
        }
    }
}

#[tokio::test]
async fn a_first_start_as_whoever_runs_this() {
    programs::directory();
    if !geteuid().is_root() {
        println!("not root: the start as root is not tried");
    }
    serves_in_an_empty_directory(&Place::new()).await;
}

#[tokio::test]
async fn a_first_start_as_an_ordinary_user_in_the_default_directory() {
    programs::directory();
    match Place::of_ordinary_user() {
        Some(place) => serves_in_an_empty_directory(&place).await,
        None => println!("skipped: root without `setpriv` cannot be an ordinary user"),
    }
}

/// Starts at a terminal; returns when the prompt is there, with what was shown before and the agent's address.
async fn at_the_prompt(place: &Place) -> (Terminal, String) {
    let mut terminal = Terminal::start(&place.standalone(&PROMPT));
    let shown = terminal.shows("admin> ").await;
    (terminal, shown)
}

#[tokio::test]
async fn the_first_prompt_says_everything_and_ctrl_d_ends_it() {
    programs::directory();
    let place = Place::new();
    let (mut prompt, greeting) = at_the_prompt(&place).await;
    assert!(greeting.contains(&*place.data.to_string_lossy()), "where the data is: {greeting}");
    assert!(greeting.contains("admin-password"), "{greeting}");
    assert!(greeting.contains("You are `admin`"), "{greeting}");
    prompt.type_line("whoami --json").await;
    prompt.shows(r#""role":"admin","user":"admin"}"#).await;
    prompt.prompts("admin> ").await;
    prompt.type_line("admin area add news").await;
    prompt.prompts("admin> ").await;
    prompt.type_line("subscribe news").await;
    prompt.prompts("admin> ").await;

    // The line that a second terminal types, as it was printed. Its password is asked for, twice, and never shown.
    let join = greeting.lines().find(|line| line.contains(" register ")).unwrap().trim();
    let mut shell = std::process::Command::new("sh");
    let home = place.path().join("ana");
    let path = format!("{}:{}", programs::directory().display(), std::env::var("PATH").unwrap());
    shell.args(["-c", join]).env("PATH", path).env("XDG_STATE_HOME", &home);
    let mut ana = Terminal::start(&shell);
    for question in ["Password for ana: ", "The same once more: "] {
        ana.shows(question).await;
        ana.type_line(PASSWORD).await;
    }
    let (status, shown) = ana.ends().await;
    assert!(status.success() && shown.contains("Logged in as ana"), "{shown}");
    assert!(!shown.contains(PASSWORD), "echoed: {shown}");
    let context = fs::metadata(home.join("gaceta/contexts/ana.json")).unwrap();
    assert_eq!(context.mode() & 0o777, 0o600);

    // Ctrl-C ends `follow`, and nothing else.
    let postmaster = place.postmaster().expect("PostgreSQL runs");
    let admin = Gaceta::logged_in(agent_in(join), "admin", &place.admin_password()).await;
    prompt.type_line("follow").await;
    admin.json("post news first-news").await;
    prompt.shows("  first-news").await;
    prompt.type_keys(CTRL_C).await;
    prompt.prompts("admin> ").await;
    assert_eq!(place.postmaster(), Some(postmaster));
    prompt.type_line("post news second-news").await;
    prompt.shows("news#2").await;
    prompt.prompts("admin 1 unread> ").await;
    assert_eq!(admin.bodies("news").await, ["first-news", "second-news"]);
    // What was shown is read: followed until Ctrl-C, one's own unread.
    assert_eq!(admin.json("subscriptions").await, json!([{"area": "news", "cursor": 1, "unread": 1}]));

    let mut secrets = vec![place.admin_password(), PASSWORD.to_owned(), admin.token()];
    secrets.push(token_in(&place.data.join("client")));
    prompt.type_keys(CTRL_D).await;
    let (status, shown) = prompt.ends().await;
    assert!(status.success(), "{shown}");
    assert_eq!(place.running(), Vec::<String>::new());
    assert!(!shown.contains(&place.admin_password()), "the password itself is in its file only");
    assert!(place.logs().iter().any(|(path, _)| path.ends_with("gaceta.log")));
    no_log_has(&place, &mut secrets, &shown);
}

fn agent_in(join: &str) -> std::net::SocketAddr {
    join.split("--agents ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn sigterm_at_the_prompt_and_in_a_command_leaves_nothing_running() {
    programs::directory();
    let place = Place::new();
    let (prompt, _) = at_the_prompt(&place).await;
    terminated_with_nothing_left(prompt, &place).await;

    // The second start: the same administrator, still logged in; this time with a command that waits.
    let (mut prompt, greeting) = at_the_prompt(&place).await;
    assert!(!greeting.contains("made at random"), "{greeting}");
    prompt.type_line("admin area add news").await;
    prompt.prompts("admin> ").await;
    prompt.type_line("subscribe news").await;
    prompt.prompts("admin> ").await;
    prompt.type_line("post news hello").await;
    prompt.shows("news#1").await;
    prompt.prompts("admin 1 unread> ").await;
    prompt.type_line("follow").await;
    prompt.shows("  hello").await;
    terminated_with_nothing_left(prompt, &place).await;
}

#[tokio::test]
async fn a_closed_terminal_ends_everything() {
    programs::directory();
    let place = Place::new();
    let (mut prompt, _) = at_the_prompt(&place).await;
    prompt.hang_up().await;
    let (status, _) = prompt.ends().await;
    assert!(status.code().is_some(), "it ended in good order: {status}");
    assert_eq!(place.running(), Vec::<String>::new());
}

async fn terminated_with_nothing_left(mut prompt: Terminal, place: &Place) {
    assert!(place.postmaster().is_some());
    prompt.signal(Signal::TERM);
    let (status, shown) = prompt.ends().await;
    assert_eq!(status.code(), Some(0), "{shown}");
    assert_eq!(place.running(), Vec::<String>::new());
}

#[tokio::test]
async fn after_kill_9_postgres_does_not_stay_alone() {
    programs::directory();
    let place = Place::new();
    let mut standalone = Process::start("standalone", place.standalone(&SERVE));
    standalone.ready("agent").await;
    standalone.kill().await;
    if cfg!(target_os = "linux") {
        until("PostgreSQL's end", async || place.running().is_empty().then_some(())).await;
    }
    let mut again = Process::start("again", place.standalone(&SERVE));
    again.ready("agent").await;
    assert_eq!(again.terminate().await, Some(0));
    assert_eq!(place.running(), Vec::<String>::new());
}

#[tokio::test]
async fn a_start_that_fails_leaves_nothing_running_and_says_why() {
    programs::directory();
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut standalone =
        Process::start("standalone", place.standalone(&["--no-prompt", "--listen", &address]));
    assert_eq!(standalone.line().await, None);
    assert_eq!(standalone.end().await.code(), Some(1));
    let told = standalone.log();
    assert!(told.contains(&format!("cannot listen on {address}")), "{told}");
    assert_eq!(place.running(), Vec::<String>::new());
}
