//! What can go wrong with a private PostgreSQL, said so that the reader knows what to do next.

use std::io;
use std::path::{Path, PathBuf};

use super::find::OLDEST_MAJOR;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no PostgreSQL programs found (initdb and postgres, version {OLDEST_MAJOR} or newer){}{}; {}, or \
        name their directory in GACETA_POSTGRES_BIN", versions(.found), and(.obstacle), how(.obstacle, .line))]
    NoPrograms {
        found: Vec<u32>,
        /// Why they are not installed now; none while nobody has tried.
        obstacle: Option<Obstacle>,
        /// What a person types to install them.
        line: Option<String>,
    },

    #[error("{} was made by PostgreSQL {needed} and opens with that version only{}; install PostgreSQL \
        {needed}, or name the directory of its programs in GACETA_POSTGRES_BIN",
        .data.display(), versions(.found))]
    WrongVersion { data: PathBuf, needed: u32, found: Vec<u32> },

    #[error("GACETA_POSTGRES_BIN is {}, but initdb and postgres there do not run: {reason}; name the \
        directory that holds both, or unset it", .directory.display())]
    BadProgramDirectory { directory: PathBuf, reason: String },

    #[error("`{line}` did not succeed ({status}); all that it said is in {}, at the end:\n{output}", .log.display())]
    InstallFailed { line: String, status: String, log: PathBuf, output: String },

    #[error("`{line}` has not ended after {wait_s} s and is left to itself; what it says is in {}", .log.display())]
    InstallTooSlow { line: String, wait_s: u64, log: PathBuf },

    #[error("`{line}` went well, but there is still no PostgreSQL {OLDEST_MAJOR} or newer{}; install one by hand, \
        or name the directory of its programs in GACETA_POSTGRES_BIN", versions(.found))]
    InstallTooOld { line: String, found: Vec<u32> },

    #[error("another process has been installing PostgreSQL for {wait_s} s and holds {}", .lock.display())]
    InstallLocked { wait_s: u64, lock: PathBuf },

    #[error("there is no PostgreSQL here, for the reason that was said before in this run")]
    FailedBefore,

    #[error("{} is in use by another process{}", .directory.display(), said(.note))]
    InUse { directory: PathBuf, note: String },

    #[error(
        "started as root, PostgreSQL needs an account of its own, but /etc/passwd has neither `postgres` nor \
         `nobody`; create one of them, or start as an ordinary user"
    )]
    NoAccount,

    #[error("PostgreSQL runs as user {user} here, who may not enter {}; choose another directory (as root \
        not one under /root), or `chmod o+x` that one", .path.display())]
    NotTraversable { user: String, path: PathBuf },

    #[error("user {user} may not run {}: {cause}; name programs that this user may run in \
        GACETA_POSTGRES_BIN", .program.display())]
    NotRunnable { user: String, program: PathBuf, cause: io::Error },

    #[error("{} is there but is not a PostgreSQL cluster; move it away or choose another directory",
        .data.display())]
    NotACluster { data: PathBuf },

    #[error("no place for a socket: {} is too long or has characters that an address cannot hold, and so do \
        $XDG_RUNTIME_DIR and /tmp", .directory.display())]
    NoSocketPlace { directory: PathBuf },

    #[error("{} belongs to somebody else; remove it, or have its owner do so", .path.display())]
    Foreign { path: PathBuf },

    #[error("initdb could not make a cluster ({status}):\n{output}")]
    InitFailed { status: String, output: String },

    #[error("PostgreSQL ended while starting ({status}); the end of {}:\n{output}", .log.display())]
    StartFailed { status: String, log: PathBuf, output: String },

    #[error("PostgreSQL was not ready after {wait_ms} ms; the end of {}:\n{output}", .log.display())]
    StartTooSlow { wait_ms: u64, log: PathBuf, output: String },

    #[error("process {pid}, a PostgreSQL that was left running on {}, does not end; stop it by hand",
        .data.display())]
    LeftoverStays { pid: i32, data: PathBuf },

    #[error("the private PostgreSQL gave no answer within {wait_ms} ms")]
    NoAnswer { wait_ms: u64 },

    #[error("the private PostgreSQL refused: {}", reason(.0))]
    Database(#[from] tokio_postgres::Error),

    #[error("no thread to keep a private PostgreSQL could be started: {cause}")]
    NoThread { cause: io::Error },

    #[error("the thread that keeps the private PostgreSQL has ended; start the process again")]
    KeeperGone,

    #[error("could not {what} {}: {cause}{}", .path.display(), denied(.cause))]
    Io { what: &'static str, path: PathBuf, cause: io::Error },
}

/// Why the programs are not installed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    #[error("--no-install or GACETA_NO_INSTALL forbids to install them")]
    Forbidden,
    #[error("nobody has agreed to install them")]
    Declined,
    #[error("nothing known here installs them")]
    NoInstaller,
    #[error("only root may install them, without sudo")]
    NoSudo,
    #[error("sudo asks for a password")]
    SudoAsks,
    #[error("Homebrew does not work for root")]
    HomebrewAsRoot,
}

impl Error {
    pub(super) fn io(what: &'static str, path: &Path, cause: io::Error) -> Error {
        Error::Io { what, path: path.to_owned(), cause }
    }
}

fn versions(majors: &[u32]) -> String {
    if majors.is_empty() {
        return String::new();
    }
    let list: Vec<String> = majors.iter().map(u32::to_string).collect();
    format!(" (there is version {})", list.join(", "))
}

fn and(obstacle: &Option<Obstacle>) -> String {
    obstacle.map(|obstacle| format!(", and {obstacle}")).unwrap_or_default()
}

fn how(obstacle: &Option<Obstacle>, line: &Option<String>) -> String {
    let who = match obstacle {
        Some(Obstacle::NoSudo) => "as root ",
        Some(Obstacle::HomebrewAsRoot) => "as an ordinary user ",
        _ => "",
    };
    match line {
        Some(line) => format!("{who}install them with `{line}`"),
        None => "install them by hand".into(),
    }
}

/// The driver's own text is "db error"; what the server said stands behind it.
fn reason(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |server| server.message().to_owned())
}

fn said(note: &str) -> String {
    if note.is_empty() { ", which is just starting or stopping".into() } else { format!(": {note}") }
}

/// The usual cause: the same directory used by root first and by somebody else later.
fn denied(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => {
            "; was it made by another user? Start as that user or choose another directory"
        }
        _ => "",
    }
}
