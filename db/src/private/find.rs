//! Finds installed PostgreSQL programs. `PATH` alone does not do: Debian, Homebrew and others keep `initdb`
//! off it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Error;

/// The oldest major version whose features the schema and this launcher use.
pub const OLDEST_MAJOR: u32 = 14;

/// One directory of programs wins over everything else.
const OVERRIDE: &str = "GACETA_POSTGRES_BIN";

/// Where distributions put the programs; `*` stands for part of one name.
const USUAL_PLACES: &[&str] = &[
    "/usr/lib/postgresql/*/bin",                       // Debian, Ubuntu
    "/usr/pgsql-*/bin",                                // packages of postgresql.org for RPM distributions
    "/usr/lib/postgresql*/bin",                        // openSUSE
    "/usr/libexec/postgresql*",                        // Alpine
    "/opt/homebrew/opt/postgresql@*/bin",              // Homebrew on Apple silicon
    "/usr/local/opt/postgresql*/bin",                  // Homebrew on Intel
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin", // Homebrew on Linux
    "/usr/local/pgsql/bin",                            // built from source
    "/opt/local/lib/postgresql*/bin",                  // MacPorts
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

/// The two programs that a private cluster needs, of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    pub initdb: PathBuf,
    pub postgres: PathBuf,
    pub major: u32,
}

/// The newest installed programs, for a cluster that is still to be made.
pub fn find_programs() -> Result<Programs, Error> {
    choose(installed()?, None)
}

/// The programs for the cluster in `directory`: of its very version when it is there already, else the
/// newest.
pub fn find_programs_for(directory: &Path) -> Result<Programs, Error> {
    let data = directory.join(super::place::DATA);
    match super::cluster::major(&data)? {
        Some(needed) => choose(installed()?, Some((needed, data))),
        None => find_programs(),
    }
}

fn choose(
    mut installed: BTreeMap<u32, Programs>,
    existing: Option<(u32, PathBuf)>,
) -> Result<Programs, Error> {
    let majors = installed.keys().copied().collect();
    match existing {
        Some((needed, data)) => {
            installed.remove(&needed).ok_or(Error::WrongVersion { data, needed, found: majors })
        }
        None => match installed.pop_last() {
            Some((major, programs)) if major >= OLDEST_MAJOR => Ok(programs),
            _ => Err(Error::NoPrograms { found: majors, obstacle: None, line: None }),
        },
    }
}

/// Every version found, its first place winning.
fn installed() -> Result<BTreeMap<u32, Programs>, Error> {
    if let Some(directory) = std::env::var_os(OVERRIDE).filter(|value| !value.is_empty()) {
        let directory = PathBuf::from(directory);
        return match programs_in(&directory) {
            Ok(programs) => Ok(BTreeMap::from([(programs.major, programs)])),
            Err(reason) => Err(Error::BadProgramDirectory { directory, reason }),
        };
    }
    let mut found = BTreeMap::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = USUAL_PLACES.iter().flat_map(|pattern| expand(pattern));
    for directory in std::env::split_paths(&path).chain(usual) {
        if let Ok(programs) = programs_in(&directory) {
            found.entry(programs.major).or_insert(programs);
        }
    }
    Ok(found)
}

fn programs_in(directory: &Path) -> Result<Programs, String> {
    // An empty or relative entry of PATH would mean another program after each change of directory.
    if !directory.is_absolute() {
        return Err("not an absolute path".into());
    }
    let (initdb, postgres) = (directory.join("initdb"), directory.join("postgres"));
    if !initdb.is_file() || !postgres.is_file() {
        return Err("not both are there".into());
    }
    let output = Command::new(&postgres).arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout);
    let major = major_of(&said).ok_or_else(|| format!("postgres --version says {:?}", said.trim()))?;
    Ok(Programs { initdb, postgres, major })
}

/// `postgres (PostgreSQL) 15.18 (Debian …)`, `postgres (PostgreSQL) 19beta1`.
fn major_of(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().ok()
}

/// The directories that a pattern with at most one `*` stands for.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![pattern.into()];
    };
    let Some((parent, prefix)) = before.rsplit_once('/') else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let fits = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(prefix));
    let names = entries.flatten().map(|entry| entry.file_name()).filter(|name| fits(name));
    names.map(|name| Path::new(parent).join(name).join(after.trim_start_matches('/'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(majors: &[u32]) -> BTreeMap<u32, Programs> {
        let programs = |major| Programs { initdb: "initdb".into(), postgres: "postgres".into(), major };
        majors.iter().map(|&major| (major, programs(major))).collect()
    }

    #[test]
    fn versions_are_read_as_they_are_printed() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major_of("command not found"), None);
    }

    #[test]
    fn a_new_cluster_takes_the_newest_and_an_old_one_its_own_version() {
        assert_eq!(choose(some(&[14, 16, 15]), None).unwrap().major, 16);
        assert_eq!(choose(some(&[14, 16]), Some((14, "/d".into()))).unwrap().major, 14);
    }

    #[test]
    fn errors_say_which_version_is_needed() {
        let old = choose(some(&[13]), None).unwrap_err().to_string();
        assert!(old.contains("14 or newer") && old.contains("there is version 13"), "{old}");
        let newer = choose(some(&[16, 17]), Some((15, "/d".into()))).unwrap_err().to_string();
        assert!(newer.contains("install PostgreSQL 15") && newer.contains("16, 17"), "{newer}");
    }
}
