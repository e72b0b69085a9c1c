//! The PostgreSQL process itself: how it is started, when it is ready, how it ends.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::find::Programs;
use super::place::{Account, DATA, PORT};
use super::{Error, cluster};

/// How often the state of the server is looked at while it starts or stops: a start takes 30 to 80 ms.
pub(super) const POLL_INTERVAL_MS: u64 = 5;

/// Recovery after a crash replays what was written since the last checkpoint, at most five minutes' worth.
const START_WAIT_MS: u64 = 60_000;

/// A fast shutdown ends all sessions and writes a checkpoint.
pub(super) const FAST_SHUTDOWN_WAIT_MS: u64 = 20_000;

/// An immediate one writes nothing; PostgreSQL itself kills what has not ended after 5 s.
pub(super) const IMMEDIATE_SHUTDOWN_WAIT_MS: u64 = 7_000;

/// A killed process ends as soon as the kernel gets to it.
pub(super) const KILL_WAIT_MS: u64 = 5_000;

/// A log beyond this becomes `postgres.log.old` at the next start: two of them is the most that stays.
const LOG_MAX_BYTES: u64 = 10 * 1024 * 1024;

/// What an error shows of the log: a screen at most.
const LOG_TAIL_MAX_BYTES: u64 = 4096;

/// How to end a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Ends sessions, writes a checkpoint: the next start has nothing to recover.
    Fast,
    /// Like a crash, but told to all its processes: the next start recovers.
    Immediate,
    /// `kill -9` of the postmaster.
    Kill,
}

impl Shutdown {
    /// The way to end when nothing else was asked for: data that is thrown away needs no checkpoint.
    pub(super) fn for_good(durable: bool) -> Shutdown {
        if durable { Shutdown::Fast } else { Shutdown::Immediate }
    }

    fn signal(self) -> Signal {
        match self {
            Shutdown::Fast => Signal::INT,
            Shutdown::Immediate => Signal::QUIT,
            Shutdown::Kill => Signal::KILL,
        }
    }

    fn wait_ms(self) -> u64 {
        match self {
            Shutdown::Fast => FAST_SHUTDOWN_WAIT_MS,
            Shutdown::Immediate => IMMEDIATE_SHUTDOWN_WAIT_MS,
            Shutdown::Kill => KILL_WAIT_MS,
        }
    }
}

/// Everything that a start needs, settled once.
pub(super) struct Recipe {
    pub directory: PathBuf,
    pub sockets: PathBuf,
    pub programs: Programs,
    pub account: Option<Account>,
    pub durable: bool,
    pub max_connections: u16,
}

/// A PostgreSQL program as the right account, in a process group of its own, so that Ctrl-C on the terminal
/// does not reach it, ending with `death_signal` when we die.
pub(super) fn command(
    program: &Path,
    directory: &Path,
    account: Option<&Account>,
    death_signal: Signal,
) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).stdin(Stdio::null()).process_group(0).env("LC_ALL", "C");
    // PGDATA, PGOPTIONS and the like are meant for somebody else's cluster.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
        command.env_remove(name);
    }
    if let Some(account) = account {
        // As root, `uid` also clears the supplementary groups.
        command.uid(account.uid).gid(account.gid);
    }
    die_with_owner(&mut command, death_signal);
    command
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn die_with_owner(command: &mut Command, signal: Signal) {
    let owner = rustix::process::getpid();
    let ask = move || {
        rustix::process::set_parent_process_death_signal(Some(signal))?;
        // We may have died before that was in force.
        match rustix::process::getppid() {
            Some(parent) if parent == owner => Ok(()),
            _ => Err(rustix::io::Errno::SRCH.into()),
        }
    };
    // SAFETY: between fork and exec only async-signal-safe things may happen. The closure makes two system
    // calls; it takes no lock and allocates nothing. It runs after the account has changed, which would clear
    // the signal.
    unsafe { command.pre_exec(ask) };
}

/// Elsewhere the next start stops what was left.
#[cfg(not(target_os = "linux"))]
fn die_with_owner(_command: &mut Command, _signal: Signal) {}

/// Starts the server and returns when it takes connections.
pub(super) fn start(recipe: &Recipe) -> Result<Child, Error> {
    let deadline = Instant::now() + Duration::from_millis(START_WAIT_MS);
    loop {
        match start_once(recipe, deadline) {
            // The sessions of a killed server end a moment after it, and PostgreSQL rightly waits for the
            // last one.
            Err(Error::StartFailed { output, .. })
                if output.contains("is still in use") && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(POLL_INTERVAL_MS));
            }
            done => return done,
        }
    }
}

fn start_once(recipe: &Recipe, deadline: Instant) -> Result<Child, Error> {
    let log_path = recipe.directory.join("postgres.log");
    let failed = |source| Error::io("write", &log_path, source);
    if log_path.metadata().is_ok_and(|metadata| metadata.len() > LOG_MAX_BYTES) {
        std::fs::rename(&log_path, log_path.with_extension("log.old")).map_err(failed)?;
    }
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&log_path).map_err(failed)?;
    let log_start = log.metadata().map_err(failed)?.len();

    let data = recipe.directory.join(DATA);
    let death_signal = Shutdown::for_good(recipe.durable).signal();
    let mut command =
        command(&recipe.programs.postgres, &recipe.directory, recipe.account.as_ref(), death_signal);
    command.arg("-D").arg(&data);
    for setting in settings(recipe) {
        command.args(["-c", &setting]);
    }
    command.stdout(log.try_clone().map_err(failed)?).stderr(log);
    let mut child = command.spawn().map_err(|source| Error::io("run", &recipe.programs.postgres, source))?;

    let ours = pid_of(&child);
    loop {
        if let Some(status) = child.try_wait().map_err(|source| Error::io("wait for", &data, source))? {
            let output = tail(&log_path, log_start);
            return Err(Error::StartFailed { status: status.to_string(), log: log_path, output });
        }
        if cluster::read_pid_file(&data).is_some_and(|file| file.ready && file.pid == ours) {
            return Ok(child);
        }
        if Instant::now() >= deadline {
            stop(child, Shutdown::Fast);
            let output = tail(&log_path, log_start);
            return Err(Error::StartTooSlow { wait_ms: START_WAIT_MS, log: log_path, output });
        }
        std::thread::sleep(Duration::from_millis(POLL_INTERVAL_MS));
    }
}

/// On the command line, where they win over what somebody wrote into postgresql.conf.
fn settings(recipe: &Recipe) -> Vec<String> {
    let safety = if recipe.durable { "on" } else { "off" };
    vec![
        format!("unix_socket_directories={}", recipe.sockets.display()),
        "unix_socket_permissions=0700".into(),
        "listen_addresses=".into(),
        format!("port={PORT}"),
        format!("max_connections={}", recipe.max_connections),
        format!("fsync={safety}"),
        format!("full_page_writes={safety}"),
        // On in throw-away clusters too: tests kill PostgreSQL and count what it had acknowledged. Without
        // fsync it costs nothing.
        "synchronous_commit=on".into(),
        "logging_collector=off".into(),
        "log_destination=stderr".into(),
        "log_checkpoints=off".into(),
    ]
}

/// Ends the server, by harder means when the asked ones take too long.
pub(super) fn stop(mut child: Child, how: Shutdown) {
    let pid = pid_of(&child);
    let steps = [Shutdown::Fast, Shutdown::Immediate, Shutdown::Kill];
    for step in steps.into_iter().skip_while(|&step| step != how) {
        if let Some(pid) = pid {
            // It may have ended by itself already; it is not reaped yet, so that the number is still its own.
            let _ = kill_process(pid, step.signal());
        }
        if ended_within(&mut child, step.wait_ms()).is_some() {
            return;
        }
        tracing::warn!(?step, "the private PostgreSQL did not end in time");
    }
}

fn ended_within(child: &mut Child, wait_ms: u64) -> Option<ExitStatus> {
    let deadline = Instant::now() + Duration::from_millis(wait_ms);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            _ if Instant::now() >= deadline => return None,
            _ => std::thread::sleep(Duration::from_millis(POLL_INTERVAL_MS)),
        }
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// The end of what this start has logged.
fn tail(path: &Path, start: u64) -> String {
    let read = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(start.max(length.saturating_sub(LOG_TAIL_MAX_BYTES))))?;
        let mut bytes = Vec::new();
        file.take(LOG_TAIL_MAX_BYTES).read_to_end(&mut bytes)?;
        std::io::Result::Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    };
    read().unwrap_or_else(|error| format!("({error})"))
}
