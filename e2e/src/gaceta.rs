//! Somebody who uses the client as a shell does: one command, one process; and what comes of it.

use crate::processes::{Process, command, event, of_release};
use crate::service::PASSWORD;
use serde_json::Value;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

/// A person with files of his own; a clone is the same person in another window.
#[derive(Clone)]
pub struct Gaceta {
    home: Arc<TempDir>,
    agents: String,
    /// Variables besides.
    variables: Vec<(String, String)>,
    /// Where the program is, if not where all are.
    programs: Option<PathBuf>,
}

/// What a command left.
#[derive(Debug)]
pub struct Ran {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Gaceta {
    /// Nobody yet.
    pub fn at(agent: SocketAddr) -> Self {
        Self::at_all(&[agent])
    }

    /// With several agents to ask.
    pub fn at_all(agents: &[impl ToString]) -> Self {
        let agents: Vec<_> = agents.iter().map(ToString::to_string).collect();
        let home = Arc::new(tempfile::tempdir().unwrap());
        Self { home, agents: agents.join(","), variables: vec![], programs: None }
    }

    /// Makes an account and logs in.
    pub async fn registered(agent: SocketAddr, name: &str) -> Self {
        Self::at(agent).register(name).await
    }

    pub async fn logged_in(agent: SocketAddr, name: &str, password: &str) -> Self {
        Self::at(agent).log_in(name, password).await
    }

    pub async fn register(self, name: &str) -> Self {
        let ran = self.run_with(&["register", name, "--password-stdin"], PASSWORD).await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        self
    }

    pub async fn log_in(self, name: &str, password: &str) -> Self {
        let ran = self.try_log_in(name, password).await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        self
    }

    /// Whatever comes of it.
    pub async fn try_log_in(&self, name: &str, password: &str) -> Ran {
        self.run_with(&["login", name, "--password-stdin"], password).await
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// The same person with the client of another release, from the directory that it is in.
    #[must_use]
    pub fn of_release(&self, programs: &Path) -> Self {
        Self { programs: Some(programs.into()), ..self.clone() }
    }

    /// `$XDG_STATE_HOME/gaceta`.
    pub fn state(&self) -> PathBuf {
        self.home.path().join("gaceta")
    }

    /// `config.toml`, whether it is there or not.
    pub fn config(&self) -> PathBuf {
        self.home.path().join("config/gaceta/config.toml")
    }

    /// How many files there are in a directory of the state: `outbox`, `drafts`.
    pub fn files(&self, directory: &str) -> usize {
        let files = std::fs::read_dir(self.state().join(directory)).into_iter().flatten().flatten();
        files.filter(|file| !file.file_name().to_string_lossy().starts_with('.')).count()
    }

    /// The token of the session, to look for where it must not be.
    pub fn token(&self) -> String {
        token_in(&self.state())
    }

    pub fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = command("gaceta");
        command.args(args).env("XDG_STATE_HOME", self.home.path()).env("GACETA_AGENTS", &self.agents);
        command.env("XDG_CONFIG_HOME", self.home.path().join("config"));
        // Nothing of the person who runs the tests.
        command.env("HOME", self.home.path()).env("XDG_CONFIG_HOME", self.home.path().join("config"));
        command.envs(self.variables.iter().cloned());
        match &self.programs {
            Some(programs) => of_release(programs, &command),
            None => command,
        }
    }

    /// Starts a command that goes on, like `follow`.
    pub fn start(&self, line: &str) -> Process {
        Process::start(line, self.command(&words(line)))
    }

    /// `line` is split at blanks.
    pub async fn run(&self, line: &str) -> Ran {
        self.run_with(&words(line), "").await
    }

    pub async fn run_with(&self, args: &[&str], stdin: &str) -> Ran {
        self.run_bytes(args, stdin.as_bytes()).await
    }

    /// Standard input need not be text.
    pub async fn run_bytes(&self, args: &[&str], stdin: &[u8]) -> Ran {
        ran(self.command(args), stdin).await
    }
    /// Runs it with `--json`: it succeeds, and prints one line on standard output and nothing else.
    pub async fn json(&self, line: &str) -> Value {
        self.json_with(&words(line), "").await
    }

    pub async fn json_with(&self, args: &[&str], stdin: &str) -> Value {
        let ran = self.run_with(&[&["--json"], args].concat(), stdin).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args:?}: {ran:?}");
        one_line(&ran.stdout)
    }

    /// Runs it with `--json`: it fails with this exit code, prints nothing, and tells one line on standard error: the
    /// `error` in it.
    pub async fn fails(&self, line: &str, code: i32) -> Value {
        self.fails_with(&words(line), "", code).await
    }

    pub async fn fails_with(&self, args: &[&str], stdin: &str, code: i32) -> Value {
        self.fails_bytes(args, stdin.as_bytes(), code).await
    }

    pub async fn fails_bytes(&self, args: &[&str], stdin: &[u8], code: i32) -> Value {
        let ran = self.run_bytes(&[&["--json"], args].concat(), stdin).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{args:?}: {ran:?}");
        let error = one_line(&ran.stderr)["error"].clone();
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{args:?}: {ran:?}");
        error
    }

    /// Every article of an area, as `(seq, body)`, which leaves the cursor alone.
    pub async fn articles(&self, area: &str) -> Vec<(i64, String)> {
        let read = self.json(&format!("read {area} --all --keep --limit 100000")).await;
        assert_eq!(read["more"], false);
        let article = |a: &Value| (a["seq"].as_i64().unwrap(), a["body"].as_str().unwrap().to_owned());
        read["articles"].as_array().unwrap().iter().map(article).collect()
    }

    /// The texts of an area in the order of their numbers, which have no hole.
    pub async fn bodies(&self, area: &str) -> Vec<String> {
        let articles = self.articles(area).await;
        let seqs: Vec<i64> = articles.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(seqs, (1..=seqs.len() as i64).collect::<Vec<_>>(), "I2: a hole, or out of order");
        articles.into_iter().map(|(_, body)| body).collect()
    }
}

/// Runs it to its end.
pub async fn ran(mut command: std::process::Command, stdin: &[u8]) -> Ran {
    let what = format!("the end of {command:?}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // Who does not read it closes it: that is no failure of the test.
    let _ = pipe.write_all(stdin).await;
    drop(pipe);
    let output = event(&what, child.wait_with_output()).await.unwrap();
    Ran {
        code: output.status.code(),
        signal: output.status.signal(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The token that a client keeps below its state directory.
pub fn token_in(state: &Path) -> String {
    let context = std::fs::read(state.join("contexts/default.json")).unwrap();
    let context: Value = serde_json::from_slice(&context).unwrap();
    context["token"].as_str().unwrap().to_owned()
}

pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn one_line(text: &str) -> Value {
    let line = text.strip_suffix('\n').unwrap_or_else(|| panic!("not a line: {text:?}"));
    assert!(!line.contains('\n'), "more than one line: {text:?}");
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

/// The form of a value: exact keys, and what they hold. Of an array, the form of its first element.
pub fn form(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(values) => format!("[{}]", values.first().map(form).unwrap_or_default()),
        Value::Object(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(key, value)| format!("{key}: {}", form(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}
