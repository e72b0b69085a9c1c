//! PostgreSQL's programs are here: found, or installed first where that is allowed. Once, however many processes ask
//! at the same time: one of them installs, the others wait for it and look again.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::geteuid;

use super::error::Obstacle;
use super::find::{Programs, find_programs, find_programs_for};
use super::install::{self, Way};
use super::{Error, others};

/// Forbids to install anything, unless it says no.
const VARIABLE: &str = "GACETA_NO_INSTALL";

/// The one who installs waits for other package managers first, and then for its own.
const LOCK_WAIT_S: u64 = 1200;

/// How often the lock is tried.
const LOCK_INTERVAL_MS: u64 = 100;

/// The name of a run is a number or an identifier.
const RUN_BYTES_MAX: u64 = 100;

/// Whether missing programs may be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    Forbidden,
    /// By whatever asks no question.
    Given,
    /// Somebody at this terminal has agreed, and may be asked for a password by sudo.
    GivenAtTerminal,
}

/// Whether `GACETA_NO_INSTALL` is set to anything but an empty value, 0, false, no or off.
pub fn install_forbidden() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| says_yes(&value.to_string_lossy()))
}

fn says_yes(value: &str) -> bool {
    !["", "0", "false", "no", "off"].contains(&value.trim().to_lowercase().as_str())
}

/// The line that installs the programs here, for a person to read; the error says why there is no way.
pub fn install_line(consent: Consent) -> Result<String, Error> {
    way(consent, vec![]).map(|way| way.line())
}

/// Finds the programs for the cluster in `data`, or the newest, and installs the distribution's where there are none
/// that would do. Before it begins it says so on standard error. It blocks, for minutes at worst.
///
/// A failure is remembered for the run of this name: whoever asks in the same run again gets
/// [`Error::FailedBefore`], and nothing is tried once more.
pub fn provide(data: Option<&Path>, consent: Consent, run: Option<&str>) -> Result<Programs, Error> {
    let find = || data.map_or_else(find_programs, find_programs_for);
    if let Some(found) = there(find()) {
        return found;
    }
    let place = Place::open()?;
    let mut lock = place.lock()?;
    // Perhaps somebody else has installed them meanwhile, or failed to.
    let found = match find() {
        Err(Error::NoPrograms { found, .. }) => found,
        other => return other,
    };
    if run.is_some() && lock.failed_in() == run.map(str::to_owned) {
        return Err(Error::FailedBefore);
    }
    let result = way(consent, found).and_then(|way| install(&way, find, &place));
    if result.is_err()
        && let Some(run) = run
    {
        lock.fails_in(run);
    }
    result
}

fn install(way: &Way, find: impl Fn() -> Result<Programs, Error>, place: &Place) -> Result<Programs, Error> {
    if way.is_apt() {
        others::wait(say);
        if let Some(found) = there(find()) {
            return found;
        }
    }
    let line = way.line();
    say(&format!("Installing PostgreSQL's programs, without starting a server: {line} …"));
    way.run(&place.directory.join("log"))?;
    let programs = match find() {
        Err(Error::NoPrograms { found, .. }) => return Err(Error::InstallTooOld { line, found }),
        other => other?,
    };
    say(&format!("PostgreSQL {} is installed.", programs.major));
    Ok(programs)
}

/// None while there are no programs: anything else is an answer.
fn there(found: Result<Programs, Error>) -> Option<Result<Programs, Error>> {
    match found {
        Err(Error::NoPrograms { .. }) => None,
        other => Some(other),
    }
}

fn way(consent: Consent, found: Vec<u32>) -> Result<Way, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let root = geteuid().is_root();
    let way = match consent {
        Consent::Forbidden => Err(Obstacle::Forbidden),
        _ => install::way(&path, root, consent == Consent::GivenAtTerminal),
    };
    way.map_err(|obstacle| Error::NoPrograms {
        found,
        obstacle: Some(obstacle),
        line: install::line(&path, root),
    })
}

/// Past whatever captures the output of tests: a person must know why nothing moves.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A directory of this user's, with the lock and the log of the last installation.
struct Place {
    directory: PathBuf,
}

impl Place {
    fn open() -> Result<Place, Error> {
        let us = geteuid().as_raw();
        let directory = std::env::temp_dir().join(format!("gaceta-install-{us}"));
        match DirBuilder::new().mode(0o700).create(&directory) {
            Err(cause) if cause.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Error::io("create", &directory, cause));
            }
            _ => {}
        }
        // Anybody may have made it, or a link to elsewhere.
        match directory.symlink_metadata() {
            Ok(there) if there.is_dir() && there.uid() == us => Ok(Place { directory }),
            _ => Err(Error::Foreign { path: directory }),
        }
    }

    /// The kernel releases it however its process ends.
    fn lock(&self) -> Result<Lock, Error> {
        let path = self.directory.join("lock");
        let failed = |cause| Error::io("lock", &path, cause);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        let deadline = Instant::now() + Duration::from_secs(LOCK_WAIT_S);
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { file }),
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
                Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                    return Err(Error::InstallLocked { wait_s: LOCK_WAIT_S, lock: path });
                }
                Err(TryLockError::WouldBlock) => {}
            }
            if !std::mem::replace(&mut told, true) {
                say("Another process is installing PostgreSQL's programs: waiting for it …");
            }
            std::thread::sleep(Duration::from_millis(LOCK_INTERVAL_MS));
        }
    }
}

/// Who holds it may install. The file names the run in which that failed last.
struct Lock {
    file: File,
}

impl Lock {
    fn failed_in(&mut self) -> Option<String> {
        let mut name = String::new();
        self.file.rewind().ok()?;
        (&mut self.file).take(RUN_BYTES_MAX).read_to_string(&mut name).ok()?;
        Some(name)
    }

    /// What cannot be noted costs another attempt, nothing else.
    fn fails_in(&mut self, run: &str) {
        let _ = self.file.set_len(0);
        let _ = self.file.rewind();
        let _ = self.file.write_all(run.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_no_forbids_nothing() {
        for value in ["", "0", "false", "No", "off "] {
            assert!(!says_yes(value), "{value:?}");
        }
        for value in ["1", "true", "yes", "anything"] {
            assert!(says_yes(value), "{value:?}");
        }
    }
}
