//! A private PostgreSQL: a cluster of our own, started from the programs that the machine has, kept in one
//! directory and stopped with us. Standalone keeps its data in one (`Options::durable`), tests throw theirs
//! away (`Options::throw_away`).
//!
//! In reading order:
//! - `find`: which installed programs fit, also for a cluster that is already there
//! - `provide`: finds them, or installs them first, once; `install`: by which program and as whom, without a system
//!   cluster; `others`: waits for other package managers
//! - `place`: the directory: lock, account that PostgreSQL runs as, socket directory
//! - `cluster`: initdb that may be killed anywhere, and stopping what a killed owner left behind
//! - `server`: the child process: start, readiness, shutdown
//! - `keeper`: the thread that owns the child as long as a [`PrivatePostgres`] lives
//!
//! What a directory holds: `lock` (who owns it and how to reach it), `postgres` (the cluster),
//! `postgres.log`, `run` (the socket). There is no TCP port and no password: who may enter the 0700 socket
//! directory is the superuser.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

mod cluster;
mod error;
mod find;
mod install;
mod keeper;
mod others;
mod place;
mod provide;
mod server;

pub use cluster::remove;
pub use error::{Error, Obstacle};
pub use find::{OLDEST_MAJOR, Programs, find_programs, find_programs_for};
pub use provide::{Consent, install_forbidden, install_line, provide};
pub use server::Shutdown;

use keeper::Order;
use place::Lock;

/// The superuser of every private cluster, and the only role that Gaceta needs in it.
const USER: &str = "gaceta";

/// Connecting to a server on the same machine that has just said it is ready takes milliseconds; more than
/// this means it hangs.
const CONNECT_WAIT_MS: u64 = 10_000;

/// Three processes' pools of ten, their listeners and the notifiers, a person with psql, and as much again
/// for a second of reconnecting, when the old backends have not yet gone.
const MAX_CONNECTIONS: u16 = 100;

pub struct Options {
    /// Created when missing; holds nothing but this cluster and what its owner adds.
    pub directory: PathBuf,
    /// fsync on. Off, a power cut loses the data, while a killed PostgreSQL still keeps what it acknowledged.
    pub durable: bool,
    pub max_connections: u16,
}

impl Options {
    /// For data that is kept.
    pub fn durable(directory: impl Into<PathBuf>) -> Options {
        Options { directory: directory.into(), durable: true, max_connections: MAX_CONNECTIONS }
    }

    /// For tests.
    pub fn throw_away(directory: impl Into<PathBuf>) -> Options {
        Options { directory: directory.into(), durable: false, max_connections: MAX_CONNECTIONS }
    }
}

/// A running cluster and the lock on its directory. Dropping it stops the server, which blocks, but never
/// without an end.
pub struct PrivatePostgres {
    directory: PathBuf,
    sockets: String,
    durable: bool,
    lock: Arc<Lock>,
    pid: Arc<AtomicU32>,
    // Both are taken by `drop`: the thread ends when nobody can give it orders any more.
    orders: Option<mpsc::Sender<Order>>,
    keeper: Option<JoinHandle<()>>,
}

impl PrivatePostgres {
    /// Locks the directory, stops what a killed owner left running there, makes the cluster when there is
    /// none, and returns when it takes connections. A caller that gives up waiting leaves nothing running.
    pub async fn start(options: Options) -> Result<PrivatePostgres, Error> {
        let durable = options.durable;
        let (orders, inbox) = mpsc::channel();
        let (ready, answer) = oneshot::channel();
        let keeper = std::thread::Builder::new()
            .name("private-postgres".into())
            .spawn(move || keeper::run(options, ready, inbox))
            .map_err(|cause| Error::NoThread { cause })?;
        let started = answer.await.map_err(|_| Error::KeeperGone)??;
        Ok(PrivatePostgres {
            directory: started.directory,
            sockets: started.sockets,
            durable,
            lock: started.lock,
            pid: started.pid,
            orders: Some(orders),
            keeper: Some(keeper),
        })
    }

    /// Where to connect, in the form that `tokio_postgres::Config` and psql read. The socket directory was
    /// chosen to need no quoting.
    pub fn dsn(&self, database: &str) -> String {
        let database = database.replace('\\', "\\\\").replace('\'', "\\'");
        format!("host={} port={} user={USER} dbname='{database}'", self.sockets, place::PORT)
    }

    /// The directory as given, made absolute and free of symbolic links.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The postmaster's process id, or none while it is down.
    pub fn pid(&self) -> Option<u32> {
        Some(self.pid.load(Ordering::Acquire)).filter(|&pid| pid != 0)
    }

    /// What a second start on this directory is told: that one is running, and how to connect to it.
    pub fn set_owner_note(&self, note: &str) -> Result<(), Error> {
        self.lock.set_note(note)
    }

    /// Creates the database when it is not there yet.
    pub async fn ensure_database(&self, name: &str) -> Result<(), Error> {
        let work = async {
            let (client, connection) =
                tokio_postgres::connect(&self.dsn("postgres"), tokio_postgres::NoTls).await?;
            // Ends by itself when the client is dropped, a few lines below.
            tokio::spawn(connection);
            let known =
                client.query_opt("select 1 from pg_catalog.pg_database where datname = $1", &[&name]).await?;
            if known.is_none() {
                let quoted = name.replace('"', "\"\"");
                client.batch_execute(&format!("create database \"{quoted}\"")).await?;
            }
            Ok(())
        };
        let wait = Duration::from_millis(CONNECT_WAIT_MS);
        tokio::time::timeout(wait, work).await.map_err(|_| Error::NoAnswer { wait_ms: CONNECT_WAIT_MS })?
    }

    /// Stops the server in the given way and leaves it down, the directory locked: tests look at what its
    /// absence does.
    pub async fn halt(&self, how: Shutdown) -> Result<(), Error> {
        self.order(|reply| Order::Halt(how, reply)).await
    }

    /// Starts a halted server again; a running one is left alone.
    pub async fn resume(&self) -> Result<(), Error> {
        self.order(Order::Resume).await
    }

    /// Stops the server in the given way and starts it again.
    pub async fn restart(&self, how: Shutdown) -> Result<(), Error> {
        self.halt(how).await?;
        self.resume().await
    }

    /// Stops the server and releases the directory.
    pub async fn stop(self) -> Result<(), Error> {
        self.halt(Shutdown::for_good(self.durable)).await
    }

    async fn order(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<(), Error>>) -> Order,
    ) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let sent = self.orders.as_ref().map(|orders| orders.send(make(reply)));
        match sent {
            Some(Ok(())) => answer.await.map_err(|_| Error::KeeperGone)?,
            _ => Err(Error::KeeperGone),
        }
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.orders.take();
        if let Some(keeper) = self.keeper.take()
            && keeper.join().is_err()
        {
            tracing::error!("the thread that keeps the private PostgreSQL panicked");
        }
    }
}
