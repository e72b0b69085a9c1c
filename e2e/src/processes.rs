//! Real processes: started, waited for, stopped and killed, and surely gone when a test ends, however it ends.

use crate::{WATCHDOG_S, programs};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Where nothing tells that something has happened, it is looked at this often.
const LOOK_INTERVAL_MS: u64 = 10;

/// Waits until its owner is gone, however it ended, and kills the process group that it guards.
const GUARD: &str = r#"read -r _; kill -KILL "-$1" 2>/dev/null"#;

/// Each wait for an event has the whole time: a long test is not a stuck one.
pub async fn event<T>(what: &str, event: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(WATCHDOG_S), event).await {
        Ok(happened) => happened,
        Err(_) => panic!("the watchdog barked: waited in vain for {what}"),
    }
}

/// Waits until `look` finds something, where only looking tells.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    event(what, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(LOOK_INTERVAL_MS)).await;
        }
    })
    .await
}

/// One of our programs.
pub fn command(program: &str) -> std::process::Command {
    clean_command(&programs::path(program))
}

/// The same command of another release: the program of the same name in this directory.
pub fn of_release(programs: &Path, command: &std::process::Command) -> std::process::Command {
    let program = Path::new(command.get_program());
    let mut other = clean_command(&programs.join(program.file_name().unwrap()));
    other.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    other
}

/// Without anything that the environment of this test would tell it, but for what is true of the whole machine.
pub fn clean_command(program: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    let ours = ["GACETA_", "CARGO_", "XDG_", "RUST_"];
    let machine = ["GACETA_POSTGRES_BIN", "GACETA_NO_INSTALL"];
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ours.iter().any(|prefix| name.starts_with(prefix)) && !machine.contains(&&*name) {
            command.env_remove(&*name);
        }
    }
    command
}

/// A running process, in a process group of its own. Killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    pid: Pid,
    stdout: Option<UnboundedReceiver<String>>,
    log: Arc<Mutex<String>>,
    /// Its end of a pipe closes with this process, even when that is killed.
    guard: Option<std::process::Child>,
}

impl Process {
    /// With its standard output read line by line.
    pub fn start(name: &str, command: std::process::Command) -> Self {
        let mut process = Self::start_unread(name, command);
        process.read();
        process
    }

    /// Begins to read what nobody read so far.
    pub fn read(&mut self) {
        let (sender, receiver) = unbounded_channel();
        let stdout = self.child.stdout.take().unwrap();
        tokio::spawn(each_line(stdout, move |line| drop(sender.send(line))));
        self.stdout = Some(receiver);
    }

    /// With a standard output that nobody reads: it fills, and then writing to it blocks.
    pub fn start_unread(name: &str, mut command: std::process::Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = Command::from(command).kill_on_drop(true).spawn().unwrap();
        let pid = Pid::from_raw(child.id().unwrap() as i32).unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let written = log.clone();
        let stderr = child.stderr.take().unwrap();
        tokio::spawn(each_line(stderr, move |line| *written.lock().unwrap() += &(line + "\n")));
        let guard = Some(guard(pid));
        Self { name: name.into(), child, pid, stdout: None, log, guard }
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The next line of its standard output; `None` when it has closed it.
    pub async fn line(&mut self) -> Option<String> {
        let stdout = self.stdout.as_mut().unwrap();
        event(&format!("a line of {}", self.name), stdout.recv()).await
    }

    /// The same, of a process that may say nothing for as long as it likes.
    pub async fn next_line(&mut self) -> Option<String> {
        self.stdout.as_mut().unwrap().recv().await
    }

    /// A line that has come already.
    pub fn line_if_any(&mut self) -> Option<String> {
        self.stdout.as_mut().unwrap().try_recv().ok()
    }

    /// The bytes that wait in an unread standard output.
    pub fn unread_bytes(&self) -> u64 {
        rustix::io::ioctl_fionread(self.child.stdout.as_ref().unwrap()).unwrap()
    }

    /// Waits for `ready <what>=<address>`.
    pub async fn ready(&mut self, what: &str) -> SocketAddr {
        let Some(line) = self.line().await else { panic!("{} did not start:\n{}", self.name, self.log()) };
        let address = line.strip_prefix(&format!("ready {what}=")).and_then(|address| address.parse().ok());
        address.unwrap_or_else(|| panic!("not the ready line of {}: {line:?}", self.name))
    }

    /// The same of a process that may end instead: `None`.
    pub async fn ready_unless_ended(&mut self, what: &str) -> Option<SocketAddr> {
        let line = self.line().await?;
        line.strip_prefix(&format!("ready {what}="))?.parse().ok()
    }

    /// Whether it has ended, by itself or not.
    pub fn has_ended(&mut self) -> bool {
        let ended = self.child.try_wait().unwrap().is_some();
        if ended {
            self.release();
        }
        ended
    }

    /// What it wrote to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until its log has a line with `text`, and returns that line.
    pub async fn logged(&self, text: &str) -> String {
        let find = async || self.log().lines().find(|line| line.contains(text)).map(str::to_owned);
        until(&format!("{} to log {text:?}", self.name), find).await
    }

    /// Where `--http` really listens.
    pub async fn http(&self) -> SocketAddr {
        let line = self.logged("/healthz").await;
        let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
        address.unwrap().parse().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Waits for its end.
    pub async fn end(&mut self) -> ExitStatus {
        let name = self.name.clone();
        let status = event(&format!("the end of {name}"), self.child.wait()).await.unwrap();
        self.release();
        status
    }

    /// `kill -9`; it has ended when this returns.
    pub async fn kill(&mut self) {
        self.signal(Signal::KILL);
        assert_eq!(self.end().await.signal(), Some(9), "{} had ended by itself:\n{}", self.name, self.log());
    }

    /// SIGTERM; the code that it ends with.
    pub async fn terminate(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.end().await.code()
    }

    /// Its process id may be somebody else's from now on.
    fn release(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            let _ = guard.kill();
            let _ = guard.wait();
        }
    }
}

impl Drop for Process {
    #[allow(clippy::print_stderr)] // only of a test that fails
    fn drop(&mut self) {
        if self.guard.is_none() {
            return; // it has ended
        }
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.release();
        if std::thread::panicking() {
            eprintln!("--- what {} logged ---\n{}", self.name, self.log());
        }
    }
}

pub(crate) fn guard(pid: Pid) -> std::process::Child {
    let mut guard = std::process::Command::new("sh");
    guard.args(["-c", GUARD, "sh", &pid.as_raw_nonzero().to_string()]).process_group(0);
    guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

async fn each_line(stream: impl AsyncRead + Unpin, mut take: impl FnMut(String)) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        take(line);
    }
}
