//! Tab, at the prompt and in a real bash: commands, flags, and names that the service has.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::{Gaceta, ran};
use gaceta_e2e::programs;
use gaceta_e2e::terminal::Terminal;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const TAB: &str = "\t";

/// Ana, subscribed to `news` and `City News`, and not to `weather`; an article of hers and one of bob's.
async fn ana(deployment: &Deployment) -> Gaceta {
    let ana = deployment.reader("ana", "news").await;
    let bob = deployment.reader("bob", "news").await;
    let admin = deployment.admin().await;
    for area in ["City News", "weather"] {
        admin.json_with(&["admin", "area", "add", area], "").await;
    }
    ana.json_with(&["subscribe", "City News"], "").await;
    ana.json("post news mine").await;
    bob.json("post news his").await;
    ana
}

#[tokio::test]
async fn tab_at_the_prompt() {
    let deployment = Deployment::start(1).await;
    let ana = ana(&deployment).await;
    let mut prompt = Terminal::start(&ana.command(&[]));
    prompt.prompts("ana 2 unread> ").await;
    for (typed, completed) in [
        ("subscri\t", "subscri"), // two of them
        ("be we\t", "subscribe weather "),
        ("\x15read n\t--li\t", "read news --limit "),
        ("\x15read ci\t", "read 'City News' "),
        ("\x15follow 'ci\t", "follow 'City News' "),
        ("\x15delete ne\t\t", "delete news#1 "),
        ("\x15context use def\t", "context use default "),
    ] {
        prompt.type_keys(typed).await;
        let line = format!("ana 2 unread> {}", completed.trim_end());
        prompt.shows_screen(&line, |screen| screen.last() == line).await;
    }
    prompt.type_keys("\x15read we\t").await; // it is not subscribed
    prompt.type_keys("x").await;
    prompt.shows_screen("nothing offered", |screen| screen.last() == "ana 2 unread> read wex").await;
    prompt.type_keys("\x15use news\r").await;
    prompt.prompts("ana news 2 unread> ").await;
    prompt.type_keys("delete #\t").await;
    prompt.shows_screen("the number", |screen| screen.last() == "ana news 2 unread> delete #1").await;

    let names = fs::metadata(ana.state().join("names/default.json")).unwrap();
    assert_eq!(names.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn administrators_complete_settings() {
    let deployment = Deployment::start(1).await;
    let admin = deployment.admin().await;
    let mut prompt = Terminal::start(&admin.command(&[]));
    prompt.prompts("admin> ").await;
    for (typed, completed) in [
        ("admin settings set regi\t", "admin settings set registration"),
        ("\x15admin settings get lease_t\t", "admin settings get lease_ttl_ms"),
    ] {
        prompt.type_keys(typed).await;
        let line = format!("admin> {completed}");
        prompt.shows_screen(&line, |screen| screen.last() == line).await;
    }
}

/// A shell with the client's programs and ana's files.
fn shell(ana: &Gaceta) -> Command {
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile"]);
    for (name, value) in ana.command(&[]).get_envs() {
        if let Some(value) = value {
            bash.env(name, value);
        }
    }
    let path = format!("{}:{}", programs::directory().display(), std::env::var("PATH").unwrap());
    bash.env("PATH", path).env("PS1", "$ ").env("INPUTRC", "/dev/null").env("LC_ALL", "C.UTF-8");
    bash
}

#[tokio::test]
async fn tab_in_bash() {
    let deployment = Deployment::start(1).await;
    let ana = ana(&deployment).await;
    let mut command = shell(&ana);
    command.arg("-i");
    let mut bash = Terminal::start(&command);
    bash.shows("$ ").await;
    bash.type_line("source <(gaceta completions bash)").await;
    bash.shows("$ ").await;
    for (typed, completed) in [
        ("gaceta subscribe we\t", "gaceta subscribe weather"),
        ("\x15gaceta read ci\t", r"gaceta read City\ News"),
        ("\x15gaceta read 'ci\t", "gaceta read 'City News'"),
        ("\x15gaceta read ne\t--lim\t", "gaceta read news --limit"),
        ("\x15gaceta delete ne\t\t", "gaceta delete news#1"),
        ("\x15gaceta unsub\tnews", "gaceta unsubscribe news"),
    ] {
        bash.type_keys(typed).await;
        let line = format!("$ {completed}");
        bash.shows_screen(&line, |screen| screen.last() == line).await;
    }
    bash.type_keys("\x15gaceta read we").await;
    bash.type_keys(TAB).await;
    bash.type_keys("x").await;
    bash.shows_screen("nothing offered", |screen| screen.last() == "$ gaceta read wex").await;
}

/// Asks as the script of a shell does.
async fn asked(ana: &Gaceta, shell: &str, words: &[&str]) -> String {
    let mut command = ana.command(&["--", "gaceta"]);
    command.args(words).env("GACETA_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    let answer = ran(command, b"").await;
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""), "{shell}: {answer:?}");
    answer.stdout
}

#[tokio::test]
async fn every_shell_is_answered_and_has_a_script() {
    let deployment = Deployment::start(1).await;
    let ana = ana(&deployment).await;
    for shell in ["zsh", "fish", "powershell", "elvish", "bash"] {
        let script = ana.run(&format!("completions {shell}")).await;
        assert!(script.stdout.contains("GACETA_COMPLETE") && script.code == Some(0), "{script:?}");
        let answer = asked(&ana, shell, &["read", "ne"]).await;
        assert!(answer.starts_with("news"), "{shell}: {answer:?}");
        let answer = asked(&ana, shell, &["delete", "news#"]).await;
        assert!(
            answer.contains("news#1") && !answer.contains("news#2"),
            "only one's own: {shell}: {answer:?}"
        );
    }
    assert!(asked(&ana, "powershell", &["read", "ci"]).await.starts_with("'City News'"));
}

#[tokio::test]
async fn without_a_service_or_a_session_there_is_silence() {
    let mut deployment = Deployment::start(1).await;
    let nobody = deployment.person("bob").await;
    nobody.run("logout").await;
    assert_eq!(asked(&nobody, "fish", &["read", "n"]).await, "");
    let ana = ana(&deployment).await;
    assert!(asked(&ana, "fish", &["read", "n"]).await.starts_with("news"));
    deployment.agent.process.kill().await;
    // What was known a moment ago is known.
    assert!(asked(&ana, "fish", &["read", "n"]).await.starts_with("news"));
    assert_eq!(asked(&ana, "fish", &["delete", "news#"]).await, "");
}

#[tokio::test]
async fn a_hint_beside_the_line_says_what_may_follow() {
    let deployment = Deployment::start(1).await;
    let ana = ana(&deployment).await;
    let mut prompt = Terminal::start(&ana.command(&[]));
    prompt.prompts("ana 2 unread> ").await;
    prompt.type_keys("subscribe").await;
    let whole = "ana 2 unread> subscribe AREA [--from-start]";
    let screen = prompt.shows_screen("the hint", |screen| screen.last() == whole).await;
    assert!(screen.look_of("AREA").dim && !screen.look_of("subscribe").dim);
    prompt.type_line(" weather").await;
    prompt.shows("Subscribed to weather").await;
    prompt.prompts("ana 2 unread> ").await;
    // The latest line that began like this one; the arrow to the right takes it.
    prompt.type_keys("subs").await;
    prompt.shows_screen("the line", |screen| screen.last() == "ana 2 unread> subscribe weather").await;
    prompt.type_keys("\x1b[C\r").await;
    prompt.shows("subscribed to weather already").await;

    let mut plain = Terminal::start(&ana.clone().with("NO_COLOR", "1").command(&[]));
    plain.prompts("ana 2 unread> ").await;
    plain.type_keys("subscribe").await;
    plain.type_keys(" x").await;
    plain.shows_screen("no hint", |screen| screen.last() == "ana 2 unread> subscribe x").await;
}
