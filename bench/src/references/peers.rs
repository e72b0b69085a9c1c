//! Programs of others: where they are, and servers of theirs beside us, each on an address and with data of its own.

use crate::bench::Bench;
use crate::figures::Figures;
use crate::load::Work;
use crate::rows::posts::CLIENTS;
use anyhow::Context;
use e2e::processes::Process;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Where servers are that ordinary users' `PATH` does not have: Debian's `nats-server`, for one.
const USUAL_PLACES: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"];
/// None that a connection may have as its own: at such a one it could meet itself before the server is there.
const PORTS: Range<u16> = 10_000..30_000;
/// Until it takes connections: both need well under a second, a busy machine some.
const START_WAIT_MS: u64 = 10_000;
/// It is looked at this often.
const LOOK_INTERVAL_MS: u64 = 10;

pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(USUAL_PLACES.map(PathBuf::from));
    directories.map(|directory| directory.join(program)).find(|program| program.is_file())
}

/// What it says of its version, in one line.
pub fn version(program: &str) -> Option<String> {
    let output = Command::new(find(program)?).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
}

/// A server with a new directory; both go with this value.
pub struct Peer {
    pub address: SocketAddr,
    process: Process,
    _directory: TempDir,
}

impl Peer {
    /// `command` makes it from its port and its directory.
    pub async fn start(name: &str, command: impl FnOnce(u16, &Path) -> Command) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let address = free_address()?;
        let process = Process::start(name, command(address.port(), directory.path()));
        let mut peer = Self { address, process, _directory: directory };
        let deadline = Instant::now() + Duration::from_millis(START_WAIT_MS);
        while TcpStream::connect(peer.address).await.is_err() {
            let is_late = Instant::now() > deadline;
            anyhow::ensure!(
                !peer.process.has_ended() && !is_late,
                "{name} did not start: {}",
                peer.process.log()
            );
            tokio::time::sleep(Duration::from_millis(LOOK_INTERVAL_MS)).await;
        }
        Ok(peer)
    }
}

/// Neither of them can be told to take a free port and to say which. Nobody else takes one within the moment.
fn free_address() -> anyhow::Result<SocketAddr> {
    let addresses = PORTS.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let free =
        addresses.skip(std::process::id() as usize % PORTS.len()).find(|at| TcpListener::bind(at).is_ok());
    free.context("no port is free for a peer")
}

/// As many clients as B1 has; the better figure counts. What fails is told and not counted: a peer's trouble is no reason to measure
/// nothing of ours.
pub async fn measure(
    (name, figure): (&str, &str),
    work: &Work,
    bench: &Bench,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let mut best: f64 = 0.0;
    for clients in CLIENTS {
        let load = bench.load(work.clone(), clients);
        let measured = match load.measure().await?.whole() {
            Ok(measured) => measured,
            Err(error) => {
                bench.tell(&format!("{name}: {error:#}"));
                figures.missing(figure, format!("{error:#}"));
                return Ok(());
            }
        };
        bench.told(&format!("{name}, {clients} clients"), &measured);
        figures.take(format!("{figure}.{clients}"), measured.operations_s());
        best = best.max(measured.operations_s());
    }
    figures.take(figure, best);
    Ok(())
}
