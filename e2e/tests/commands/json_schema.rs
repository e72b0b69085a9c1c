//! `--json` against `docs/json-schema.json`: every command there is has its form written down, prints it, and fails in
//! the one form of errors. A new command without a form, or without a line here, fails this test.
#![allow(clippy::unwrap_used)]

use boon::{Compiler, SchemaIndex, Schemas};
use clap::CommandFactory;
use client::command::Cli;
use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::{Gaceta, Ran, words};
use gaceta_e2e::service::PASSWORD;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// How the definition of errors is called.
const ERROR: &str = "error";

struct Forms {
    schemas: Schemas,
    by_command: BTreeMap<String, SchemaIndex>,
    /// Commands that have printed something that has their form.
    printed: BTreeSet<String>,
    /// Commands that have failed in the form of errors.
    failed: BTreeSet<String>,
    /// Commands that ended in another way than expected: told together.
    unexpected: Vec<String>,
}

impl Forms {
    fn load() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/json-schema.json");
        let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let names: Vec<String> = schema["$defs"].as_object().unwrap().keys().cloned().collect();
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        compiler.add_resource("http://gaceta/schema.json", schema).unwrap();
        // Names with a capital are parts of others.
        let commands = names.into_iter().filter(|name| name.starts_with(char::is_lowercase));
        let compiled = commands.map(|name| {
            let place = format!("http://gaceta/schema.json#/$defs/{}", name.replace(' ', "%20"));
            let index = compiler.compile(&place, &mut schemas).unwrap_or_else(|error| panic!("{error:#}"));
            (name, index)
        });
        let by_command = compiled.collect();
        Self {
            schemas,
            by_command,
            printed: BTreeSet::new(),
            failed: BTreeSet::new(),
            unexpected: Vec::new(),
        }
    }

    /// Each line of what a command printed, or of its error.
    fn check(&mut self, args: &[&str], ran: &Ran) {
        let command = command_of(args);
        let (text, form, seen) = match ran.code {
            Some(0) => (&ran.stdout, command.as_str(), &mut self.printed),
            _ => (&ran.stderr, ERROR, &mut self.failed),
        };
        let other = if ran.code == Some(0) { &ran.stderr } else { &ran.stdout };
        assert_eq!(other, "", "{args:?}");
        assert!(ran.code == Some(0) || text.lines().count() == 1, "{args:?}: {ran:?}");
        let index = self.by_command.get(form).unwrap_or_else(|| panic!("{form:?} has no form"));
        for line in text.lines() {
            let value: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{args:?}: {error}: {line}"));
            if let Err(error) = self.schemas.validate(&value, *index) {
                panic!("{args:?} prints {line}\n{error:#}");
            }
            seen.insert(command.clone());
        }
    }

    async fn run(&mut self, person: &Gaceta, line: &str, stdin: &str, code: i32) -> Ran {
        let args = words(line);
        let ran = person.run_with(&[&["--json"], args.as_slice()].concat(), stdin).await;
        if ran.code != Some(code) {
            self.unexpected.push(format!("{line}: not {code}: {ran:?}"));
        }
        self.check(&args, &ran);
        ran
    }
}

/// The words of a command line that name its command.
fn command_of(args: &[&str]) -> String {
    let definition = Cli::command();
    let (mut at, mut path) = (&definition, Vec::new());
    for word in args {
        if let Some(found) = at.find_subcommand(word) {
            at = found;
            path.push(found.get_name());
        } else if !path.is_empty() {
            break;
        }
    }
    path.join(" ")
}

/// Every command that can be run.
fn commands(definition: &clap::Command, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for command in definition.get_subcommands() {
        let path = format!("{path} {}", command.get_name()).trim_start().to_owned();
        if !command.has_subcommands() || !command.is_subcommand_required_set() {
            found.push(path.clone());
        }
        found.extend(commands(command, &path));
    }
    found
}

#[tokio::test]
async fn every_command_prints_what_is_written_down() {
    let mut deployment = Deployment::start(1).await;
    let agent = deployment.agent.address;
    let mut forms = Forms::load();
    let (ana, bob, admin) = (Gaceta::at(agent), Gaceta::at(agent), Gaceta::at(agent));
    let (new, newer) = ("another one", "yet another one");
    let changed = format!("{PASSWORD}\n{new}\n");
    let pages = deployment.file("man");
    let drain = format!("admin node drain {}", deployment.nodes[0].address);
    let resume = drain.replace("drain", "resume");

    // Who, the command line, its standard input, and the exit code.
    let script = [
        (&ana, "whoami", "", 4),
        (&ana, "register ana --password-stdin", PASSWORD, 0),
        (&ana, "register ana --password-stdin", new, 7),
        (&ana, "register ana --password-stdin", "", 2),
        (&bob, "register bob --password-stdin", PASSWORD, 0),
        (&admin, "login admin --password-stdin", new, 4),
        (&admin, "login admin --password-stdin", PASSWORD, 0),
        (&ana, "whoami", "", 0),
        (&ana, "passwd --password-stdin", "one line", 2),
        (&ana, "passwd --password-stdin", &changed, 0),
        (&ana, "sessions", "", 0),
        (&ana, "sessions end 1000000", "", 3),
        (&ana, "sessions end none", "", 2),
        (&ana, "sessions --all x", "", 2),
        (&ana, "areas --unknown", "", 2),
        (&ana, "areas", "", 0),
        (&admin, "admin area add news --description what_happens --keep-for 90d --keep-count 100", "", 0),
        (&admin, "admin area add News", "", 7),
        (&admin, "admin area add other", "", 0),
        (&admin, "admin area set news --replicas 2", "", 0),
        (&admin, "admin area set news", "", 2),
        (&ana, "admin area list", "", 5),
        (&ana, "subscriptions", "", 0),
        (&ana, "subscriptions x", "", 2),
        (&ana, "subscribe news", "", 0),
        (&ana, "subscribe nwes", "", 3),
        (&bob, "subscribe news --from-start", "", 0),
        (&ana, "areas", "", 0),
        (&ana, "post news Hello, world", "", 0),
        (&ana, "post --in news gone", "", 0),
        (&ana, "post news --lines", "one\ntwo\n", 0),
        (&ana, "post news -", " \n", 1),
        (&ana, "post other refused", "", 5),
        (&ana, "post --resume", "", 0),
        (&ana, "outbox", "", 0),
        (&ana, "outbox x", "", 2),
        (&ana, "delete news#2", "", 0),
        (&ana, "delete news#9", "", 3),
        (&bob, "delete news#1", "", 5),
        (&ana, "subscriptions", "", 0),
        (&ana, "read news --all --keep", "", 0),
        (&ana, "read", "", 0),
        (&ana, "read", "", 0),
        (&ana, "read other", "", 5),
        (&ana, "undo news", "", 0),
        (&ana, "undo news", "", 7),
        (&ana, "catchup news", "", 0),
        (&ana, "catchup", "", 0),
        (&ana, "catchup nowhere", "", 3),
        (&ana, "undo", "", 0),
        (&ana, "use news", "", 2),
        (&ana, "verify news", "", 0),
        (&ana, "verify nowhere", "", 3),
        (&ana, "follow nowhere", "", 3),
        (&admin, "admin article rm news#1", "", 0),
        (&admin, "admin article rm news#99", "", 3),
        (&admin, "admin area list", "", 0),
        (&ana, "areas", "", 0),
        (&ana, "status", "", 0),
        (&ana, "status x", "", 2),
        (&ana, "unsubscribe news", "", 0),
        (&ana, "unsubscribe nowhere", "", 3),
        (&admin, "admin user add carl --password-stdin", PASSWORD, 0),
        (&admin, "admin user add carl --password-stdin", new, 7),
        (&admin, "admin user passwd carl --password-stdin", newer, 0),
        (&admin, "admin user passwd nobody --password-stdin", newer, 3),
        (&admin, "admin user role carl admin", "", 0),
        (&admin, "admin user role nobody admin", "", 3),
        (&admin, "admin user disable carl", "", 0),
        (&admin, "admin user disable nobody", "", 3),
        (&admin, "admin user list", "", 0),
        (&ana, "admin user list", "", 5),
        (&admin, "admin user enable carl", "", 0),
        (&admin, "admin user enable nobody", "", 3),
        (&admin, "admin user sessions ana", "", 0),
        (&admin, "admin user sessions nobody", "", 3),
        (&admin, "admin area rm other --confirm other", "", 0),
        (&admin, "admin area rm other --confirm other", "", 3),
        (&admin, "admin area list", "", 0),
        (&admin, "admin area restore other", "", 0),
        (&admin, "admin area restore nowhere", "", 3),
        (&admin, "admin node list", "", 0),
        (&ana, "admin node list", "", 5),
        (&admin, &drain, "", 0),
        (&admin, &resume, "", 0),
        (&admin, "admin node drain nowhere:1", "", 3),
        (&admin, "admin node resume nowhere:1", "", 3),
        (&admin, "admin agent list", "", 0),
        (&ana, "admin agent list", "", 5),
        (&admin, "admin load --span 1h", "", 0),
        (&admin, "admin load --span 1s", "", 2),
        (&admin, "admin settings list", "", 0),
        (&ana, "admin settings list", "", 5),
        (&admin, "admin settings get lease_ttl_ms", "", 0),
        (&admin, "admin settings get laese_ttl_ms", "", 3),
        (&admin, "admin settings set keep_count 1000000", "", 0),
        (&admin, "admin settings set keep_count many", "", 1),
        (&admin, "admin settings export", "", 0),
        (&ana, "admin settings export", "", 5),
        (&admin, "admin settings unset keep_count", "", 0),
        (&admin, "admin settings unset nothing", "", 3),
        (&admin, "admin settings import -", "sample_keep_s = \"1h\"\n", 0),
        (&admin, "admin settings import -", "sample_keep_s = 1.5\n", 1),
        (&admin, "admin settings status", "", 0),
        (&ana, "admin settings status", "", 5),
        (&ana, "admin settings watch", "", 5),
        (&admin, "admin audit", "", 0),
        (&ana, "admin audit", "", 5),
        (&ana, "context add work", "", 0),
        (&ana, "context add .work", "", 2),
        (&ana, "context list", "", 0),
        (&ana, "context list x", "", 2),
        (&ana, "context use work", "", 0),
        (&ana, "context use elsewhere", "", 3),
        (&ana, "context remove work", "", 7),
        (&ana, "context use default", "", 0),
        (&ana, "context remove work", "", 0),
        (&ana, "man", "", 0),
        (&ana, "man --dir /dev/null/x", "", 1),
        (&ana, "exit-codes", "", 0),
        (&ana, "exit-codes x", "", 2),
        (&ana, "environment", "", 0),
        (&ana, "environment x", "", 2),
        (&ana, "completions bash", "", 0),
        (&ana, "completions dos", "", 2),
    ];
    for (person, line, stdin, code) in script {
        forms.run(person, line, stdin, code).await;
    }
    forms.run(&ana, &format!("man --dir {}", pages.display()), "", 0).await;

    // One that goes on until it is told to end.
    let mut follow = bob.start("--json follow news");
    for _ in 0..4 {
        let stdout = follow.line().await.unwrap() + "\n";
        forms.check(&["follow", "news"], &Ran { code: Some(0), signal: None, stdout, stderr: String::new() });
    }
    follow.terminate().await;
    let mut watch = admin.start("--json admin settings watch");
    // It looks before it waits: until then a change is not one for it.
    let mut count = 1;
    let stdout = {
        let mut printed = std::pin::pin!(watch.line());
        loop {
            count += 1;
            admin.json(&format!("admin settings set keep_count {count}")).await;
            tokio::select! {
                line = &mut printed => break line.unwrap() + "\n",
                () = tokio::time::sleep(std::time::Duration::from_millis(200)) => {}
            }
        }
    };
    forms.check(
        &["admin", "settings", "watch"],
        &Ran { code: Some(0), signal: None, stdout, stderr: String::new() },
    );
    watch.terminate().await;
    assert_eq!(forms.run(&bob, "logout x", "", 2).await.code, Some(2));
    forms.run(&bob, "logout", "", 0).await;

    // Without a service: the error carries what waits.
    deployment.agent.process.kill().await;
    let waits = forms.run(&ana, "--timeout 300ms post news hello", "", 6).await;
    assert!(waits.stderr.contains("\"resume\":"), "{waits:?}");
    forms.run(&ana, "outbox", "", 0).await;
    let down = ana.run("--json status").await;
    forms.check(&["status"], &Ran { code: Some(0), ..down });
    deployment.restart_agent().await;
    forms.run(&ana, "sessions end --all", "", 0).await;

    assert_eq!(forms.unexpected, Vec::<String>::new());

    let mut definition = Cli::command().disable_help_subcommand(true);
    definition.build();
    let all: BTreeSet<String> = commands(&definition, "").into_iter().collect();
    let written: BTreeSet<String> = forms.by_command.keys().filter(|name| *name != ERROR).cloned().collect();
    assert_eq!(written, all, "a command without a form, or a form without a command");
    let at_the_prompt_only = BTreeSet::from(["use".to_owned()]);
    assert_eq!(&forms.printed | &at_the_prompt_only, all, "not run, or it printed nothing");
    assert_eq!(forms.failed, all, "never failed");
}

#[test]
fn a_form_is_exact() {
    let forms = Forms::load();
    let is_form = |command: &str, text: &str| {
        let value: Value = serde_json::from_str(text).unwrap();
        forms.schemas.validate(&value, forms.by_command[command]).is_ok()
    };
    let posted = r#"{"area":"news","seq":1,"id":"018f3f5e-0000-7000-8000-000000000001","duplicate":false}"#;
    assert!(is_form("post", posted));
    assert!(is_form("post", &format!("[{posted}]")));
    assert!(!is_form("post", &posted.replace("false", "false,\"more\":1")));
    assert!(!is_form("post", &posted.replace("018f3f5e", "x")));
    assert!(!is_form("post", &posted.replace(",\"duplicate\":false", "")));
    assert!(!is_form(ERROR, r#"{"error":{"code":"strange","message":"x"}}"#));
    assert!(!is_form(ERROR, r#"{"error":{"code":"invalid","message":"x","pending":1}}"#));
    assert!(!is_form("use", "null"));
}
