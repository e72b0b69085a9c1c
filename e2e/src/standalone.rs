//! A data directory for `gaceta-standalone`, and what runs on it.

use crate::processes::{clean_command, command};
use rustix::process::{Pid, geteuid, test_kill_process};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// As Debian and most others have it; `setpriv` takes numbers.
const NOBODY: u32 = 65_534;

pub struct Place {
    directory: TempDir,
    pub data: PathBuf,
    /// Its programs run as an ordinary user, though this test is root's.
    as_nobody: bool,
}

impl Place {
    /// Of whoever runs this test.
    pub fn new() -> Self {
        // Not by the program under test, whose start has a deadline.
        db::testing::programs();
        let directory = tempfile::tempdir().unwrap();
        if geteuid().is_root() {
            // PostgreSQL runs as somebody else then, who must get through.
            fs::set_permissions(directory.path(), Permissions::from_mode(0o711)).unwrap();
        }
        Self { data: directory.path().join("data"), directory, as_nobody: false }
    }

    /// The home of an ordinary user, who gives no data directory. `None` where root has no means to be one.
    pub fn of_ordinary_user() -> Option<Self> {
        let mut place = Self::new();
        place.data = place.directory.path().join(".local/share/gaceta");
        if geteuid().is_root() {
            Command::new("setpriv").arg("--version").output().ok()?;
            place.as_nobody = true;
            chown(place.directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            // The build's own directory may be closed to others.
            crate::programs::copy("gaceta-standalone", &place.directory.path().join("standalone"));
        }
        Some(place)
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Serves on a free port, without a prompt unless `args` are others.
    pub fn standalone(&self, args: &[&str]) -> Command {
        let mut standalone = if self.as_nobody {
            let mut setpriv = clean_command(Path::new("setpriv"));
            setpriv.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]);
            setpriv.arg("--clear-groups").arg(self.directory.path().join("standalone"));
            setpriv
        } else {
            command("gaceta-standalone")
        };
        if self.data.ends_with(".local/share/gaceta") {
            standalone.env("HOME", self.directory.path());
        } else {
            standalone.arg("--data").arg(&self.data);
        }
        standalone.args(args).current_dir(self.directory.path());
        standalone
    }

    pub fn admin_password(&self) -> String {
        fs::read_to_string(self.data.join("admin-password")).unwrap().trim_end().to_owned()
    }

    /// PostgreSQL's first process, from the file that it keeps while it runs.
    pub fn postmaster(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.data.join("postgres/postmaster.pid")).ok()?;
        let pid = Pid::from_raw(text.lines().next()?.parse().ok()?)?;
        test_kill_process(pid).is_ok().then_some(pid)
    }

    /// Its database, while it runs: the file of the first process tells where.
    pub fn dsn(&self) -> String {
        let text = fs::read_to_string(self.data.join("postgres/postmaster.pid")).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        format!("host={} port={} user=gaceta dbname=gaceta", lines[4], lines[3])
    }

    /// What still runs on this directory: by working directory (PostgreSQL's is its data), or by command line.
    pub fn running(&self) -> Vec<String> {
        let mut running = vec![];
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let inside =
                fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&self.data));
            if inside || line.contains(&*self.data.to_string_lossy()) {
                running.push(format!("{} {line}", process.file_name().to_string_lossy()));
            }
        }
        running.extend(self.postmaster().map(|pid| format!("postmaster {}", pid.as_raw_nonzero())));
        running
    }

    /// Every log file below the data directory: its path and its text.
    pub fn logs(&self) -> Vec<(PathBuf, String)> {
        let (mut logs, mut directories) = (vec![], vec![self.data.clone()]);
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap().flatten() {
                let path = entry.path();
                if entry.file_type().unwrap().is_dir() {
                    directories.push(path);
                } else if path.to_string_lossy().contains(".log") {
                    logs.push((
                        path.clone(),
                        String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
                    ));
                }
            }
        }
        logs
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}
