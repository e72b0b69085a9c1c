//! The files of a cluster: made so that a kill at any moment leaves either none or a whole one, and freed
//! from a server that a killed owner left running.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::find::Programs;
use super::place::{Account, DATA, Lock, make_private};
use super::server::{
    self, FAST_SHUTDOWN_WAIT_MS, IMMEDIATE_SHUTDOWN_WAIT_MS, KILL_WAIT_MS, POLL_INTERVAL_MS,
};
use super::{Error, USER};

/// initdb works here; only a finished cluster gets its real name.
const UNFINISHED: &str = "postgres.new";

/// The major version of the cluster in `data`, none when there is no cluster yet.
pub(super) fn major(data: &Path) -> Result<Option<u32>, Error> {
    let path = data.join("PG_VERSION");
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let major = text.trim().parse().map_err(|_| Error::NotACluster { data: data.to_owned() })?;
            Ok(Some(major))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let entries = std::fs::read_dir(data).map(Iterator::count);
            if matches!(entries, Ok(1..)) {
                Err(Error::NotACluster { data: data.to_owned() })
            } else {
                Ok(None)
            }
        }
        Err(source) => Err(Error::io("read", &path, source)),
    }
}

/// Makes the cluster. The caller holds the lock and has seen that there is none.
pub(super) fn create(
    directory: &Path,
    programs: &Programs,
    account: Option<&Account>,
    durable: bool,
) -> Result<(), Error> {
    remove_unfinished(directory)?;
    // A name that is used once: an initdb whose owner was just killed may write a moment longer.
    let unfinished = directory.join(format!("{UNFINISHED}.{}", uuid::Uuid::new_v4().simple()));
    make_private(&unfinished, account)?;

    // Its own death signal: an initdb without an owner is of no use to anybody.
    let mut initdb = server::command(&programs.initdb, directory, account, Signal::KILL);
    initdb.arg("--pgdata").arg(&unfinished).arg(format!("--username={USER}"));
    initdb.args(["--encoding=UTF8", "--locale=C", "--auth-local=trust", "--auth-host=reject"]);
    if !durable {
        initdb.arg("--no-sync");
    }
    let output = initdb.output().map_err(|source| Error::io("run", &programs.initdb, source))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let output_text = String::from_utf8_lossy(&said).trim().to_owned();
        remove_unfinished(directory)?;
        return Err(Error::InitFailed { status: output.status.to_string(), output: output_text });
    }

    let data = directory.join(DATA);
    std::fs::rename(&unfinished, &data).map_err(|source| Error::io("create", &data, source))?;
    if durable {
        // initdb has synced the files; the name is an entry of ours.
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|source| Error::io("sync", directory, source))?;
    }
    Ok(())
}

pub(super) fn remove_unfinished(directory: &Path) -> Result<(), Error> {
    let entries = std::fs::read_dir(directory).map_err(|source| Error::io("read", directory, source))?;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let path = entry.path();
            std::fs::remove_dir_all(&path).map_err(|source| Error::io("remove", &path, source))?;
        }
    }
    Ok(())
}

/// Removes the directory with all that is in it, once nobody uses it; stops a server that was left running
/// there.
pub fn remove(directory: &Path) -> Result<(), Error> {
    let directory = directory.canonicalize().map_err(|source| Error::io("find", directory, source))?;
    let _lock = Lock::take(&directory)?;
    stop_leftover(&directory.join(DATA))?;
    std::fs::remove_dir_all(&directory).map_err(|source| Error::io("remove", &directory, source))
}

/// What `postmaster.pid` says: the first line is the process, the eighth whether it takes connections.
pub(super) struct PidFile {
    pub pid: Option<Pid>,
    pub ready: bool,
}

pub(super) fn read_pid_file(data: &Path) -> Option<PidFile> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = text.lines().next().and_then(|line| line.trim().parse().ok()).filter(|&pid| pid > 0);
    let ready = text.lines().nth(7).is_some_and(|line| line.trim() == "ready");
    Some(PidFile { pid: pid.and_then(Pid::from_raw), ready })
}

/// Ends the server that a killed owner left running. The caller holds the lock, so nobody else has a claim to
/// it.
pub(super) fn stop_leftover(data: &Path) -> Result<(), Error> {
    let Some(PidFile { pid: Some(pid), .. }) = read_pid_file(data) else {
        return Ok(());
    };
    for (signal, wait_ms) in [
        (Signal::INT, FAST_SHUTDOWN_WAIT_MS),
        (Signal::QUIT, IMMEDIATE_SHUTDOWN_WAIT_MS),
        (Signal::KILL, KILL_WAIT_MS),
    ] {
        if !serves(pid, data) {
            break;
        }
        tracing::info!(
            pid = pid.as_raw_nonzero().get(),
            ?signal,
            "stopping a PostgreSQL that was left running"
        );
        // It may end between the look and the signal.
        let _ = kill_process(pid, signal);
        let deadline = Instant::now() + Duration::from_millis(wait_ms);
        while serves(pid, data) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(POLL_INTERVAL_MS));
        }
    }
    if serves(pid, data) {
        return Err(Error::LeftoverStays { pid: pid.as_raw_nonzero().get(), data: data.to_owned() });
    }
    // The number may belong to another process by now, and PostgreSQL would take that for a server of this
    // cluster and refuse to start. Whether old backends still hold shared memory it checks by other means.
    match std::fs::remove_file(data.join("postmaster.pid")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", &data.join("postmaster.pid"), error))
        }
        _ => Ok(()),
    }
}

/// Whether the process lives and is a server of this cluster: such a one works in the data directory.
fn serves(pid: Pid, data: &Path) -> bool {
    if matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH)) {
        return false;
    }
    let number = pid.as_raw_nonzero();
    if cfg!(target_os = "linux") {
        // A dead process that nobody has reaped has no working directory any more.
        return std::fs::read_link(format!("/proc/{number}/cwd")).is_ok_and(|cwd| cwd == data);
    }
    let output = std::process::Command::new("ps")
        .args(["-ww", "-o", "command=", "-p"])
        .arg(number.to_string())
        .output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&*data.to_string_lossy()))
}
