//! The prompt on a real terminal: what its line says, the area in use, and what it does with Ctrl-C, Ctrl-D and what was
//! typed before.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::terminal::{CTRL_C, CTRL_D, Terminal};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Ana at the prompt, and somebody else who is subscribed to the same area.
async fn at_the_prompt(deployment: &Deployment, line: &str) -> (Terminal, Gaceta, Gaceta) {
    let ana = deployment.reader("ana", "news").await;
    let bob = deployment.reader("bob", "news").await;
    let mut terminal = Terminal::start(&ana.command(&[]));
    terminal.prompts(line).await;
    (terminal, ana, bob)
}

#[tokio::test]
async fn the_line_says_who_where_and_how_much_is_unread() {
    let deployment = Deployment::start(1).await;
    let (mut prompt, ana, _) = at_the_prompt(&deployment, "ana> ").await;
    prompt.type_line("post news one").await;
    prompt.prompts("ana 1 unread> ").await;
    prompt.type_line("post news two").await;
    prompt.prompts("ana 2 unread> ").await;
    prompt.type_line("read news --limit 1").await;
    prompt.prompts("ana 1 unread> ").await;
    prompt.type_line("catchup").await;
    prompt.prompts("ana> ").await;
    prompt.type_line("undo").await;
    prompt.prompts("ana 1 unread> ").await;
    ana.json("catchup").await; // on another device
    prompt.type_line("").await;
    prompt.prompts("ana> ").await;
    prompt.type_line("logout").await;
    prompt.prompts("not logged in> ").await;
    prompt.type_keys(CTRL_D).await;
    assert!(prompt.ends().await.0.success());
}

#[tokio::test]
async fn commands_mean_the_area_in_use() {
    let deployment = Deployment::start(1).await;
    let (mut prompt, ana, _) = at_the_prompt(&deployment, "ana> ").await;
    let admin = deployment.admin().await;
    admin.json_with(&["admin", "area", "add", "City News"], "").await;
    prompt.type_line("use nwes").await;
    prompt.shows("there are: City News, news").await;
    prompt.prompts("ana> ").await;
    prompt.type_line("use 'city news'").await;
    prompt.shows("not subscribed to City News").await;
    prompt.prompts("ana City News> ").await;
    prompt.type_line("subscribe").await;
    prompt.shows("Subscribed to City News").await;
    prompt.type_line("post Hello, #1 of all").await;
    prompt.shows("City News#1").await;
    prompt.prompts("ana City News 1 unread> ").await;
    prompt.type_line("post another").await;
    prompt.prompts("ana City News 2 unread> ").await;
    prompt.type_line("delete #2").await;
    prompt.shows("City News#2 is deleted").await;
    prompt.prompts("ana City News 1 unread> ").await;
    prompt.type_line("verify").await;
    prompt.shows("City News").await;
    prompt.type_line("read").await;
    prompt.shows("Hello, #1 of all").await;
    prompt.prompts("ana City News> ").await;
    prompt.type_line("use").await;
    prompt.prompts("ana> ").await;
    assert_eq!(ana.bodies("news").await, Vec::<String>::new());
    let verified = ana.json_with(&["verify", "city news"], "").await;
    assert_eq!(verified["kept"], 1);

    // Somebody else has not said where to stay.
    prompt.type_line("use news").await;
    prompt.prompts("ana news> ").await;
    prompt.type_line("logout").await;
    prompt.prompts("not logged in> ").await;
}

#[tokio::test]
async fn use_is_for_the_prompt_only() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let error = ana.fails("use news", 2).await;
    assert!(error["message"].as_str().unwrap().contains("for the prompt"), "{error}");
    let posted = ana.json("post --in news two words").await;
    assert_eq!(posted["area"], "news");
    assert_eq!(ana.bodies("news").await, ["two words"]);
}

#[tokio::test]
async fn help_lists_what_this_person_may_do_on_one_screen() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "wetter").await;
    let mut prompt = Terminal::start_sized(&ana.command(&[]), 24, 80);
    prompt.prompts("ana> ").await;
    for line in ["help", ""] {
        prompt.type_line(line).await;
        prompt.shows("Ctrl-D leaves").await;
        let screen = prompt.shows_screen("the prompt again", |screen| screen.last() == "ana>").await;
        assert_eq!(screen.row_of("Reading"), screen.row_of("read wetter"), "{}", screen.text());
        assert!(!screen.has("admin area add") && !screen.has("register"), "{}", screen.text());
    }
    prompt.type_line("help post").await;
    prompt.shows("--resume").await;
    prompt.prompts("ana> ").await;
    prompt.type_line("logout").await;
    prompt.prompts("not logged in> ").await;
    prompt.type_line("").await;
    let shown = prompt.shows("Ctrl-D leaves").await;
    assert!(shown.contains("register NAME") && !shown.contains("unsubscribe"), "{shown}");

    let admin = deployment.admin().await;
    let mut prompt = Terminal::start_sized(&admin.command(&[]), 60, 200);
    prompt.prompts("admin> ").await;
    prompt.type_line("help").await;
    let shown = prompt.shows("Ctrl-D leaves").await;
    assert!(shown.contains("admin area add") && shown.contains("subscribe AREA"), "{shown}");
}

#[tokio::test]
async fn what_was_typed_is_kept_private_and_without_secrets() {
    let deployment = Deployment::start(1).await;
    let (mut prompt, ana, _) = at_the_prompt(&deployment, "ana> ").await;
    for line in ["areas", "login ana swordfish", &format!("post news {}", ana.token()), " whoami", "nonsense"]
    {
        prompt.type_line(line).await;
        prompt.prompts(if line.starts_with("post") { "ana 1 unread> " } else { "ana" }).await;
    }
    prompt.type_keys("half a line").await;
    prompt.shows("half a line").await;
    prompt.type_keys(CTRL_C).await;
    prompt.prompts("ana 1 unread> ").await;
    prompt.type_keys(CTRL_D).await;
    assert!(prompt.ends().await.0.success());
    let history = ana.state().join("history/default");
    assert_eq!(fs::read_to_string(&history).unwrap(), "areas\nnonsense\n");
    assert_eq!(fs::metadata(&history).unwrap().permissions().mode() & 0o777, 0o600);

    // Up goes to the last line of the prompt before.
    let mut again = Terminal::start(&ana.command(&[]));
    again.shows("> ").await;
    again.type_keys("\x1b[A\x1b[A\r").await;
    again.shows("DESCRIPTION").await;
}

#[tokio::test]
async fn a_broken_history_does_not_keep_anybody_from_the_prompt() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    fs::create_dir_all(ana.state().join("history/default")).unwrap();
    let mut prompt = Terminal::start(&ana.command(&[]));
    prompt.shows("not kept for later").await;
    prompt.prompts("ana> ").await;
    prompt.type_line("post news works").await;
    prompt.prompts("ana 1 unread> ").await;
}

#[tokio::test]
async fn the_prompt_goes_on_while_there_is_no_agent_and_what_is_posted_waits() {
    let mut deployment = Deployment::start(1).await;
    let (mut prompt, ana, bob) = at_the_prompt(&deployment, "ana> ").await;
    prompt.type_line("use news").await;
    prompt.prompts("ana news> ").await;
    deployment.agent.process.kill().await;
    prompt.type_line("--timeout 1s areas").await;
    prompt.shows("… waiting for an agent").await; // it says for what, before it gives up
    prompt.shows("could not be reached").await;
    prompt.prompts("ana news> ").await; // and still knows who is there, and where
    prompt.type_line("--timeout 300ms post precious words").await;
    prompt.shows("In the outbox").await;
    prompt.prompts("ana news> ").await;
    prompt.type_line("outbox").await;
    prompt.shows("precious words").await;
    prompt.shows(&format!("To send: gaceta --agents {} post --resume", deployment.agent.address)).await;
    prompt.prompts("ana news> ").await;
    // Without a limit of one's own there is time enough for an agent that comes back.
    prompt.type_line("subscriptions").await;
    prompt.shows("… waiting for an agent").await;
    deployment.restart_agent().await;
    prompt.shows("news").await;
    prompt.prompts("ana news> ").await;
    prompt.type_line("post --resume").await;
    prompt.shows("news#1").await;
    prompt.prompts("ana news 1 unread> ").await;
    bob.json("post news heard").await;
    prompt.shows("news#2 bob: heard").await;
    assert_eq!(ana.bodies("news").await, ["precious words", "heard"]);
}

#[tokio::test]
async fn a_dumb_terminal_has_the_same_prompt_without_codes() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await.with("TERM", "dumb");
    let mut prompt = Terminal::start(&ana.command(&[]));
    prompt.prompts("ana> ").await;
    prompt.type_line("post news Hello").await;
    prompt.prompts("ana 1 unread> ").await;
    prompt.type_keys("half a line").await;
    prompt.shows("half a line").await;
    prompt.type_keys(CTRL_C).await;
    prompt.shows("\nana 1 unread> ").await;
    prompt.type_line("use news").await;
    prompt.prompts("ana news 1 unread> ").await;
    prompt.type_keys(CTRL_D).await;
    assert!(prompt.ends().await.0.success());
    assert!(!prompt.written().contains(&0x1b), "{}", String::from_utf8_lossy(prompt.written()));
}

#[tokio::test]
async fn i1_what_waits_in_the_outbox_is_told_when_the_prompt_begins() {
    let mut deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    deployment.nodes[0].process.kill().await;
    ana.fails("--timeout 300ms post news precious", 6).await;
    deployment.restart_node(0).await;
    let mut prompt = Terminal::start(&ana.command(&[]));
    prompt.shows("A post waits in the outbox: `post --resume` sends it.").await;
    prompt.prompts("ana> ").await;
    prompt.type_line("post --resume").await;
    prompt.shows("news#1").await;
    prompt.prompts("ana 1 unread> ").await;
    prompt.type_keys(CTRL_D).await;
    let mut prompt = Terminal::start(&ana.command(&[]));
    assert!(!prompt.shows("ana 1 unread> ").await.contains("outbox"));
}

#[tokio::test]
async fn the_line_that_an_error_gives_for_a_draft_posts_it_at_the_prompt_too() {
    let deployment = Deployment::start(1).await;
    let (mut prompt, ana, _) = at_the_prompt(&deployment, "ana> ").await;
    prompt.type_line("post nwes A text that is kept").await;
    prompt.shows("post AREA - < ").await;
    prompt.prompts("ana> ").await;
    let draft = fs::read_dir(ana.state().join("drafts")).unwrap().find_map(|file| {
        let path = file.unwrap().path();
        path.extension().is_some_and(|extension| extension == "txt").then_some(path)
    });
    let draft = draft.unwrap();
    prompt.type_line(&format!("gaceta post news - < {}", draft.display())).await;
    prompt.shows("news#1").await;
    prompt.prompts("ana 1 unread> ").await;
    assert_eq!(ana.bodies("news").await, ["A text that is kept"]);
    prompt.type_line("post news - < /nowhere/draft.txt").await;
    prompt.shows("gaceta: cannot read /nowhere/draft.txt").await;
}

#[tokio::test]
async fn after_ctrl_c_the_shell_begins_a_line() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let mut asking = Terminal::start(&ana.command(&["passwd"]));
    asking.shows("Old password: ").await;
    asking.type_keys(CTRL_C).await;
    assert_eq!(asking.ends().await.0.code(), Some(130));
    assert!(String::from_utf8_lossy(asking.written()).contains("Old password: \r\n"));
    let mut following = Terminal::start(&ana.command(&["follow"]));
    ana.json("post news now").await;
    following.shows("now").await;
    following.type_keys(CTRL_C).await;
    assert_eq!(following.ends().await.0.code(), Some(130));
    assert!(!following.screen().has("^C"), "what comes next would stand behind it");
}
