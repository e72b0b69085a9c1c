//! Somebody at a terminal: a pseudo-terminal of the kernel, what a program shows on it, and what is typed.

use crate::processes::{event, guard};
use crate::screen::{Model, Screen};
use pty_process::{OwnedWritePty, Size};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::process::ExitStatus;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

/// Rows and columns: so wide that no line of ours wraps.
const SIZE: (u16, u16) = (50, 400);
/// What the environment of this test must not decide. A command may say otherwise.
const ENVIRONMENT: [(&str, Option<&str>); 8] = [
    ("TERM", Some("xterm")),
    ("LC_ALL", Some("C.UTF-8")),
    ("TZ", Some("UTC")),
    ("NO_COLOR", None),
    ("PAGER", None),
    ("LESS", None),
    ("EDITOR", None),
    ("VISUAL", None),
];
pub const CTRL_C: &str = "\x03";
pub const CTRL_D: &str = "\x04";

pub struct Terminal {
    child: Child,
    pid: Pid,
    keys: Option<OwnedWritePty>,
    reader: JoinHandle<()>,
    output: UnboundedReceiver<Vec<u8>>,
    /// Everything that was written, with the codes that steer a terminal.
    written: Vec<u8>,
    /// What all of that makes of a screen.
    model: Model,
    /// How much of it was waited for already.
    seen: usize,
    guard: Option<std::process::Child>,
}

impl Terminal {
    /// Runs a program on a terminal of its own, as the leader of a session of its own.
    pub fn start(command: &std::process::Command) -> Self {
        Self::start_sized(command, SIZE.0, SIZE.1)
    }

    /// The same on one of this size.
    pub fn start_sized(command: &std::process::Command, rows: u16, columns: u16) -> Self {
        let (pty, slave) = pty_process::open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let mut run = pty_process::Command::new(command.get_program()).args(command.get_args());
        for (name, value) in ENVIRONMENT {
            run = match value {
                Some(value) => run.env(name, value),
                None => run.env_remove(name),
            };
        }
        for (name, value) in command.get_envs() {
            run = match value {
                Some(value) => run.env(name, value),
                None => run.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            run = run.current_dir(directory);
        }
        let child = run.kill_on_drop(true).spawn(slave).unwrap();
        let pid = Pid::from_raw(child.id().unwrap() as i32).unwrap();
        let (mut written, keys) = pty.into_split();
        let (sender, output) = unbounded_channel();
        let reader = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            // The end is an error here: the other side is closed.
            while let Ok(bytes @ 1..) = written.read(&mut buffer).await {
                let _ = sender.send(buffer[..bytes].to_vec());
            }
        });
        let guard = Some(guard(pid));
        let model = Model::new(rows, columns);
        Self { child, pid, keys: Some(keys), reader, output, written: vec![], model, seen: 0, guard }
    }

    /// The window gets another size: the kernel tells the program.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        self.keys.as_ref().unwrap().resize(Size::new(rows, columns)).unwrap();
        self.model.resize(rows, columns);
    }

    /// The window is closed: the kernel tells the program, and whatever it writes from now on is an error.
    pub async fn hang_up(&mut self) {
        self.reader.abort();
        let _ = (&mut self.reader).await;
        self.keys = None;
    }

    pub async fn type_keys(&mut self, keys: &str) {
        let written = self.keys.as_mut().unwrap().write_all(keys.as_bytes());
        event("the terminal to take keys", written).await.unwrap();
    }

    pub async fn type_line(&mut self, line: &str) {
        self.type_keys(&format!("{line}\r")).await;
    }

    /// Waits until this is shown, after what was waited for before. Returns everything in between, and it.
    pub async fn shows(&mut self, text: &str) -> String {
        loop {
            let plain = plain(&self.written);
            if let Some(at) = plain[self.seen..].find(text) {
                let from = self.seen;
                self.seen += at + text.len();
                return plain[from..self.seen].to_owned();
            }
            self.more(&format!("{text:?}")).await;
        }
    }

    /// Waits for a new prompt with this line: it stands at the beginning of a row, and not where a row is drawn again. On
    /// a busy machine it may come without its count at first: then another one is asked for.
    pub async fn prompts(&mut self, line: &str) {
        loop {
            let plain = format!("\n{}", plain(&self.written)); // so `seen` is one less here
            let new = &plain[self.seen + usize::from(self.seen > 0)..];
            if let Some(at) = new.find(&format!("\n{line}")) {
                self.seen = plain.len() - new.len() + at + line.len();
                return;
            }
            let last = new.rsplit_once('\n').map(|(_, last)| last);
            if last.is_some_and(|last| last.ends_with("> ") && last.matches("> ").count() == 1) {
                self.seen = plain.len() - 1;
                self.type_line("").await;
            }
            self.more(&format!("the prompt {line:?}")).await;
        }
    }

    /// Waits until the screen is as wanted: what a person sees now, wherever and whenever it was written.
    pub async fn shows_screen(&mut self, what: &str, wanted: impl Fn(&Screen) -> bool) -> Screen {
        loop {
            let screen = self.model.screen();
            if wanted(&screen) {
                return screen;
            }
            self.more(&format!("a screen with {what}")).await;
        }
    }

    /// The screen as soon as it is as wanted; else what it is when nothing was written for this long, or the program has ended.
    /// For recording: a test waits for what it wants to see.
    pub async fn settles(&mut self, quiet: Duration, wanted: impl Fn(&Screen) -> bool) -> Screen {
        loop {
            let screen = self.model.screen();
            if wanted(&screen) {
                return screen;
            }
            match tokio::time::timeout(quiet, self.output.recv()).await {
                Ok(Some(more)) => self.take(&more),
                _ => return screen,
            }
        }
    }

    /// The screen as far as it was waited for: what comes later is not on it.
    pub fn screen(&self) -> Screen {
        self.model.screen()
    }

    /// Every byte so far, as far as it was waited for.
    pub fn written(&self) -> &[u8] {
        &self.written
    }

    async fn more(&mut self, wanted: &str) {
        let wait = Duration::from_secs(crate::WATCHDOG_S);
        match tokio::time::timeout(wait, self.output.recv()).await {
            Ok(Some(more)) => self.take(&more),
            Ok(None) => panic!("the program ended without {wanted}:\n{}", self.model.screen()),
            Err(_) => panic!("the watchdog barked: waited in vain for {wanted}:\n{}", self.model.screen()),
        }
    }

    fn take(&mut self, more: &[u8]) {
        self.written.extend(more);
        self.model.write(more);
    }

    /// Everything that was shown, to the end of the program.
    pub async fn ends(&mut self) -> (ExitStatus, String) {
        let status = event("the end of the program", self.child.wait()).await.unwrap();
        self.release();
        while let Some(more) = event("the end of the output", self.output.recv()).await {
            self.take(&more);
        }
        (status, plain(&self.written))
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    fn release(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            let _ = guard.kill();
            let _ = guard.wait();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.guard.is_some() {
            let _ = kill_process_group(self.pid, Signal::KILL);
            self.release();
        }
    }
}

/// Without escape sequences and carriage returns, nor a character of which not all bytes are there yet.
fn plain(written: &[u8]) -> String {
    let text = match std::str::from_utf8(written) {
        Err(error) if error.error_len().is_none() => &written[..error.valid_up_to()],
        _ => written,
    };
    let text = String::from_utf8_lossy(text);
    let mut plain = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {}
            '\x1b' if chars.peek() == Some(&'[') => {
                chars.next();
                while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            '\x1b' => drop(chars.next()),
            c => plain.push(c),
        }
    }
    plain
}
