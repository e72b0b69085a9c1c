//! What is wrong with a person's own files: no permission, a read-only home, damage, two clients at once. The rows of
//! `docs/errors.md` about files.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::at_once;
use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::{Gaceta, Ran, ran};
use gaceta_e2e::service::PASSWORD;
use gaceta_e2e::terminal::Terminal;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An ordinary user, since nothing is forbidden to root.
const NOBODY: u32 = 65_534;

/// Somebody without special rights, whose home and program are in a directory of their own.
struct Ordinary {
    directory: TempDir,
    agents: String,
}

impl Ordinary {
    fn new(deployment: &Deployment) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        // Where the tests run as root, an ordinary user may not be able to enter the directory of the build.
        gaceta_e2e::programs::copy("gaceta", &directory.path().join("program"));
        let home = directory.path().join("home");
        fs::create_dir(&home).unwrap();
        if rustix::process::geteuid().is_root() {
            chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Self { directory, agents: deployment.agent.address.to_string() }
    }

    fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    fn state(&self) -> PathBuf {
        self.home().join(".local/state/gaceta")
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = gaceta_e2e::processes::clean_command(&self.directory.path().join("program"));
        command.args(args).env("HOME", self.home()).env("GACETA_AGENTS", &self.agents).current_dir("/");
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// The prompt, for a terminal. `None` where root has no means to be somebody else there.
    fn command_on_terminal(&self) -> Option<std::process::Command> {
        let program = self.directory.path().join("program");
        let mut command = gaceta_e2e::processes::clean_command(&program);
        if rustix::process::geteuid().is_root() {
            std::process::Command::new("setpriv").arg("--version").output().ok()?;
            command = gaceta_e2e::processes::clean_command(Path::new("setpriv"));
            command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]);
            command.arg("--clear-groups").arg(program);
        }
        command.env("HOME", self.home()).env("GACETA_AGENTS", &self.agents).current_dir("/");
        Some(command)
    }

    async fn run(&self, args: &[&str], stdin: &str) -> Ran {
        ran(self.command(args), stdin.as_bytes()).await
    }

    /// Fails because of a file: it is named, and so is what to do.
    async fn fails_locally(&self, args: &[&str], stdin: &str) -> String {
        let failed = self.run(args, stdin).await;
        assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{args:?}: {failed:?}");
        let names_the_file = failed.stderr.contains(&*self.home().to_string_lossy());
        assert!(names_the_file && failed.stderr.contains("permission"), "{args:?}: {}", failed.stderr);
        failed.stderr
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

async fn sessions_of(admin: &Gaceta, name: &str) -> usize {
    admin.json(&format!("admin user sessions {name}")).await.as_array().unwrap().len()
}

#[tokio::test]
async fn state_files_without_permission_are_named_and_nothing_is_sent() {
    let deployment = Deployment::start(1).await;
    let watcher = deployment.reader("watcher", "news").await;
    let ana = Ordinary::new(&deployment);
    assert_eq!(ana.run(&["register", "ana", "--password-stdin"], PASSWORD).await.code, Some(0));
    assert_eq!(ana.run(&["subscribe", "news"], "").await.code, Some(0));
    assert_eq!(ana.run(&["post", "news", "one"], "").await.code, Some(0));

    let context = ana.state().join("contexts/default.json");
    set_mode(&context, 0o000);
    ana.fails_locally(&["areas"], "").await;
    set_mode(&context, 0o600);

    let outbox = ana.state().join("outbox");
    set_mode(&outbox, 0o500);
    ana.fails_locally(&["post", "news", "two"], "").await;
    set_mode(&outbox, 0o000);
    ana.fails_locally(&["post", "news", "three"], "").await;
    ana.fails_locally(&["outbox"], "").await;
    set_mode(&outbox, 0o700);
    assert_eq!(watcher.bodies("news").await, ["one"], "what cannot be saved first is not sent");
    assert_eq!(ana.run(&["post", "news", "two"], "").await.code, Some(0));
    assert_eq!(watcher.bodies("news").await, ["one", "two"]);
}

#[tokio::test]
async fn in_a_read_only_home_one_reads_with_a_token_and_writing_says_what_is_missing() {
    let deployment = Deployment::start(1).await;
    let (admin, bob) = (deployment.admin().await, deployment.reader("bob", "news").await);
    bob.json("post news hello").await;
    let ana = Ordinary::new(&deployment);
    set_mode(&ana.home(), 0o555);

    ana.fails_locally(&["login", "bob", "--password-stdin"], PASSWORD).await;
    assert_eq!(sessions_of(&admin, "bob").await, 1, "no session is left behind that nobody holds");
    ana.fails_locally(&["register", "carl", "--password-stdin"], PASSWORD).await;

    let with_token = |args: &[&str]| {
        let mut command = ana.command(args);
        command.env("GACETA_TOKEN", bob.token());
        command
    };
    for args in
        [&["areas"][..], &["whoami"], &["subscriptions"], &["read", "news", "--keep"], &["verify", "news"]]
    {
        let read = ran(with_token(args), b"").await;
        assert_eq!((read.code, read.stderr.as_str()), (Some(0), ""), "{args:?}");
    }
    let posted = ran(with_token(&["post", "news", "precious"]), b"").await;
    assert_eq!(posted.code, Some(1), "{posted:?}");
    assert!(posted.stderr.contains("XDG_STATE_HOME"), "{posted:?}");
    assert_eq!(bob.bodies("news").await, ["hello"], "what cannot be saved first is not sent");
}

#[tokio::test]
async fn in_a_read_only_home_the_prompt_works_and_says_once_what_is_not_kept() {
    let deployment = Deployment::start(1).await;
    let bob = deployment.reader("bob", "news").await;
    bob.json("post news hello").await;
    let ana = Ordinary::new(&deployment);
    set_mode(&ana.home(), 0o555);
    let Some(mut command) = ana.command_on_terminal() else {
        println!("skipped: without setpriv root cannot be an ordinary user on a terminal");
        return;
    };
    command.env("GACETA_TOKEN", bob.token());
    let mut prompt = Terminal::start(&command);
    prompt.shows("What you type is not kept for later").await;
    prompt.prompts("bob 1 unread> ").await;
    prompt.type_line("read news").await;
    prompt.shows("hello").await;
    prompt.prompts("bob> ").await;
    prompt.type_line("use news").await;
    prompt.prompts("bob news> ").await;
    prompt.type_line("post precious").await;
    prompt.shows("XDG_STATE_HOME").await;
    prompt.prompts("bob news> ").await;
    prompt.type_keys("\x1b[A").await; // this prompt itself remembers
    prompt.shows_screen("the line before", |screen| screen.last().ends_with("> post precious")).await;
    prompt.type_keys("\x15exit\r").await;
    let (status, _) = prompt.ends().await;
    assert!(status.success());
    let written = String::from_utf8_lossy(prompt.written()).into_owned();
    assert_eq!(written.matches("is not kept for later").count(), 1, "{written}");
    assert_eq!(bob.bodies("news").await, ["hello"], "what cannot be saved first is not sent");
}

#[tokio::test]
async fn a_damaged_context_is_named_and_logging_in_again_repairs_it() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.person("ana").await;
    fs::write(ana.state().join("contexts/default.json"), "{\"token\": \"").unwrap();
    let error = ana.fails("areas", 1).await;
    assert!(error["message"].as_str().unwrap().contains("default.json is damaged"), "{error}");
    ana.json_with(&["login", "ana", "--password-stdin"], PASSWORD).await;
    assert_eq!(ana.json("whoami").await["user"], "ana");
}

#[tokio::test]
async fn a_damaged_post_in_the_outbox_is_kept_and_harms_no_other() {
    let mut deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    deployment.nodes[0].process.kill().await;
    for text in ["one", "two"] {
        ana.fails(&format!("--timeout 300ms post news {text}"), 6).await;
    }
    let entries = fs::read_dir(ana.state().join("outbox")).unwrap().map(|entry| entry.unwrap().path());
    let one = entries.into_iter().find(|path| fs::read_to_string(path).unwrap().contains("one")).unwrap();
    let whole = fs::read_to_string(&one).unwrap();
    fs::write(&one, &whole[..whole.len() - 5]).unwrap();
    deployment.restart_node(0).await;
    let resumed = ana.run("post --resume").await;
    assert_eq!((resumed.code, resumed.stdout.as_str()), (Some(0), "news#1\n"), "{resumed:?}");
    assert!(resumed.stderr.contains("is damaged"), "{resumed:?}");
    let kept = ana.run("outbox").await.stderr;
    let path = kept.split(" is damaged").next().unwrap();
    assert!(fs::read_to_string(path).unwrap().contains("one"), "the text is still there: {kept}");
    assert_eq!(ana.bodies("news").await, ["two"]);
}

#[tokio::test]
async fn i1_two_clients_on_one_outbox_send_each_post_once() {
    let mut deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    deployment.nodes[0].process.kill().await;
    let texts: Vec<String> = (0..40).map(|n| format!("text {n}")).collect();
    let args = ["--timeout", "300ms", "post", "news", "--lines"];
    assert_eq!(ana.fails_with(&args, &texts.join("\n"), 6).await["pending"], 40);
    deployment.restart_node(0).await;

    let resumed = at_once((0..4).map(|_| {
        let ana = ana.clone();
        async move { ana.json("post --resume").await }
    }))
    .await;
    let sent: Vec<&Value> = resumed.iter().flat_map(|sent| sent.as_array().unwrap()).collect();
    assert_eq!(sent.len(), 40, "each by one of them: {resumed:?}");
    assert!(sent.iter().all(|post| post["duplicate"] == false), "I1: sent once");
    let mut arrived = ana.bodies("news").await;
    arrived.sort_by_key(|text| texts.iter().position(|one| one == text));
    assert_eq!(arrived, texts);
    assert_eq!(ana.files("outbox"), 0);
}
