//! Somebody at a terminal: a pseudo-terminal of the kernel, what a program shows on it, and what is typed.

use crate::processes::{event, guard};
use pty_process::{OwnedWritePty, Size};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::process::ExitStatus;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

/// Wide enough that no line of ours wraps.
const SIZE: (u16, u16) = (50, 400);
pub const CTRL_C: &str = "\x03";
pub const CTRL_D: &str = "\x04";

pub struct Terminal {
    child: Child,
    pid: Pid,
    keys: Option<OwnedWritePty>,
    screen: JoinHandle<()>,
    output: UnboundedReceiver<String>,
    /// Everything that was shown, without the codes that steer a terminal.
    shown: String,
    /// How much of it was waited for already.
    seen: usize,
    guard: Option<std::process::Child>,
}

impl Terminal {
    /// Runs a program on a terminal of its own, as the leader of a session of its own.
    pub fn start(command: &std::process::Command) -> Self {
        let (pty, slave) = pty_process::open().unwrap();
        pty.resize(Size::new(SIZE.0, SIZE.1)).unwrap();
        let mut run = pty_process::Command::new(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            run = match value {
                Some(value) => run.env(name, value),
                None => run.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            run = run.current_dir(directory);
        }
        let run = run.env("TERM", "xterm").env_remove("NO_COLOR").kill_on_drop(true);
        let child = run.spawn(slave).unwrap();
        let pid = Pid::from_raw(child.id().unwrap() as i32).unwrap();
        let (mut shown, keys) = pty.into_split();
        let (sender, output) = unbounded_channel();
        let screen = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            // The end is an error here: the other side is closed.
            while let Ok(bytes @ 1..) = shown.read(&mut buffer).await {
                let _ = sender.send(String::from_utf8_lossy(&buffer[..bytes]).into_owned());
            }
        });
        let keys = Some(keys);
        Self { child, pid, keys, screen, output, shown: String::new(), seen: 0, guard: Some(guard(pid)) }
    }

    /// The window is closed: the kernel tells the program, and whatever it writes from now on is an error.
    pub async fn hang_up(&mut self) {
        self.screen.abort();
        let _ = (&mut self.screen).await;
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
            let plain = plain(&self.shown);
            if let Some(at) = plain[self.seen..].find(text) {
                let from = self.seen;
                self.seen += at + text.len();
                return plain[from..self.seen].to_owned();
            }
            let more =
                tokio::time::timeout(std::time::Duration::from_secs(crate::WATCHDOG_S), self.output.recv());
            match more.await {
                Ok(Some(more)) => self.shown += &more,
                Ok(None) => panic!("the program ended without showing {text:?}:\n{plain}"),
                Err(_) => panic!("the watchdog barked: {text:?} is not shown:\n{plain}"),
            }
        }
    }

    /// Everything that was shown, to the end of the program.
    pub async fn ends(&mut self) -> (ExitStatus, String) {
        let status = event("the end of the program", self.child.wait()).await.unwrap();
        self.release();
        while let Some(more) = event("the end of the output", self.output.recv()).await {
            self.shown += &more;
        }
        (status, plain(&self.shown))
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

/// Without escape sequences and carriage returns.
fn plain(text: &str) -> String {
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
