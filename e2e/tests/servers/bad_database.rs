//! A database that cannot be used as it is: starting, full, of another release's schema. The servers wait where waiting
//! helps, say what is wrong where it does not, and lose nothing. What is not UTF-8 is in `starts`.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::{Deployment, Server, agent, node};
use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::processes::Process;
use gaceta_e2e::programs;
use gaceta_e2e::service::PASSWORD;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

// ---- starting -----------------------------------------------------------------------------------------------------

/// PostgreSQL's own words while it starts: an `ErrorResponse` to whoever connects, with SQLSTATE 57P03.
const STARTING: &[u8] = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";

/// Stands before a real PostgreSQL and can make it look as if it were starting.
struct Door {
    address: SocketAddr,
    is_open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Door {
    async fn before(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_open, state) = watch::channel(false);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(through(stream, socket.clone(), state.clone()));
            }
        });
        Self { address, is_open, task }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection: passed on while the door is open, and broken when it closes.
async fn through(mut stream: TcpStream, socket: PathBuf, mut is_open: watch::Receiver<bool>) {
    if *is_open.borrow_and_update() {
        let mut server = UnixStream::connect(socket).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut stream, &mut server) => {}
            _ = is_open.wait_for(|is_open| !is_open) => {}
        }
        return;
    }
    // The start-up message: its length, itself included, and the rest.
    let Ok(length) = stream.read_u32().await else { return };
    let mut rest = vec![0; length as usize - 4];
    if stream.read_exact(&mut rest).await.is_err() {
        return;
    }
    let mut answer = vec![b'E'];
    answer.extend((STARTING.len() as u32 + 4).to_be_bytes());
    answer.extend(STARTING);
    let _ = stream.write_all(&answer).await;
}

#[tokio::test]
async fn a_database_that_is_starting_is_waited_for_and_clients_are_answered_meanwhile() {
    programs::directory();
    let database = db::testing::database().await;
    let host = database.dsn.split(' ').find_map(|part| part.strip_prefix("host=")).unwrap();
    let door = Door::before(Path::new(host).join(".s.PGSQL.5432")).await;
    let user = database.dsn.split(' ').find_map(|part| part.strip_prefix("user=")).unwrap();
    let url = format!("postgres://{user}@{}/{}", door.address, database.name);

    let mut agent = Process::start("agent", agent(&url, "127.0.0.1:0"));
    let told = agent.logged("waiting for the database").await;
    assert!(told.contains("the database system is starting up"), "{told}");
    door.is_open.send_replace(true);
    let address = agent.ready("agent").await;
    let _node = Server::start("node", node(&url, "127.0.0.1:0", address)).await;
    let ana = Gaceta::registered(address, "ana").await;
    let make = "insert into areas (creation_id, name, name_key) values (gen_random_uuid(), 'news', 'news');
                insert into heads (area_id) select area_id from areas";
    database.client().await.batch_execute(make).await.unwrap();
    ana.json("subscribe news").await;
    ana.json("post news before").await;

    // It restarts while all of them run.
    door.is_open.send_replace(false);
    let error = ana.fails("--timeout 2s areas", 6).await;
    assert_eq!(error["code"], "unavailable");
    let error = ana.fails("--timeout 1s post news meanwhile", 6).await;
    assert_eq!(error["pending"], 1, "{error}");
    door.is_open.send_replace(true);
    ana.json("post --resume").await;
    assert_eq!(ana.bodies("news").await, ["before", "meanwhile"]);
}

// ---- full ---------------------------------------------------------------------------------------------------------

/// Enough for a cluster of PostgreSQL, which weighs some 40 MB, and for what these posts add.
const DISK_BYTES: usize = 160 << 20;
/// So many texts of 60 KB do not fit into what a full disk has left.
const POSTS_MAX: usize = 100;

/// Waits until its owner is gone, however it ended, and takes the disk away.
const UNMOUNT: &str = r#"read -r _; umount -l "$1" && rmdir "$1""#;

/// A small disk in memory; only root may make one.
struct SmallDisk {
    path: PathBuf,
    unmount: std::process::Child,
}

impl SmallDisk {
    fn mount() -> Option<Self> {
        let path = std::env::temp_dir().join(format!("gaceta-small-disk-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let options = format!("size={DISK_BYTES},mode=0755");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).output();
        if !mounted.is_ok_and(|mounted| mounted.status.success()) {
            std::fs::remove_dir(&path).unwrap();
            return None;
        }
        let mut unmount = Command::new("sh");
        unmount.args(["-c", UNMOUNT, "sh"]).arg(&path).stdin(Stdio::piped());
        Some(Self { path, unmount: unmount.spawn().unwrap() })
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    fn fill(&self) {
        let zeros = std::fs::File::open("/dev/zero").unwrap();
        let mut filler = std::fs::File::create(self.filler()).unwrap();
        let error = std::io::copy(&mut &zeros, &mut filler).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.unmount.wait(); // which closes its input
    }
}

/// A text that no compression makes smaller.
fn large_text() -> String {
    (0..1_600).map(|_| Uuid::new_v4().to_string()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
#[allow(clippy::print_stderr)]
async fn i1_a_full_disk_refuses_posts_which_wait_and_nothing_is_lost() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("SKIPPED: a small disk cannot be mounted here (are you root?)");
        return;
    };
    programs::directory();
    let options = db::private::Options::throw_away(disk.path.join("postgres"));
    let postgres = db::private::PrivatePostgres::start(options).await.unwrap();
    postgres.ensure_database("gaceta").await.unwrap();
    let dsn = postgres.dsn("gaceta");
    let files = tempfile::tempdir().unwrap();
    let password_file = files.path().join("password");
    std::fs::write(&password_file, PASSWORD).unwrap();
    let mut with_admin = agent(&dsn, "127.0.0.1:0");
    with_admin.arg("--admin-password-file").arg(password_file);
    let agent = Server::start("agent", with_admin).await;
    let node = Server::start("node", node(&dsn, "127.0.0.1:0", agent.address)).await;
    let ana = Gaceta::logged_in(agent.address, "admin", PASSWORD).await;
    ana.json("admin area add news").await;
    ana.json("subscribe news").await;

    let mut acknowledged = vec![];
    for text in ["one", "two"] {
        ana.json(&format!("post news {text}")).await;
        acknowledged.push(text.to_string());
    }
    disk.fill();
    let mut refused = None;
    for _ in 0..POSTS_MAX {
        let text = large_text();
        let ran = ana.run_with(&["--json", "--timeout", "3s", "post", "news", "-"], &text).await;
        match ran.code {
            Some(0) => acknowledged.push(text), // there was a little room left
            _ => {
                refused = Some((ran, text));
                break;
            }
        }
    }
    let (ran, text) = refused.expect("a full disk");
    assert_eq!(ran.code, Some(6), "{ran:?}");
    let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    let error = &error["error"];
    assert_eq!((&error["code"], &error["pending"]), (&"unavailable".into(), &1.into()), "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("no space left"), "{message}");
    assert!(node.process.log().contains("disk is full"), "{}", node.process.log());

    std::fs::remove_file(disk.filler()).unwrap();
    let resumed = ana.json("post --resume").await;
    assert_eq!(resumed[0]["duplicate"], false, "it was not written half");
    acknowledged.push(text);
    ana.json("post news last").await;
    acknowledged.push("last".into());
    assert_eq!(ana.bodies("news").await, acknowledged, "I1, I2: each once, in order, without a hole");
    assert_eq!(ana.files("outbox"), 0);
    postgres.stop().await.unwrap();
}

// ---- another schema -----------------------------------------------------------------------------------------------

/// The database of the release before the last migration, with people, articles and a node in it.
#[tokio::test]
async fn an_older_schema_is_waited_for_and_brought_up_with_what_is_in_it() {
    let needed = db::migrate::SCHEMA_VERSION;
    let database = db::testing::database_of_version(needed - 1).await;
    let was_there = "
        insert into users (name, name_key, password_hash) values ('Eve', 'eve', 'none');
        insert into areas (creation_id, name, name_key, keep_count) values (gen_random_uuid(), 'News', 'news', 5);
        insert into heads (area_id, last_seq, last_posted_at) select area_id, 1, now() from areas;
        insert into articles (area_id, seq, author_id, id, posted_at, body_hash, body)
        select area_id, 1, user_id, gen_random_uuid(), now(), sha256('old'), 'old' from areas, users;
        insert into nodes (node_id, address, version, state) values (gen_random_uuid(), '192.0.2.1:1', '0', 'live');
        insert into settings (name, value) values ('registration', '\"open\"')";
    database.client().await.batch_execute(was_there).await.unwrap();
    let db = db::Db::new(&database.dsn).unwrap();
    let error = db::migrate::wait_for_schema(&db, std::time::Duration::ZERO).await.unwrap_err().to_string();
    let versions = [format!("version {}", needed - 1), format!("needs {needed}")];
    for word in versions.iter().map(String::as_str).chain(["start an agent of it first"]) {
        assert!(error.contains(word), "{word:?} in {error:?}");
    }
    // An agent of this release brings it up, and the node that waited goes on.
    programs::directory();
    let waiting =
        tokio::spawn(async move { db::migrate::wait_for_schema(&db, db::migrate::SCHEMA_WAIT).await });
    let deployment = Deployment::start_on(database, 1).await;
    waiting.await.unwrap().unwrap();
    let ana = deployment.person("ana").await;
    ana.json("subscribe news --from-start").await;
    assert_eq!(ana.json("post news new").await["seq"], 2, "I2");
    assert_eq!(ana.bodies("news").await, ["old", "new"]);
}

/// As during an upgrade: an agent of the next release has been here, and those of this one go on until they are replaced.
#[tokio::test]
async fn a_newer_schema_serves_this_release_too() {
    let database = db::testing::database().await;
    let next = "insert into refinery_schema_history (version, name, applied_on, checksum)
                select max(version) + 1, 'later', max(applied_on), '1' from refinery_schema_history;
                alter table areas add column of_the_next_release text";
    database.client().await.batch_execute(next).await.unwrap();
    let deployment = Deployment::start_on(database, 1).await;
    let ana = deployment.reader("ana", "news").await;
    ana.json("post news hello").await;
    assert_eq!(ana.bodies("news").await, ["hello"]);
}
