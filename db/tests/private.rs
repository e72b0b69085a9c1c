//! The private PostgreSQL under what happens to it: stops, kills, a second owner, an interrupted start. Real
//! processes throughout; an owner that must die is this very program, started again with `OWNER_OF` naming
//! the directory. Runs as root and as an ordinary user.

// clippy.toml allows these in tests, but not in their helpers.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use gaceta_db::private::{Error, Options, PrivatePostgres, Shutdown};
use rustix::process::{Pid, Signal, getpgid, getpgrp, kill_process, test_kill_process};
use tokio_postgres::{Client, NoTls};

const WATCHDOG: Duration = Duration::from_secs(30);

/// Set in a helper process: the directory that it starts a cluster in.
const OWNER_OF: &str = "GACETA_TEST_OWNER_OF";

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(WATCHDOG, work)
        .await
        .unwrap_or_else(|_| panic!("took more than {WATCHDOG:?}: {what}"))
}

/// Looks every few milliseconds until it is so, at most as long as the watchdog.
fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + WATCHDOG;
    while !so() {
        assert!(Instant::now() < deadline, "took more than {WATCHDOG:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A directory for a cluster, when there are programs to make one.
fn empty() -> tempfile::TempDir {
    gaceta_db::testing::programs();
    tempfile::tempdir().unwrap()
}

async fn start(directory: &Path) -> PrivatePostgres {
    within("start", PrivatePostgres::start(Options::durable(directory))).await.unwrap()
}

async fn connect(postgres: &PrivatePostgres, database: &str) -> Client {
    let (client, connection) =
        within("connect", tokio_postgres::connect(&postgres.dsn(database), NoTls)).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn show(client: &Client, setting: &str) -> String {
    client.query_one(&format!("show {setting}"), &[]).await.unwrap().get(0)
}

async fn count(postgres: &PrivatePostgres) -> i64 {
    connect(postgres, "news").await.query_one("select count(*) from kept", &[]).await.unwrap().get(0)
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number as i32).unwrap()
}

/// Gone, or a zombie that its new parent has not reaped yet.
fn ended(number: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{number}/stat"));
    let zombie = state.is_ok_and(|state| state.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")));
    zombie || matches!(test_kill_process(pid(number)), Err(rustix::io::Errno::SRCH))
}

/// A process that owns a cluster: a line `pid <postmaster>` says that it is ready with one acknowledged row
/// more.
struct Owner {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Owner {
    fn start(directory: &Path) -> Owner {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "owner_process", "--nocapture", "--ignored"]).env(OWNER_OF, directory);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Owner { process, output }
    }

    fn postmaster(&mut self) -> u32 {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some(number) = line.trim().strip_prefix("pid ") {
                return number.parse().unwrap();
            }
            line.clear();
        }
        panic!("the owner ended before it was ready");
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Not a test: what `Owner` runs.
#[tokio::test]
#[ignore = "the body of a helper process"]
async fn owner_process() {
    let Some(directory) = std::env::var_os(OWNER_OF) else {
        return;
    };
    let postgres = start(Path::new(&directory)).await;
    postgres.set_owner_note("connect to 127.0.0.1:8000").unwrap();
    postgres.ensure_database("news").await.unwrap();
    let client = connect(&postgres, "news").await;
    client
        .batch_execute("create table if not exists kept (id int); insert into kept values (1)")
        .await
        .unwrap();
    // The harness prints the test's name without a line end before.
    println!("\npid {}", postgres.pid().unwrap());
    std::io::stdout().flush().unwrap();
    // Until the test closes the pipe or kills us.
    let _ = std::io::stdin().lines().next();
}

#[tokio::test]
async fn data_is_kept_over_stop_and_start_and_is_safe_from_power_cuts() {
    let directory = empty();
    let postgres = start(directory.path()).await;
    postgres.ensure_database("news").await.unwrap();
    postgres.ensure_database("news").await.unwrap();
    let client = connect(&postgres, "news").await;
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(show(&client, setting).await, "on", "{setting}");
    }
    assert_eq!(show(&client, "server_encoding").await, "UTF8");
    assert_eq!(show(&client, "listen_addresses").await, "", "nothing listens on TCP");
    client.batch_execute("create table kept (id int); insert into kept values (1)").await.unwrap();

    let first = postgres.pid().unwrap();
    within("stop", postgres.stop()).await.unwrap();
    wait_until("the first server is gone", || ended(first));

    let postgres = start(directory.path()).await;
    assert_ne!(postgres.pid(), Some(first));
    assert_eq!(count(&postgres).await, 1);
}

#[tokio::test]
async fn only_its_owner_may_enter_the_cluster() {
    let directory = empty();
    let postgres = start(directory.path()).await;
    for inner in ["postgres", "run"] {
        let metadata = postgres.directory().join(inner).metadata().unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o700, "{inner}");
    }
    if rustix::process::geteuid().is_root() {
        let owner = postgres.directory().join("postgres").metadata().unwrap().uid();
        assert_ne!(owner, 0, "PostgreSQL does not run as root");
        let status = std::fs::read_to_string(format!("/proc/{}/status", postgres.pid().unwrap())).unwrap();
        let groups = status.lines().find(|line| line.starts_with("Groups:")).unwrap();
        assert_eq!(groups.trim(), "Groups:", "root's groups are left behind");
    } else {
        println!("skipped: the account change, because this is not root");
    }
}

#[tokio::test]
async fn a_second_start_says_that_one_is_running_and_how_to_connect() {
    let directory = empty();
    let mut owner = Owner::start(directory.path());
    owner.postmaster();
    let second = within("second start", PrivatePostgres::start(Options::durable(directory.path()))).await;
    let Err(Error::InUse { note, .. }) = &second else { panic!("two owners") };
    assert_eq!(note, "connect to 127.0.0.1:8000");
    assert!(second.err().unwrap().to_string().contains("connect to 127.0.0.1:8000"));
}

#[tokio::test]
async fn after_kill_9_of_the_owner_the_next_start_finds_all_data() {
    let directory = empty();
    for round in 1..=3 {
        let mut owner = Owner::start(directory.path());
        let postmaster = owner.postmaster();
        owner.kill();
        // At once, while the old server may still be shutting down.
        let postgres = start(directory.path()).await;
        assert_eq!(count(&postgres).await, round);
        wait_until("the old server is gone", || ended(postmaster));
        postgres.stop().await.unwrap();
    }
}

#[tokio::test]
async fn postgres_ends_with_an_owner_that_was_killed() {
    if !cfg!(target_os = "linux") {
        return println!("skipped: only Linux tells a process that its parent died");
    }
    let directory = empty();
    let mut owner = Owner::start(directory.path());
    let postmaster = owner.postmaster();
    owner.kill();
    wait_until("the server ends by itself", || ended(postmaster));
}

#[tokio::test]
async fn a_server_left_running_is_stopped_and_its_data_found() {
    let directory = empty();
    let mut owner = Owner::start(directory.path());
    let postmaster = owner.postmaster();
    // Stopped, it does not act on its parent's death: as where there is no such signal.
    kill_process(pid(postmaster), Signal::STOP).unwrap();
    owner.kill();
    assert!(!ended(postmaster), "it is to be left running");
    let waker = std::thread::spawn({
        let log = directory.path().join("lock");
        move || {
            // The next owner empties the note as soon as it has the lock.
            wait_until("the next owner takes the lock", || {
                std::fs::read(&log).is_ok_and(|note| note.is_empty())
            });
            kill_process(pid(postmaster), Signal::CONT).unwrap();
        }
    });
    let postgres = start(directory.path()).await;
    waker.join().unwrap();
    assert!(ended(postmaster));
    assert_eq!(count(&postgres).await, 1);
}

#[tokio::test]
async fn an_interrupted_initdb_is_made_good_by_the_next_start() {
    let directory = empty();
    let unfinished = || {
        let names = std::fs::read_dir(directory.path()).unwrap().flatten();
        names.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("postgres.new"))
    };
    // At its beginning, and when most of the files are there.
    for stage in ["PG_VERSION", "global/pg_control"] {
        let mut owner = Owner::start(directory.path());
        wait_until(stage, || unfinished().is_some_and(|path| path.join(stage).exists()));
        owner.kill();
        assert!(!directory.path().join("postgres").exists(), "initdb was over before it was killed");
    }
    let postgres = start(directory.path()).await;
    assert!(unfinished().is_none(), "what was left is cleared away");
    postgres.ensure_database("news").await.unwrap();
}

#[tokio::test]
async fn a_pid_file_that_names_a_stranger_does_not_stop_a_start() {
    let directory = empty();
    start(directory.path()).await.stop().await.unwrap();
    // What a power cut or a container's restart leaves: the number is in use again, by us.
    let stale = directory.path().join("postgres/postmaster.pid");
    let data = directory.path().join("postgres");
    std::fs::write(&stale, format!("{}\n{}\n1\n5432\n\n\n\nready\n", std::process::id(), data.display()))
        .unwrap();
    start(directory.path()).await;
}

#[tokio::test]
async fn ctrl_c_on_the_terminal_does_not_reach_postgres() {
    let directory = empty();
    let postgres = start(directory.path()).await;
    let group = getpgid(Some(pid(postgres.pid().unwrap()))).unwrap();
    assert_ne!(group, getpgrp());
}

#[tokio::test]
async fn a_restart_of_any_kind_keeps_what_was_acknowledged() {
    let cluster = gaceta_db::testing::own_cluster().await;
    cluster.ensure_database("news").await.unwrap();
    connect(&cluster, "news").await.batch_execute("create table kept (id int)").await.unwrap();
    for (done, how) in [Shutdown::Fast, Shutdown::Immediate, Shutdown::Kill].into_iter().enumerate() {
        let client = connect(&cluster, "news").await;
        client.batch_execute("insert into kept values (1)").await.unwrap();
        within("restart", cluster.restart(how)).await.unwrap();
        assert_eq!(count(&cluster).await, done as i64 + 1, "{how:?}");
    }
    cluster.halt(Shutdown::Fast).await.unwrap();
    assert_eq!(cluster.pid(), None);
    assert!(tokio_postgres::connect(&cluster.dsn("news"), NoTls).await.is_err());
    cluster.resume().await.unwrap();
}

#[tokio::test]
async fn a_server_that_died_by_itself_comes_back() {
    let cluster = gaceta_db::testing::own_cluster().await;
    let before = cluster.pid();
    kill_process(pid(before.unwrap()), Signal::KILL).unwrap();
    wait_until("it is up again", || cluster.pid().is_some_and(|now| Some(now) != before));
    connect(&cluster, "postgres").await;
}

#[tokio::test]
async fn a_long_or_odd_directory_gets_a_socket_elsewhere_and_nothing_stays() {
    let directory = empty();
    for name in ["x".repeat(100), "with blank, 'quote' and ñ".into()] {
        let postgres = start(&directory.path().join(name)).await;
        let sockets = connect(&postgres, "postgres").await;
        let sockets = show(&sockets, "unix_socket_directories").await;
        assert!(!Path::new(&sockets).starts_with(directory.path()), "{sockets}");
        assert_eq!(Path::new(&sockets).metadata().unwrap().permissions().mode() & 0o777, 0o700);
        postgres.stop().await.unwrap();
        assert!(!Path::new(&sockets).exists());
    }
}

#[tokio::test]
async fn a_directory_of_something_else_is_left_alone() {
    let directory = empty();
    let data = directory.path().join("postgres");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("precious"), "text").unwrap();
    let refused = PrivatePostgres::start(Options::durable(directory.path())).await;
    assert!(matches!(refused, Err(Error::NotACluster { .. })));
    assert_eq!(std::fs::read_to_string(data.join("precious")).unwrap(), "text");
}

#[tokio::test]
async fn a_cluster_of_another_version_is_refused_with_that_version() {
    let directory = empty();
    let data = directory.path().join("postgres");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("PG_VERSION"), "9\n").unwrap();
    let refused = PrivatePostgres::start(Options::durable(directory.path())).await;
    let error = refused.err().unwrap();
    assert!(matches!(error, Error::WrongVersion { needed: 9, .. }), "{error}");
}

#[test]
fn a_named_directory_without_programs_is_an_error_and_nothing_else_is_tried() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "owner_process", "--nocapture", "--ignored"]);
    command.env(OWNER_OF, directory.path()).env("GACETA_POSTGRES_BIN", directory.path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success() && said.contains("BadProgramDirectory"), "{said}");
}

#[tokio::test]
async fn root_is_told_which_directory_postgres_cannot_enter() {
    if !rustix::process::geteuid().is_root() {
        return println!("skipped: an ordinary user's PostgreSQL runs as that user");
    }
    let closed = empty();
    std::fs::set_permissions(closed.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let refused = PrivatePostgres::start(Options::durable(closed.path().join("data"))).await;
    let error = refused.err().unwrap();
    let path = closed.path().canonicalize().unwrap();
    assert!(matches!(&error, Error::NotTraversable { path: named, .. } if *named == path), "{error}");
}

#[tokio::test]
async fn a_server_that_cannot_start_shows_the_end_of_its_log() {
    let directory = empty();
    start(directory.path()).await.stop().await.unwrap();
    std::fs::write(directory.path().join("postgres/postgresql.conf"), "nonsense = 1\n").unwrap();
    let error = PrivatePostgres::start(Options::durable(directory.path())).await.err().unwrap();
    assert!(error.to_string().contains("unrecognized configuration parameter \"nonsense\""), "{error}");
}

#[tokio::test]
async fn a_start_that_nobody_waits_for_leaves_nothing() {
    let directory = empty();
    let start_it = PrivatePostgres::start(Options::durable(directory.path()));
    // Long enough to begin, too short to make a cluster.
    assert!(tokio::time::timeout(Duration::from_millis(20), start_it).await.is_err());
    // The thread finishes by itself and gives the directory back.
    let deadline = Instant::now() + WATCHDOG;
    let postgres = loop {
        match PrivatePostgres::start(Options::durable(directory.path())).await {
            Ok(postgres) => break postgres,
            Err(Error::InUse { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => panic!("{error}"),
        }
    };
    postgres.ensure_database("news").await.unwrap();
}

/// Two databases of the shared cluster, from runtimes of their own, one of which ends before the other
/// begins.
#[test]
fn test_databases_are_apart_and_survive_the_runtime_that_asked_first() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime().block_on(gaceta_db::testing::database());
    let second = runtime().block_on(async {
        let second = gaceta_db::testing::database().await;
        second.client().await.batch_execute("create table apart (id int)").await.unwrap();
        second
    });
    assert_ne!(first.name, second.name);
    runtime().block_on(async {
        assert!(first.client().await.batch_execute("select * from apart").await.is_err());
        assert!(second.client().await.batch_execute("select * from apart").await.is_ok());
    });
}

/// A fresh owner's cluster goes when it is stopped; the next test run finds no directory of ours.
#[tokio::test]
async fn an_own_cluster_leaves_no_directory() {
    let cluster = gaceta_db::testing::own_cluster().await;
    let directory = cluster.directory().to_owned();
    let postmaster = cluster.pid().unwrap();
    drop(cluster);
    assert!(ended(postmaster));
    assert!(!directory.exists());
}
