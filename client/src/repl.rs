//! The prompt: the commands of the command line, one after the other, with completion and history.
//!
//! rustyline blocks, so it has a thread of its own that nobody waits for: when the host is told to stop, the prompt
//! ends at once and sets the terminal back. Ctrl-C cancels the running command, Ctrl-D leaves; errors never do.

use crate::command::Cli;
use crate::context::Context;
use crate::execute::areas;
use crate::exit;
use crate::files;
use crate::render::{self, Output};
use crate::run::run_command;
use crate::session::Session;
use crate::settings::Settings;
use crate::stop::{Signal, Stop};
use crate::terminal::Modes;
use anyhow::Context as _;
use clap::Parser;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Config, Editor};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

mod complete;
use complete::{AreaNames, Completion};

const HISTORY_LINES_MAX: usize = 1_000;
/// Area names for completion may be this old.
const AREA_NAMES_AGE_MAX: Duration = Duration::from_secs(30);
/// Completion is no reason to wait.
const AREA_NAMES_WAIT: Duration = Duration::from_secs(2);
/// A command that was cancelled may take this long to leave.
const LEAVE_WAIT: Duration = Duration::from_secs(3);

/// Reads and runs commands until Ctrl-D, `exit`, or `shutdown`. May be awaited on any runtime of tokio, next to
/// servers; while it runs Ctrl-C belongs to it. The terminal is as it was when this returns.
pub async fn prompt(
    mut settings: Settings,
    greeting: &str,
    shutdown: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let _modes = Modes::of_stdin();
    // Before the first line is read: rustyline puts back the handler that it finds.
    let mut interrupts = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let output = Output::standard(settings.json);
    let names = AreaNames::default();
    let lines = Lines::start(&settings, names.clone())?;
    output.greet(greeting);
    let mut names_at: Option<Instant> = None;
    let mut changes_context = false;
    loop {
        if changes_context && let Err(failure) = settings.follow_config() {
            output.failure(&failure);
        }
        let mut line = lines.next(prompt_text(&settings))?;
        let is_old = names_at.is_none_or(|at| at.elapsed() > AREA_NAMES_AGE_MAX);
        let read = tokio::select! {
            read = &mut line => read,
            () = shutdown.cancelled() => return Ok(leave()),
            () = refresh(&settings, &names), if is_old => {
                names_at = Some(Instant::now());
                tokio::select! {
                    read = &mut line => read,
                    () = shutdown.cancelled() => return Ok(leave()),
                }
            }
        };
        let line = match read.context("the prompt's thread has ended")? {
            Ok(line) => line,
            // Ctrl-C on a line: a new line. A signal from outside is no more than that.
            Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => continue,
            Err(ReadlineError::Eof) => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(error).context("cannot read the terminal"),
        };
        let Some(words) = words(&line, &output) else { continue };
        if matches!(words.first().map(String::as_str), Some("exit" | "quit")) {
            return Ok(ExitCode::SUCCESS);
        }
        while interrupts_waiting(&mut interrupts) {} // of the time before this command
        if changes_areas(&words) {
            names_at = None;
        }
        changes_context = words.first().is_some_and(|word| word == "context");
        let stop = Stop::default();
        let command = run_line(words, &settings, &output, &stop);
        tokio::pin!(command);
        loop {
            tokio::select! {
                () = &mut command => break,
                _ = interrupts.recv() => stop.raise(Signal::Interrupt),
                () = shutdown.cancelled() => {
                    stop.raise(Signal::Terminate);
                    let _ = tokio::time::timeout(LEAVE_WAIT, command).await;
                    return Ok(leave());
                }
            }
        }
    }
}

/// After SIGTERM, with a line half typed.
fn leave() -> ExitCode {
    // rustyline's thread is left in the middle of a line: end the line, and the terminal's bracketed paste with it.
    if std::env::var_os("TERM").is_some_and(|term| term != "dumb") {
        Output::on_terminal("\x1b[?2004l\r\n");
    }
    ExitCode::from(exit::OK)
}

fn interrupts_waiting(interrupts: &mut tokio::signal::unix::Signal) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    interrupts.poll_recv(&mut context).is_ready()
}

/// `None` for an empty line, and for one that cannot be split.
fn words(line: &str, output: &Output) -> Option<Vec<String>> {
    match shlex::split(line) {
        Some(words) if words.is_empty() => None,
        Some(words) => Some(words),
        None => {
            output.note("A quote is not closed: write '…' or \"…\" around words with blanks.");
            None
        }
    }
}

fn changes_areas(words: &[String]) -> bool {
    let first = words.first().map(String::as_str);
    first == Some("login") || (first == Some("admin") && words.get(1).is_some_and(|word| word == "area"))
}

async fn run_line(words: Vec<String>, settings: &Settings, output: &Output, stop: &Stop) {
    // Who is used to the command line may write `gaceta` here as well.
    let command = words.into_iter().skip_while(|word| word == "gaceta");
    let cli = match Cli::try_parse_from(std::iter::once("gaceta".to_owned()).chain(command)) {
        Ok(cli) => cli,
        Err(error) => {
            output.usage(&error);
            return;
        }
    };
    let settings = settings.clone().with(&cli.global);
    let output = if settings.json { Output::standard(true) } else { output.clone() };
    match cli.command {
        Some(command) => drop(run_command(command, &settings, &output, stop).await),
        None => output.note("`help` lists the commands."),
    }
}

/// `ana@default> `, or that nobody is logged in.
fn prompt_text(settings: &Settings) -> String {
    let identity = Context::load(settings).ok().and_then(|context| context.identity);
    let user = identity.map_or("not logged in".into(), |identity| render::line(&identity.user));
    format!("{user}@{}> ", settings.context)
}

async fn refresh(settings: &Settings, names: &AreaNames) {
    let settings = Settings { timeout: AREA_NAMES_WAIT, ..settings.clone() };
    let Ok(session) = Session::open(&settings, &Output::silent()) else { return };
    if session.token().is_some()
        && let Ok(areas) = areas::areas(&session).await
    {
        names.set(areas.into_iter().map(|area| area.name).collect());
    }
}

type Read = Result<String, ReadlineError>;

/// The thread that reads lines.
struct Lines {
    requests: mpsc::Sender<(String, oneshot::Sender<Read>)>,
}

impl Lines {
    fn start(settings: &Settings, names: AreaNames) -> anyhow::Result<Self> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(HISTORY_LINES_MAX)
            .context("no history")?
            .history_ignore_space(true)
            .auto_add_history(false)
            .build();
        let mut editor: Editor<Completion, DefaultHistory> =
            Editor::with_config(config).context("cannot use this terminal")?;
        editor.set_helper(Some(Completion::new(names)));
        let history = history_file(settings)?;
        let _ = editor.load_history(&history); // there is none the first time
        let (requests, received) = mpsc::channel::<(String, oneshot::Sender<Read>)>();
        let read = move || {
            for (prompt, answer) in received {
                let line = editor.readline(&prompt);
                if let Ok(line) = &line
                    && editor.add_history_entry(line.as_str()).unwrap_or(false)
                {
                    let _ = editor.append_history(&history); // a full disk must not end the prompt
                }
                if answer.send(line).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("prompt".into()).spawn(read).context("cannot start the prompt")?;
        Ok(Self { requests })
    }

    fn next(&self, prompt: String) -> anyhow::Result<oneshot::Receiver<Read>> {
        let (answer, line) = oneshot::channel();
        self.requests.send((prompt, answer)).context("the prompt's thread has ended")?;
        Ok(line)
    }
}

/// One for each context, for the owner only. No command carries a password, so no line does.
fn history_file(settings: &Settings) -> anyhow::Result<PathBuf> {
    let dir = settings.state_dir.join("history");
    files::private_dir(&dir)?;
    let path = dir.join(&settings.context);
    if !path.exists() {
        files::replace(&path, b"")?;
    }
    Ok(path)
}
