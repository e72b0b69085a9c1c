//! Where things are shown, and how: standard output and error of this process, and the terminal behind them.

use super::prompt::{self, Announcement, PromptLine};
use super::style::Style;
use super::{guide, json, layout, sanitise, text};
use crate::child::detached;
use crate::exit::{Failure, Kind, Signal};
use crate::guide::Entry;
use crate::outcome::Outcome;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Where a terminal does not say how wide it is.
const COLUMNS_DEFAULT: usize = 80;
/// To the beginning of the line, and the rest of it away.
const CLEAR_LINE: &str = "\r\x1b[K";

/// How to show things, and where.
#[derive(Clone)]
pub struct Output {
    pub(super) style: Style,
    stdout: Sink,
    stderr: Sink,
    /// A line of `Progress` stands where the next one will be written.
    progress: Arc<AtomicBool>,
}

type Sink = Arc<Mutex<dyn Write + Send>>;

impl Output {
    /// This process's standard output and error.
    pub fn standard(json: bool) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal().then(|| window().map_or(COLUMNS_DEFAULT, |(_, columns)| columns));
        let plain = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let style = Style {
            json,
            terminal,
            colour: terminal.is_some() && !json && !Self::is_dumb() && !plain("NO_COLOR"),
            unicode: !Self::is_dumb() && locale_is_utf8(),
            stderr_terminal: io::stderr().is_terminal(),
        };
        Self::to(style, Arc::new(Mutex::new(io::stdout())), Arc::new(Mutex::new(io::stderr())))
    }

    /// A terminal that shows text and nothing else: no codes to steer it.
    pub fn is_dumb() -> bool {
        std::env::var_os("TERM").is_none_or(|term| term == "dumb")
    }

    /// Whether a dim word can be told from others.
    pub fn has_colour(&self) -> bool {
        self.style.colour
    }

    /// What stands before a line that is being typed.
    pub fn prompt_line(&self, line: &PromptLine<'_>) -> String {
        line.text(self.style)
    }

    /// The page of `help` at the prompt; `area` stands in its examples.
    pub fn guide<'a>(&self, entries: impl Iterator<Item = &'a Entry>, area: Option<&str>) -> String {
        guide::page(entries, area, self.style)
    }

    /// News for somebody who types: a line for each of `news`, and one for all of `more` and what else was `left_out`.
    pub fn announcements(&self, news: &[Announcement], more: &[Announcement], left_out: usize) -> String {
        let columns = window().map_or(COLUMNS_DEFAULT, |(_, columns)| columns);
        prompt::announcements(news, more, left_out, columns, self.style)
    }

    /// Says nothing to anybody.
    pub fn silent() -> Self {
        Self::to(Style::default(), Arc::new(Mutex::new(io::sink())), Arc::new(Mutex::new(io::sink())))
    }

    pub fn to(style: Style, stdout: Sink, stderr: Sink) -> Self {
        Self { style, stdout, stderr, progress: Arc::default() }
    }

    /// Whether the pages of one reading come out as one object.
    pub fn merges_pages(&self) -> bool {
        self.style.json
    }

    /// How things are shown now: a window may have got another size.
    pub fn style(&self) -> Style {
        let columns = self.style.terminal.map(|columns| window().map_or(columns, |(_, columns)| columns));
        Style { terminal: columns, ..self.style }
    }

    /// Whether somebody sits at it who can press keys.
    pub fn has_person(&self) -> bool {
        self.style.terminal.is_some() && !self.style.json && io::stdin().is_terminal()
    }

    /// The data as text for people.
    pub fn text(&self, outcome: &Outcome) -> String {
        text::outcome(outcome, self.style()).data
    }

    /// Writes and flushes; when it returns, whoever reads standard output has it. On a thread of its own, because a
    /// pipe that nobody reads must not keep Ctrl-C from being heard.
    pub async fn show(&self, outcome: Outcome) -> Result<(), Failure> {
        let style = self.style();
        let shown = if style.json { json::outcome(&outcome) } else { text::outcome(&outcome, style) };
        for note in shown.notes {
            self.note(&note);
        }
        if shown.data.is_empty() {
            return Ok(());
        }
        self.write(shown.data).await
    }

    /// What was made harmless already, to standard output.
    pub async fn write(&self, text: String) -> Result<(), Failure> {
        self.clear_progress(); // both may be the same screen
        let stdout = self.stdout.clone();
        let written = detached(move || {
            let mut stdout = stdout.lock().unwrap_or_else(PoisonError::into_inner);
            stdout.write_all(text.as_bytes())?;
            stdout.flush()
        });
        written.await.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::new(Kind::OutputClosed, "nobody reads the output"),
            _ => Failure::new(Kind::Local, format!("cannot write the output: {error}")),
        })
    }

    /// A word to the person beside the data; never in the way of a program that reads JSON.
    pub fn note(&self, note: &str) {
        if !self.style.json {
            self.to_stderr(&format!("{}\n", self.filled(&sanitise::line(note))));
        }
    }

    /// Why nothing happens; only where somebody waits.
    pub fn waiting(&self, what: &str) {
        if self.style.stderr_terminal {
            self.note(&format!("… {what}"));
        }
    }

    pub fn failure(&self, failure: &Failure) {
        if failure.kind == Kind::OutputClosed {
            return;
        }
        if failure.kind == Kind::Interrupted(Signal::Interrupt)
            && self.style.stderr_terminal
            && !self.style.json
        {
            // The terminal has written ^C, and whatever comes next is to begin a line.
            self.to_stderr(if Self::is_dumb() { "\n" } else { CLEAR_LINE });
        }
        let text = match (self.style.json, failure.kind) {
            (true, _) => json::failure(failure),
            // Whoever pressed Ctrl-C knows; only what waits because of it is news.
            (false, Kind::Interrupted(_)) if failure.pending.is_none() && failure.draft.is_none() => return,
            (false, _) => {
                let text = text::failure(failure);
                // What comes after the message is there to be copied: never in two lines.
                text.split_once('\n')
                    .map_or(text.clone(), |(message, more)| self.filled(message) + "\n" + more)
            }
        };
        self.to_stderr(&text);
    }

    /// What clap has to say: help and versions are data, mistakes are not.
    pub fn usage(&self, error: &clap::Error) -> u8 {
        let message = error.render().to_string();
        if error.use_stderr() && self.style.json {
            self.failure(&Failure::usage(message.trim_start_matches("error: ").trim_end()));
        } else if error.use_stderr() && message != sanitise::block(&message) {
            // It repeats what was given, which may come from anywhere.
            self.to_stderr(&sanitise::block(&message));
        } else {
            let _ = error.print(); // to whichever stream fits, in colours if it may
        }
        u8::try_from(error.exit_code()).unwrap_or(crate::exit::ERROR)
    }

    /// For the prompt itself: a greeting, and news.
    pub fn greet(&self, greeting: &str) {
        if !greeting.is_empty() {
            self.to_stderr(&format!("{}\n", greeting.trim_end()));
        }
    }

    /// A question to a person, on the terminal that they look at even when standard error goes elsewhere.
    pub fn on_terminal(text: &str) {
        match std::fs::File::options().write(true).open("/dev/tty") {
            Ok(mut tty) => drop(tty.write_all(text.as_bytes())),
            Err(_) => drop(io::stderr().write_all(text.as_bytes())), // `eprint!` would panic when that is gone too
        }
    }

    /// A sentence for a person, broken between its words.
    fn filled(&self, line: &str) -> String {
        match rustix::termios::tcgetwinsize(io::stderr()) {
            Ok(size) if self.style.stderr_terminal && size.ws_col > 0 => {
                layout::filled(line, size.ws_col.into())
            }
            _ => line.to_owned(),
        }
    }

    fn to_stderr(&self, text: &str) {
        self.clear_progress();
        self.write_stderr(text);
    }

    /// In place of the line that stands there, or as a line of its own.
    pub(super) fn write_progress(&self, line: &str, rewrites: bool) {
        let line = sanitise::line(line);
        if rewrites {
            let columns = window().map_or(COLUMNS_DEFAULT, |(_, columns)| columns);
            let line = layout::cut(&line, columns.saturating_sub(1), self.style);
            self.write_stderr(&format!("{CLEAR_LINE}{line}"));
            self.progress.store(true, Ordering::Relaxed);
        } else {
            self.write_stderr(&format!("{line}\n"));
        }
    }

    pub(super) fn clear_progress(&self) {
        if self.progress.swap(false, Ordering::Relaxed) {
            self.write_stderr(CLEAR_LINE);
        }
    }

    fn write_stderr(&self, text: &str) {
        let mut stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}

/// As POSIX has it: the first of these that says anything.
fn locale_is_utf8() -> bool {
    let variables = ["LC_ALL", "LC_CTYPE", "LANG"].map(|name| std::env::var(name).unwrap_or_default());
    let locale = variables.iter().find(|value| !value.is_empty()).map(|value| value.to_lowercase());
    locale.is_some_and(|locale| locale.contains("utf-8") || locale.contains("utf8"))
}

/// Rows and columns of the terminal that standard output is.
pub fn window() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then(|| (size.ws_row.into(), size.ws_col.into()))
}
