//! A machine without PostgreSQL's programs, for tests of what is told and done there: this machine in a mount namespace
//! where Debian's directory of them is empty, with programs named `apt-get` and `sudo` that a test writes itself.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::geteuid;
use tempfile::TempDir;

/// An ordinary user, as Debian and most others have it; `setpriv` takes numbers.
const NOBODY: &str = "65534";

/// What shell scripts, ours and those of the tests, find on `PATH` besides.
const TOOLS: [&str; 10] = ["sh", "true", "mkdir", "rm", "rmdir", "cat", "ln", "sleep", "setpriv", "env"];

/// What is hidden, and under which name in our directory it is what is there instead.
const INSTEAD: [(&str, &str); 4] = [
    ("/usr/lib/postgresql", "programs"),
    ("/etc/postgresql-common", "common"),
    ("/var/lib/dpkg", "dpkg"),
    ("/var/lib/apt/lists", "lists"),
];

/// Its arguments: our directory, pairs of what is hidden and by what, `--`, the command. The real programs stay
/// reachable as `real`, so that a false `apt-get` can install them.
const ENTER: &str = r#"
set -e
mount --bind /usr/lib/postgresql "$1/real"
shift
while [ "$1" != -- ]; do mount --bind "$2" "$1"; shift 2; done
shift
exec "$@"
"#;

/// What a false `apt-get` does for `install` when it succeeds.
pub const INSTALLS: &str =
    r#"case " $* " in *" install "*) ln -s "$BARE"/real/* /usr/lib/postgresql/;; esac"#;

/// A false `sudo` that asks for no password.
pub const SUDO: &str = r#"[ "$1" != -n ] || shift; exec "$@""#;

pub struct BareMachine {
    directory: TempDir,
}

impl BareMachine {
    /// None, which it says, where no such machine can be made: without Debian's packages, or without namespaces.
    pub fn new() -> Option<BareMachine> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let machine = BareMachine { directory };
        for name in INSTEAD.map(|(_, name)| name).into_iter().chain(["bin", "tmp", "real"]) {
            let path = machine.path(name);
            std::fs::create_dir(&path).expect("a directory of our own");
            open_to_all(&path);
        }
        open_to_all(machine.directory.path());
        for tool in TOOLS {
            let places = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(tool));
            let tool_path = places.iter().find(|path| path.is_file())?;
            std::os::unix::fs::symlink(tool_path, machine.path("bin").join(tool)).expect("a link");
        }
        let debian = INSTEAD.iter().all(|(hidden, _)| Path::new(hidden).is_dir());
        let entered = debian && machine.command(Path::new("/bin/true")).status().is_ok_and(|s| s.success());
        if !entered {
            // A test prints this only when it is asked to.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: no bare machine here\n");
        }
        entered.then_some(machine)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts a program on its `PATH`: a script for sh, in which `$BARE` is our directory. By a process of its own: a file
    /// that this one has open for writing is inherited by whatever another test starts at this moment, and cannot be run.
    pub fn program(&self, name: &str, script: &str) {
        let mut write = Command::new("sh");
        write.args(["-c", r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod 755 "$1""#, "sh"]);
        let written = write.arg(self.path("bin").join(name)).arg(script).status();
        assert!(written.is_ok_and(|status| status.success()), "{name} cannot be written");
    }

    /// Runs a program there as whoever runs this test, with an environment of its own.
    pub fn command(&self, program: &Path) -> Command {
        self.enter(&[], program)
    }

    /// The same as an ordinary user; none where that takes more rights than this test has.
    pub fn command_as_nobody(&self, program: &Path) -> Option<Command> {
        let user = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
        geteuid().is_root().then(|| self.enter(&user, program))
    }

    fn enter(&self, user: &[&str], program: &Path) -> Command {
        let mut command = Command::new("/usr/bin/unshare");
        command.arg("--mount");
        if !geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["/bin/sh", "-c", ENTER, "sh"]).arg(self.directory.path());
        for (hidden, name) in INSTEAD {
            command.arg(hidden).arg(self.path(name));
        }
        // `env` looks for what it runs on the PATH that it has just set.
        command.args(["--", "/usr/bin/env"]).arg(format!("PATH={}", self.path("bin").display()));
        command.args(user).arg(program);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("BARE", self.directory.path());
        command.env("TMPDIR", self.path("tmp")).stdin(Stdio::null());
        command
    }
}

/// An ordinary user installs here, too.
fn open_to_all(path: &Path) {
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(path, open).expect("a directory of our own");
}
