//! Installs the distribution's PostgreSQL programs, and nothing that runs: with which program, as whom, and the run
//! itself. Whether it may be done, and that it is done once, `provide` sees to.

use std::ffi::OsString;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::Error;
use super::error::Obstacle;

/// 60 MB over a slow line, and unpacking them on a slow disk, take minutes.
const INSTALL_WAIT_S: u64 = 900;

/// `sudo -n true` takes milliseconds; one that asks a directory service takes a second.
const SUDO_WAIT_S: u64 = 10;

/// How often a child is asked whether it has ended.
const LOOK_INTERVAL_MS: u64 = 50;

/// So much of what the installer wrote stands in the error: apt says why in its last lines.
const TAIL_LINES: usize = 10;

/// These lines fit into it, as a rule.
const TAIL_BYTES_MAX: u64 = 4096;

/// Debian's package would make a cluster "main" and start it. postgresql-common reads this drop-in before it
/// does; it is there only while the package is installed, so that the administrator's own configuration stays
/// as it was. Nothing asks a question, and a network that swallows everything ends each attempt after 30 s.
const APT: &str = r#"
d=/etc/postgresql-common/createcluster.d
trap 'rm -f $d/zz-gaceta.conf; rmdir $d ${d%/*} 2>/dev/null' EXIT
trap 'exit 130' INT TERM HUP
apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=30 -o Dpkg::Options::=--force-confold \
    -o Acquire::Retries=1 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 "$@"
}
mkdir -p $d && echo create_main_cluster=false > $d/zz-gaceta.conf || exit
apt update && apt install -y --no-install-recommends postgresql
"#;

struct Installer {
    program: &'static str,
    /// For `sh -c`.
    script: &'static str,
    /// What a person types, and is shown.
    line: &'static str,
}

/// The first that is on `PATH` is taken. None of them makes or starts a cluster by itself, but for Debian's, which is
/// kept from it.
const INSTALLERS: &[Installer] = &[
    Installer { program: "apt-get", script: APT, line: "apt-get install postgresql" },
    same("dnf", "dnf install -y postgresql-server"),
    same("apk", "apk add postgresql"),
    same("pacman", "pacman -S --needed --noconfirm postgresql"),
    same("zypper", "zypper --non-interactive install postgresql-server"),
    same("brew", "brew install postgresql@17"),
];

const fn same(program: &'static str, line: &'static str) -> Installer {
    Installer { program, script: line, line }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    /// Whoever we are: root, or with Homebrew an ordinary user.
    Us,
    /// Root, by a sudo that asks nothing.
    Sudo,
    /// Root, by a sudo that may ask the person at this terminal for a password.
    SudoThatAsks,
}

/// How the programs are installed here.
pub(super) struct Way {
    installer: &'static Installer,
    run_as: As,
    path: OsString,
}

/// How it is done on a machine with this `PATH`, or what is in the way.
pub(super) fn way(path: &OsString, root: bool, may_ask: bool) -> Result<Way, Obstacle> {
    let installer = installer(path).ok_or(Obstacle::NoInstaller)?;
    let run_as = match (installer.program, root) {
        ("brew", true) => return Err(Obstacle::HomebrewAsRoot),
        ("brew", false) | (_, true) => As::Us,
        _ if !on_path(path, "sudo") => return Err(Obstacle::NoSudo),
        _ if may_ask => As::SudoThatAsks,
        _ if sudo_asks(path) => return Err(Obstacle::SudoAsks),
        _ => As::Sudo,
    };
    Ok(Way { installer, run_as, path: path.clone() })
}

/// The line with which a person installs the programs on a machine with this `PATH`.
pub(super) fn line(path: &OsString, root: bool) -> Option<String> {
    let installer = installer(path)?;
    let sudo = if root || installer.program == "brew" || !on_path(path, "sudo") { "" } else { "sudo " };
    Some(format!("{sudo}{}", installer.line))
}

impl Way {
    /// The line that a person would type for it.
    pub fn line(&self) -> String {
        let sudo = if self.run_as == As::Us { "" } else { "sudo " };
        format!("{sudo}{}", self.installer.line)
    }

    pub fn is_apt(&self) -> bool {
        self.installer.program == "apt-get"
    }

    /// Runs it to its end. What it says goes to the file `log`, whose last lines an error quotes. One that takes too long
    /// is left alone: to kill a package manager half way is worse than anything that it may still do.
    pub fn run(&self, log: &Path) -> Result<(), Error> {
        let said = std::fs::File::create(log).map_err(|cause| Error::io("write", log, cause))?;
        let also = said.try_clone().map_err(|cause| Error::io("write", log, cause))?;
        let mut words = match self.run_as {
            As::Us => vec![],
            As::Sudo => vec!["sudo", "-n"],
            As::SudoThatAsks => vec!["sudo"], // on /dev/tty, not on the streams that are set below
        };
        words.extend(["sh", "-c", self.installer.script]);
        let mut command = Command::new(find_on(&self.path, words[0]));
        command.args(&words[1..]).env("PATH", &self.path);
        command.stdin(Stdio::null()).stdout(said).stderr(also);
        let mut child = command.spawn().map_err(|cause| Error::io("run", Path::new(words[0]), cause))?;
        let ended = wait(&mut child, Duration::from_secs(INSTALL_WAIT_S))
            .map_err(|cause| Error::io("wait for", Path::new(words[0]), cause))?;
        match ended {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(Error::InstallFailed {
                line: self.line(),
                status: status.to_string(),
                log: log.into(),
                output: tail(log),
            }),
            None => Err(Error::InstallTooSlow { line: self.line(), wait_s: INSTALL_WAIT_S, log: log.into() }),
        }
    }
}

fn sudo_asks(path: &OsString) -> bool {
    let mut sudo = Command::new(find_on(path, "sudo"));
    sudo.args(["-n", "true"]).env("PATH", path);
    sudo.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = sudo.spawn() else { return true };
    let ended = wait(&mut child, Duration::from_secs(SUDO_WAIT_S));
    !matches!(ended, Ok(Some(status)) if status.success())
}

/// None when it has not ended in time.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait()? {
            None if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(LOOK_INTERVAL_MS));
            }
            ended => return Ok(ended),
        }
    }
}

/// The last lines of the log that say anything.
fn tail(log: &Path) -> String {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(log).and_then(|mut file| {
        let from = file.metadata()?.len().saturating_sub(TAIL_BYTES_MAX);
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut bytes)
    });
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

fn installer(path: &OsString) -> Option<&'static Installer> {
    INSTALLERS.iter().find(|installer| on_path(path, installer.program))
}

fn on_path(path: &OsString, program: &str) -> bool {
    find_on(path, program).is_absolute()
}

/// The program's name itself where it is nowhere.
fn find_on(path: &OsString, program: &str) -> PathBuf {
    let places = std::env::split_paths(path).filter(|place| place.is_absolute());
    let mut files = places.map(|place| place.join(program));
    files.find(|file| file.is_file()).unwrap_or_else(|| program.into())
}
