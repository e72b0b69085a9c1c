//! Another pager: a program that is given the text on its standard input, without a shell in between.

use super::piece::{Going, Piece};
use crate::exit::{Failure, Kind};
use crate::render::{self, Output, Style};
use crate::terminal::Modes;
use rustix::process::{Pid, Signal, kill_process};
use std::io;
use std::process::{ExitStatus, Stdio};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// For `less` when nobody said otherwise: leave when all fits, our colours, and no screen of its own.
const LESS_DEFAULT: &str = "FRX";

pub struct External {
    output: Output,
    command: Vec<String>,
    state: State,
    /// Pieces that were written to it.
    given: usize,
    shown: usize,
}

enum State {
    /// As long as it fits the screen nothing is started.
    Waiting {
        texts: Vec<String>,
        rows: usize,
    },
    Running(Box<Running>),
    /// It cannot be started: shown as if there were none, and why is said when nothing scrolls it away.
    Plain {
        why: Option<String>,
    },
}

struct Running {
    child: Child,
    /// It may end badly, and leave the terminal as no one wants it.
    _modes: Option<Modes>,
}

/// How a pager ended.
#[derive(Debug)]
pub struct Ended {
    pub name: String,
    pub well: bool,
}

impl External {
    pub(super) fn new(output: &Output, command: Vec<String>) -> Self {
        let state = State::Waiting { texts: Vec::new(), rows: 0 };
        Self { output: output.clone(), command, state, given: 0, shown: 0 }
    }

    pub(super) fn shown(&self) -> usize {
        self.shown
    }

    pub(super) async fn show(&mut self, pieces: Vec<Piece>) -> Result<Going, Failure> {
        let style = self.style();
        for piece in pieces {
            let going = self.give(piece.text(style)).await?;
            if going == Going::Enough {
                return Ok(going);
            }
        }
        Ok(Going::On)
    }

    async fn give(&mut self, text: String) -> Result<Going, Failure> {
        match &mut self.state {
            State::Waiting { texts, rows } => {
                let (height, columns) = render::window().unwrap_or((usize::MAX, usize::MAX));
                *rows += render::rows(&text, columns).len();
                texts.push(text);
                if *rows >= height {
                    return self.start().await;
                }
            }
            State::Running(running) => {
                if !running.write(&text).await? {
                    return Ok(Going::Enough);
                }
                self.given += 1;
            }
            State::Plain { .. } => {
                self.output.write(text).await?;
                self.given += 1;
                self.shown = self.given;
            }
        }
        Ok(Going::On)
    }

    /// Starts the program and gives it what waited; or shows that, where it cannot be started.
    async fn start(&mut self) -> Result<Going, Failure> {
        let state = match self.spawn() {
            Ok(running) => State::Running(Box::new(running)),
            Err(error) => {
                let name = self.command.join(" ");
                let why = format!("The pager {name:?} cannot be started ({error}): all was shown at once.");
                State::Plain { why: Some(why) }
            }
        };
        if let State::Waiting { texts, .. } = std::mem::replace(&mut self.state, state) {
            for text in texts {
                if Box::pin(self.give(text)).await? == Going::Enough {
                    return Ok(Going::Enough);
                }
            }
        }
        Ok(Going::On)
    }

    fn spawn(&self) -> io::Result<Running> {
        let (program, args) =
            self.command.split_first().ok_or_else(|| io::Error::other("no program is named"))?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped());
        if std::env::var_os("LESS").is_none() {
            command.env("LESS", LESS_DEFAULT);
        }
        let modes = Modes::of_stdin();
        Ok(Running { child: command.spawn()?, _modes: modes })
    }

    /// Nothing more comes. Waits until the person has left the pager.
    pub(super) async fn end(&mut self) -> Result<Option<Ended>, Failure> {
        let name = self.command.first().cloned().unwrap_or_default();
        match std::mem::replace(&mut self.state, State::Plain { why: None }) {
            State::Waiting { texts, .. } => {
                for text in texts {
                    self.give(text).await?;
                }
                Ok(None)
            }
            State::Running(mut running) => {
                let well = running.ends().await?.success();
                self.shown = if well { self.given } else { 0 };
                Ok(Some(Ended { name, well }))
            }
            State::Plain { why } => {
                if let Some(why) = why {
                    self.output.note(&why);
                }
                Ok(None)
            }
        }
    }

    /// Our colours only for who takes them.
    fn style(&self) -> Style {
        let style = self.output.style();
        let less = self.command.first().is_some_and(|program| program.ends_with("less"));
        let raw = |options: &str| options.contains(['R', 'r']);
        let takes = std::env::var("LESS").map_or(true, |options| raw(&options))
            || self.command.iter().skip(1).any(|option| raw(option));
        Style { colour: style.colour && less && takes, ..style }
    }
}

impl Running {
    /// Whether it still reads.
    async fn write(&mut self, text: &str) -> Result<bool, Failure> {
        let Some(stdin) = &mut self.child.stdin else { return Ok(false) };
        match stdin.write_all(text.as_bytes()).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::new(Kind::Local, format!("cannot write to the pager: {error}"))),
        }
    }

    async fn ends(&mut self) -> Result<ExitStatus, Failure> {
        drop(self.child.stdin.take()); // the end of the text
        let waited = self.child.wait().await;
        waited.map_err(|error| Failure::new(Kind::Local, format!("the pager is lost: {error}")))
    }
}

impl Drop for Running {
    /// Of a command that was told to stop. A pager that is told so leaves the terminal in order.
    fn drop(&mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(pid as i32)) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}
