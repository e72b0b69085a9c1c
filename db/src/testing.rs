//! PostgreSQL for tests (feature `testing`): no server needs to be prepared. A test process starts one
//! throw-away cluster when the first test asks for it, and each test gets a database of its own, copied from
//! one that was migrated once: notifications and advisory locks are per database, so that a schema per test
//! would not do.
//!
//! Nothing here is bound to a runtime: every `#[tokio::test]` has its own, and the first to ask may end
//! first. A failure panics, as a test does.

use std::io::Write;
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Resource, Rlimit, geteuid, getppid, getrlimit, setrlimit, test_kill_process};
use tokio::sync::OnceCell;
use tokio_postgres::NoTls;

pub mod bare;

use crate::private::{self, Consent, Options, PrivatePostgres};

const TEMPLATE: &str = "gaceta_template";

/// The tests of a program run side by side, one for each core; 16 of them had 179 connections and 496 files open. Enough for 64.
const SHARED_CONNECTIONS_MAX: u16 = 1_000;
/// One test, or one measurement, has a cluster to itself.
const OWN_CONNECTIONS_MAX: u16 = 400;
/// The same for the files of a test's process, of which some systems allow 256 or 1,024 until one asks for more.
const FILES_MAX: u64 = 4_096;

/// Followed by the process id of the owner and a number of its own.
const DIRECTORY_PREFIX: &str = "gaceta-test-";

/// Waits until its owner is gone, however it ended, and removes its directory. A server that is still
/// shutting down may write a last file: hence the repeats, 10 s at most.
const CLEANER: &str = r#"
read -r _
kill -QUIT "$(head -n 1 "$1/postgres/postmaster.pid" 2>/dev/null)" 2>/dev/null
i=0
while [ -e "$1" ] && [ $i -lt 100 ]; do rm -rf "$1" 2>/dev/null || sleep 0.1; i=$((i + 1)); done
"#;

/// A database of one test, migrated and empty. Dropped with this value, in the background.
pub struct TestDatabase {
    pub dsn: String,
    pub name: String,
    admin_dsn: String,
}

impl TestDatabase {
    /// A connection of its own, for what a test does beside the code under test.
    pub async fn client(&self) -> tokio_postgres::Client {
        connect(&self.dsn).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let statement = format!("drop database if exists {} with (force)", self.name);
        let dsn = self.admin_dsn.clone();
        // Only saves disk space during a long run, the cluster goes anyway: nobody waits, and a failure
        // matters to nobody.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime
                .block_on(async {
                    let (client, connection) = tokio_postgres::connect(&dsn, NoTls).await?;
                    tokio::spawn(connection);
                    client.batch_execute(&statement).await
                })
                .map_err(std::io::Error::other)
        });
    }
}

/// A cluster that a test has to itself, to stop, kill and restart it. Removed with this value.
pub struct OwnCluster {
    // In this order: the server stops before its directory goes.
    postgres: PrivatePostgres,
    _directory: CleanedDirectory,
}

impl Deref for OwnCluster {
    type Target = PrivatePostgres;
    fn deref(&self) -> &PrivatePostgres {
        &self.postgres
    }
}

impl OwnCluster {
    /// An empty database in this cluster: whoever serves first brings its schema.
    pub async fn empty_database(&self) -> TestDatabase {
        let (name, admin_dsn) = (next_name(), self.postgres.dsn("postgres"));
        self.postgres.ensure_database(&name).await.expect("the test's database is created");
        TestDatabase { dsn: self.postgres.dsn(&name), name, admin_dsn }
    }

    /// A migrated database in this cluster.
    pub async fn database(&self) -> TestDatabase {
        copy_of_template(&self.postgres).await
    }
}

/// Ends this test unless PostgreSQL's programs are here; where they are missing they are installed, if that may be
/// (`private::provide`), while all other tests wait. Why they are not here is said once in a whole run of
/// `cargo test`, and by no test: each ends without a message and a backtrace of its own.
///
/// Called by whatever makes a cluster here. It blocks, perhaps for minutes: a test that waits for other programs to
/// start one calls it first, outside of any deadline.
pub fn programs() {
    static HERE: OnceLock<bool> = OnceLock::new();
    let here = HERE.get_or_init(|| {
        let consent = if private::install_forbidden() { Consent::Forbidden } else { Consent::Given };
        let provided = private::provide(None, consent, run().as_deref());
        if let Err(error) = &provided {
            // Past what captures a test's output; and a test's name may stand on this line already.
            let _ = writeln!(std::io::stderr(), "\ntests need PostgreSQL: {error}");
        }
        provided.is_ok()
    });
    if !here {
        std::panic::resume_unwind(Box::new("PostgreSQL's programs are not here"));
    }
}

/// The name of the run that this process is a part of: of one `cargo test`, which starts many of them.
fn run() -> Option<String> {
    if let Ok(run) = std::env::var("NEXTEST_RUN_ID") {
        return Some(run);
    }
    // Else whoever started us is a shell, which may run us many times.
    std::env::var_os("CARGO")?;
    let cargo = getppid()?.as_raw_nonzero();
    // Its number may be used again: where the kernel tells when it started, that belongs to the name.
    let about = std::fs::read_to_string(format!("/proc/{cargo}/stat")).unwrap_or_default();
    let started = about.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19)).unwrap_or("");
    Some(format!("{cargo}-{started}"))
}

/// The cluster that all tests of this process share: do not stop it.
pub async fn cluster() -> &'static PrivatePostgres {
    static CLUSTER: OnceCell<OwnCluster> = OnceCell::const_new();
    CLUSTER.get_or_init(|| migrated_cluster(Options::throw_away, SHARED_CONNECTIONS_MAX)).await
}

/// A new, migrated database in the shared cluster.
pub async fn database() -> TestDatabase {
    copy_of_template(cluster().await).await
}

/// A new database in the shared cluster as an older release left it: with the migrations up to this version.
pub async fn database_of_version(version: i32) -> TestDatabase {
    let postgres = cluster().await;
    let name = next_name();
    postgres.ensure_database(&name).await.expect("the test's database is created");
    crate::migrate::migrate_to(&postgres.dsn(&name), version).await.expect("it is migrated so far");
    TestDatabase { dsn: postgres.dsn(&name), name, admin_dsn: postgres.dsn("postgres") }
}

/// A cluster for this test alone; takes a second to make.
pub async fn own_cluster() -> OwnCluster {
    migrated_cluster(Options::throw_away, OWN_CONNECTIONS_MAX).await
}

/// The same with fsync on: what is measured must cost what it costs those who keep their data.
pub async fn own_durable_cluster() -> OwnCluster {
    migrated_cluster(Options::durable, OWN_CONNECTIONS_MAX).await
}

async fn migrated_cluster(options: fn(PathBuf) -> Options, max_connections: u16) -> OwnCluster {
    programs();
    remove_stale();
    allow_files();
    let directory = CleanedDirectory::new();
    let options = Options { max_connections, ..options(directory.path.clone()) };
    let postgres = PrivatePostgres::start(options).await;
    let postgres = postgres.unwrap_or_else(|error| panic!("tests need PostgreSQL: {error}"));
    postgres.ensure_database(TEMPLATE).await.expect("the template database is created");
    crate::migrate::migrate(&postgres.dsn(TEMPLATE)).await.expect("the template database is migrated");
    OwnCluster { postgres, _directory: directory }
}

async fn copy_of_template(postgres: &PrivatePostgres) -> TestDatabase {
    let name = next_name();
    let admin_dsn = postgres.dsn("postgres");
    let statement = format!("create database {name} template {TEMPLATE}");
    connect(&admin_dsn).await.batch_execute(&statement).await.expect("the test's database is created");
    let database = TestDatabase { dsn: postgres.dsn(&name), name, admin_dsn };
    // A copy of the template, but an installation of its own.
    let own_id = "update service set service_id = gen_random_uuid()";
    database.client().await.batch_execute(own_id).await.expect("the test's database gets an id");
    database
}

fn next_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

async fn connect(dsn: &str) -> tokio_postgres::Client {
    let (client, connection) =
        tokio_postgres::connect(dsn, NoTls).await.expect("the cluster takes connections");
    tokio::spawn(connection);
    client
}

/// A directory for one cluster, removed on drop, or by a process that outlives this one: statics are never
/// dropped, and a test may be killed.
struct CleanedDirectory {
    path: PathBuf,
    cleaner: Child,
}

impl CleanedDirectory {
    fn new() -> CleanedDirectory {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{DIRECTORY_PREFIX}{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut cleaner = Command::new("sh");
        // Its end of the pipe closes with this process. Out of the process group, or Ctrl-C would end it
        // first.
        cleaner.args(["-c", CLEANER, "sh"]).arg(&path).process_group(0);
        cleaner.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let cleaner = cleaner.spawn().expect("a shell runs");
        CleanedDirectory { path, cleaner }
    }
}

impl Drop for CleanedDirectory {
    fn drop(&mut self) {
        // Closes its input: it does the work, and `wait` leaves no zombie.
        let _ = self.cleaner.wait();
    }
}

/// What the system refuses stays as it was: most runs need less.
fn allow_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(FILES_MAX, |maximum| maximum.min(FILES_MAX));
    if limit.current.is_some_and(|current| current < wanted) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit });
    }
}

/// Removes what processes left that were killed together with their cleaner. Another's directory, or one in
/// use, stays.
fn remove_stale() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let ours = entry.metadata().is_ok_and(|metadata| metadata.uid() == geteuid().as_raw());
        if ours && owner(&entry.path()).is_some_and(|pid| test_kill_process(pid).is_err()) {
            let _ = private::remove(&entry.path());
        }
    }
}

fn owner(directory: &Path) -> Option<Pid> {
    let name = directory.file_name()?.to_str()?.strip_prefix(DIRECTORY_PREFIX)?;
    Pid::from_raw(name.split_once('-')?.0.parse().ok()?)
}
