//! The prompt: the commands of the command line, one after the other, with an area to stay in.
//!
//! - `words`: a line as words; `area`: what they mean with an area in use.
//! - `lines`: the thread that reads them; `history`: what was typed before; `complete`: what Tab offers.
//! - `news`: who is logged in and what is unread; `watch` hears of more, `announce` tells it while somebody types.
//!
//! When the host is told to stop, the prompt ends at once and sets the terminal back. Ctrl-C cancels the running command,
//! Ctrl-D leaves; errors never do.

mod announce;
mod area;
mod complete;
mod history;
mod lines;
mod news;
mod watch;
mod words;

use crate::command::{Cli, Command, GlobalArgs};
use crate::context::Context;
use crate::execute::areas;
use crate::exit::Signal;
use crate::exit::{self, Failure};
use crate::guide;
use crate::outcome::Outcome;
use crate::pager;
use crate::render::{Output, PromptLine};
use crate::run::run_command;
use crate::service::outbox::{Outbox, Owner};
use crate::session::Session;
use crate::settings::{CONTEXT_DEFAULT, Settings};
use crate::stop::Stop;
use crate::terminal::Modes;
use announce::Announcer;
use anyhow::Context as _;
use complete::{Completion, Place};
use history::History;
use lines::{Lines, Read};
use news::{COUNT_WAIT, News, Who};
use rustyline::error::ReadlineError;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wire::{AreaRef, Role};

/// A command that was cancelled may take this long to leave.
const LEAVE_WAIT: Duration = Duration::from_secs(3);

type Interrupts = tokio::signal::unix::Signal;

/// Reads and runs commands until Ctrl-D, `exit`, or `shutdown`. May be awaited on any runtime of tokio, next to
/// servers; while it runs Ctrl-C belongs to it. The terminal is as it was when this returns.
pub async fn prompt(
    settings: Settings,
    greeting: &str,
    shutdown: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let _modes = Modes::of_stdin();
    // Before the first line is read: rustyline puts back the handler that it finds.
    let mut interrupts = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut prompt = Prompt::start(settings, greeting)?;
    loop {
        let line = tokio::select! {
            line = prompt.read(&mut interrupts) => line?,
            () = shutdown.cancelled() => return Ok(leave()),
        };
        let line = match line {
            Ok(line) => line,
            // Ctrl-C on a line: a new line. A signal from outside is no more than that.
            Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => continue,
            Err(ReadlineError::Eof) => {
                if Output::is_dumb() {
                    Output::on_terminal("\n"); // elsewhere the editor of lines ends its line
                }
                return Ok(ExitCode::SUCCESS);
            }
            Err(error) => return Err(error).context("cannot read the terminal"),
        };
        let Some(command) = prompt.understand(line) else { continue };
        let cli = match command {
            Typed::Exit => return Ok(ExitCode::SUCCESS),
            Typed::Command(cli) => cli,
        };
        while interrupts_waiting(&mut interrupts) {} // of the time before this command
        let stop = Stop::default();
        let command = prompt.run(*cli, &stop);
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
    if !Output::is_dumb() {
        Output::on_terminal("\x1b[?2004l\r\n");
    }
    ExitCode::from(exit::OK)
}

/// What an earlier command could not send: nobody should have to remember it.
fn waiting(settings: &Settings) -> Option<String> {
    let identity = Context::load(settings).ok()?.identity?;
    let owner = Owner { user: &identity.user, service_id: identity.service_id };
    match Outbox::new(&settings.state_dir).list(owner).ok()?.len() {
        0 => None,
        1 => Some("A post waits in the outbox: `post --resume` sends it.".into()),
        posts => Some(format!("{posts} posts wait in the outbox: `post --resume` sends them.")),
    }
}

fn interrupts_waiting(interrupts: &mut Interrupts) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    interrupts.poll_recv(&mut context).is_ready()
}

/// The task beside the prompt; it ends with it.
struct Watcher(JoinHandle<()>);

impl Watcher {
    fn start(settings: &Settings, news: &News, announcer: &Announcer) -> Self {
        Self(tokio::spawn(watch::watch(settings.clone(), news.clone(), announcer.clone())))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

enum Typed {
    Exit,
    /// Without a command: help. Whoever does not know what to type needs it.
    Command(Box<Cli>),
}

struct Prompt {
    settings: Settings,
    output: Output,
    lines: Lines,
    history: History,
    /// The line before, for the arrow keys.
    remember: Option<String>,
    news: News,
    announcer: Announcer,
    watcher: Watcher,
    /// The area in use, and who said so.
    area: Option<(AreaRef, Option<Who>)>,
    changes_context: bool,
    place: Place,
}

impl Prompt {
    fn start(settings: Settings, greeting: &str) -> anyhow::Result<Self> {
        let output = Output::standard(settings.json);
        let place = Place::new(&settings);
        let (history, typed, why_not) = History::open(&settings);
        let (lines, printer) = Lines::start(Completion::new(place.clone(), output.has_colour()), typed)?;
        let news = News::default();
        let announcer = Announcer::start(news.clone(), output.clone(), printer)?;
        let watcher = Watcher::start(&settings, &news, &announcer);
        output.greet(greeting);
        for note in why_not.into_iter().chain(waiting(&settings)) {
            output.note(&note);
        }
        Ok(Self {
            settings,
            output,
            lines,
            history,
            remember: None,
            news,
            announcer,
            watcher,
            area: None,
            changes_context: false,
            place,
        })
    }

    /// The next line that somebody types.
    async fn read(&mut self, interrupts: &mut Interrupts) -> anyhow::Result<Read> {
        if std::mem::take(&mut self.changes_context) {
            if let Err(failure) = self.settings.follow_config() {
                self.output.failure(&failure);
            }
            self.watcher = Watcher::start(&self.settings, &self.news, &self.announcer);
        }
        if self.news.refresh(&self.settings, COUNT_WAIT).await.is_err() {
            self.news.wake_watcher(); // without an answer there is no count
        }
        self.area.take_if(|(_, who)| *who != self.news.who());
        self.place.set(&self.settings, self.area.as_ref().map(|(area, _)| area.name.as_str()));
        if let Some(news) = self.announcer.take() {
            self.output.greet(&news);
        }
        let text = self.line_text();
        let mut line = self.lines.next(text.clone(), self.remember.take())?;
        self.announcer.typing_begins();
        let read = loop {
            tokio::select! {
                read = &mut line => break read.context("the prompt's thread has ended"),
                // Where lines are edited the editor hears Ctrl-C; elsewhere the kernel forgets what was typed.
                _ = interrupts.recv(), if Output::is_dumb() => Output::on_terminal(&format!("\n{text}")),
            }
        };
        self.announcer.typing_ends();
        read
    }

    fn line_text(&self) -> String {
        let who = self.news.who();
        let area = self.area.as_ref().map(|(area, _)| area);
        let context = self.settings.context.as_str();
        let line = PromptLine {
            user: who.as_ref().map(|who| who.user.as_str()),
            context: Some(context).filter(|context| *context != CONTEXT_DEFAULT),
            area: area.map(|area| area.name.as_str()),
            unread: self.news.unread(area.map(|area| area.area_id)),
        };
        self.output.prompt_line(&line)
    }

    /// `None` when there is nothing to do, or nothing was understood, which is told.
    fn understand(&mut self, line: String) -> Option<Typed> {
        let Some(words) = words::split(&line) else {
            self.output.note("A quote is not closed: write '…' or \"…\" around words with blanks.");
            self.keep(line, &[], false);
            return None;
        };
        // Who is used to the command line may write `gaceta` here as well.
        let words: Vec<String> = words.into_iter().skip_while(|word| word == "gaceta").collect();
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] | ["help"] => {
                return Some(Typed::Command(Box::new(Cli { global: GlobalArgs::default(), command: None })));
            }
            ["exit" | "quit", ..] => return Some(Typed::Exit),
            _ => {}
        }
        let area = self.area.as_ref().map(|(area, _)| area.name.as_str());
        let parsed = area::parse(words.clone(), area);
        self.keep(line, &words, parsed.is_ok());
        match parsed {
            Ok(cli) => Some(Typed::Command(Box::new(cli))),
            Err(error) => {
                self.output.usage(&error);
                None
            }
        }
    }

    /// What this person may do.
    async fn help(&self, settings: &Settings, output: &Output, stop: &Stop) {
        let role = Context::load(&self.settings).ok().and_then(|context| context.role);
        let role = self.news.who().map(|_| role.unwrap_or(Role::User));
        let areas: Vec<String> =
            self.news.places().into_iter().map(|(_, name, _)| words::quoted(&name)).collect();
        let area = areas.iter().min_by_key(|area| area.len()).map(String::as_str);
        let page = Outcome::Text(output.guide(guide::entries(role), area));
        if let Err(failure) = pager::outcome(output, settings.no_input, page, stop).await {
            output.failure(&failure);
        }
    }

    fn keep(&mut self, line: String, words: &[String], understood: bool) {
        if history::may_keep(&line, words, understood) {
            self.history.add(&line);
            self.remember = Some(line);
        }
    }

    async fn run(&mut self, cli: Cli, stop: &Stop) {
        let settings = self.settings.clone().with(&cli.global);
        let output = if settings.json { Output::standard(true) } else { self.output.clone() };
        match cli.command {
            Some(Command::Use { area }) => {
                let used = tokio::select! {
                    used = self.stay_in(area, &settings, &output) => used,
                    failure = stop.raised() => Err(failure),
                };
                if let Err(failure) = used {
                    output.failure(&failure);
                }
            }
            Some(command) => {
                self.changes_context = command.facts().changes_context;
                run_command(command, &settings, &output, stop).await;
            }
            None => self.help(&settings, &output, stop).await,
        }
    }

    /// `use AREA`, or `use` to leave it.
    async fn stay_in(
        &mut self,
        area: Option<String>,
        settings: &Settings,
        output: &Output,
    ) -> Result<(), Failure> {
        let Some(name) = area else {
            self.area = None;
            return Ok(());
        };
        let session = Session::open(settings, output)?;
        let (area, is_subscribed) = areas::find(&session, &name).await?;
        if !is_subscribed {
            output.note(&format!("You are not subscribed to {}: `subscribe` subscribes.", area.name));
        }
        self.area = Some((area, self.news.who()));
        Ok(())
    }
}
