//! The thread that owns the server. The kernel's death signal is tied to the thread that started a process,
//! not to the whole of our process, so this one lives exactly as long as the
//! [`PrivatePostgres`](super::PrivatePostgres), and no runtime thread ever blocks.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::oneshot;

use super::place::{self, Account, DATA, Lock};
use super::server::{self, Recipe, Shutdown};
use super::{Error, Options, cluster, find};

/// How soon a server that died by itself (out of memory, killed by hand) is noticed and started again. Also
/// the pause between attempts when it does not come up.
const LOOK_INTERVAL_MS: u64 = 1_000;

pub(super) enum Order {
    Halt(Shutdown, oneshot::Sender<Result<(), Error>>),
    Resume(oneshot::Sender<Result<(), Error>>),
}

/// What the owner learns of a server that is ready.
pub(super) struct Started {
    pub directory: PathBuf,
    pub sockets: String,
    pub lock: Arc<Lock>,
    pub pid: Arc<AtomicU32>,
}

/// The life of the thread: prepare, start, take orders until nobody can give any, stop.
pub(super) fn run(options: Options, ready: oneshot::Sender<Result<Started, Error>>, orders: Receiver<Order>) {
    let (recipe, lock) = match prepare(options) {
        Ok(prepared) => prepared,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let pid = Arc::new(AtomicU32::new(0));
    let mut keeper = Keeper { recipe, child: None, pid: pid.clone() };
    if let Err(error) = keeper.start() {
        keeper.remove_sockets();
        return drop(ready.send(Err(error)));
    }
    let started = Started {
        directory: keeper.recipe.directory.clone(),
        sockets: keeper.recipe.sockets.display().to_string(),
        lock: lock.clone(),
        pid,
    };
    // Nobody waits any more when the caller gave up; then there are no orders either.
    let _ = ready.send(Ok(started));
    keeper.take_orders(orders);
    keeper.stop(Shutdown::for_good(keeper.recipe.durable));
    keeper.remove_sockets();
    // Only now: the next owner must find nothing running.
    drop(lock);
}

fn prepare(options: Options) -> Result<(Recipe, Arc<Lock>), Error> {
    let Options { directory, durable, max_connections } = options;
    let directory = place::open_directory(&directory)?;
    let lock = Arc::new(Lock::take(&directory)?);
    let data = directory.join(DATA);
    let account = place::account(&data)?;
    let programs = find::find_programs_for(&directory)?;
    check_access(&directory, &programs, account.as_ref())?;
    cluster::remove_unfinished(&directory)?;
    cluster::stop_leftover(&data)?;
    if cluster::major(&data)?.is_none() {
        cluster::create(&directory, &programs, account.as_ref(), durable)?;
    }
    let sockets = place::socket_directory(&directory, account.as_ref())?;
    Ok((Recipe { directory, sockets, programs, account, durable, max_connections }, lock))
}

/// Tries what PostgreSQL will have to do: enter the directory and run, as the account. Modes alone would not
/// tell, there are ACLs.
fn check_access(directory: &Path, programs: &find::Programs, account: Option<&Account>) -> Result<(), Error> {
    let Some(account) = account else {
        return Ok(());
    };
    let mut command = server::command(&programs.postgres, directory, Some(account), Signal::KILL);
    match command.arg("--version").stdout(Stdio::null()).status() {
        Ok(_) => Ok(()),
        Err(cause) => match place::first_closed(directory, account) {
            Some(path) => Err(Error::NotTraversable { user: account.name.clone(), path }),
            None => {
                let (user, program) = (account.name.clone(), programs.postgres.clone());
                Err(Error::NotRunnable { user, program, cause })
            }
        },
    }
}

struct Keeper {
    recipe: Recipe,
    /// None while halted.
    child: Option<Child>,
    /// The child's process id for others to read, 0 while halted.
    pid: Arc<AtomicU32>,
}

impl Keeper {
    fn start(&mut self) -> Result<(), Error> {
        if self.child.is_none() {
            let child = server::start(&self.recipe)?;
            self.pid.store(child.id(), Ordering::Release);
            self.child = Some(child);
        }
        Ok(())
    }

    fn stop(&mut self, how: Shutdown) {
        if let Some(child) = self.child.take() {
            server::stop(child, how);
            self.pid.store(0, Ordering::Release);
        }
    }

    fn take_orders(&mut self, orders: Receiver<Order>) {
        // Whether the owner wants it up: a server that died by itself is started again, one that was halted
        // is not.
        let mut wanted = true;
        loop {
            match orders.recv_timeout(Duration::from_millis(LOOK_INTERVAL_MS)) {
                Ok(Order::Halt(how, reply)) => {
                    wanted = false;
                    self.stop(how);
                    let _ = reply.send(Ok(()));
                }
                Ok(Order::Resume(reply)) => {
                    wanted = true;
                    self.forget_dead();
                    let _ = reply.send(self.start());
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.forget_dead();
                    if wanted && let Err(error) = self.start() {
                        tracing::error!(%error, "the private PostgreSQL does not start again");
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn forget_dead(&mut self) {
        if let Some(child) = &mut self.child
            && let Ok(Some(status)) = child.try_wait()
        {
            tracing::error!(%status, "the private PostgreSQL ended by itself");
            self.child = None;
            self.pid.store(0, Ordering::Release);
        }
    }

    fn remove_sockets(&self) {
        // It may be gone, or kept busy by a server that does not end: the next start clears it.
        let _ = std::fs::remove_dir_all(&self.recipe.sockets);
    }
}
