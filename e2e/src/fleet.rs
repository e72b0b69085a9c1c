//! Agents and nodes as processes on a PostgreSQL of their own, with a breaker in every connection between any two: what
//! may be killed, paused, rolled and cut off. Whoever ends by himself is started again, as an orchestrator does it.

use crate::breaker::{Breaker, PASS, Target};
use crate::deployment::{agent, node_of};
use crate::processes::{Process, clean_command, of_release};
use crate::programs;
use crate::seed::{self, Chance};
use crate::service::PASSWORD;
use db::private::Shutdown;
use db::testing::{OwnCluster, TestDatabase};
use rustix::process::{Pid, Signal, kill_process};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio_postgres::config::Host;

/// A server whose database is away may end at once; an orchestrator waits a moment as well.
const RESTART_PAUSE_MS: u64 = 200;
/// More starts than this in a row mean that it will never serve.
const STARTS_MAX: usize = 50;
/// Below those that systems give to outgoing connections, above those of well-known services.
const PORTS: (u16, u16) = (12_000, 32_000);

pub struct Fleet {
    pub agents: Vec<Member>,
    pub nodes: Vec<Member>,
    pub database: TestDatabase,
    pub cluster: OwnCluster,
    /// What ended without being told to.
    pub mishaps: Mutex<Vec<String>>,
    /// Where nodes find agents: everywhere, if some of them are not on this host's loopback.
    for_nodes: IpAddr,
    _directory: TempDir,
}

/// Where a server runs, and how it is started there.
#[derive(Debug, Clone)]
pub struct Seat {
    /// Its own address.
    pub host: IpAddr,
    /// Where it finds the others.
    pub others: IpAddr,
    /// Whether others reach it without a breaker: where the network itself is broken, nothing may stand before that.
    pub is_bare: bool,
    /// What is put before its command.
    pub before: Vec<String>,
    pub variables: Vec<(String, String)>,
}

impl Default for Seat {
    fn default() -> Self {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self { host: here, others: here, is_bare: false, before: vec![], variables: vec![] }
    }
}

impl Seat {
    fn seated(&self, command: Command) -> Command {
        let mut seated = match self.before.split_first() {
            None => command,
            Some((program, args)) => {
                let mut wrapped = clean_command(Path::new(program));
                wrapped.args(args).arg(command.get_program()).args(command.get_args());
                wrapped
            }
        };
        seated.envs(self.variables.iter().cloned());
        seated
    }
}

/// A server and the connections to it and from it.
pub struct Member {
    /// `agent 1`, `node 2`.
    pub name: String,
    pub listen: SocketAddr,
    /// What others are told of it.
    pub advertised: SocketAddr,
    /// What clients connect to, and agents that check a node.
    pub front: Breaker,
    /// What nodes connect to, of an agent.
    pub inner: Option<Breaker>,
    pub database: Breaker,
    start: Box<dyn Fn() -> Command + Send + Sync>,
    /// Of another release: where its programs are.
    programs: std::sync::Mutex<Option<PathBuf>>,
    process: Mutex<Option<Process>>,
}

impl Fleet {
    pub async fn start(agents: usize, nodes: usize) -> Self {
        Self::start_seated(agents, nodes, |_| Seat::default()).await
    }

    /// Each server where `seat` says, by its name.
    pub async fn start_seated(agents: usize, nodes: usize, seat: impl Fn(&str) -> Seat) -> Self {
        programs::directory(); // before the first wait that is watched
        let cluster = db::testing::own_cluster().await;
        let database = cluster.database().await;
        Self::start_on(cluster, database, (agents, nodes), seat, None).await
    }

    /// Of the release whose programs are in this directory, on a database that its first agent brings up.
    pub async fn start_of(programs: &Path, agents: usize, nodes: usize) -> Self {
        let cluster = db::testing::own_cluster().await;
        let database = cluster.empty_database().await;
        Self::start_on(cluster, database, (agents, nodes), |_| Seat::default(), Some(programs)).await
    }

    async fn start_on(
        cluster: OwnCluster,
        database: TestDatabase,
        (agents, nodes): (usize, usize),
        seat: impl Fn(&str) -> Seat,
        programs: Option<&Path>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let password_file = directory.path().join("admin-password");
        std::fs::write(&password_file, format!("{PASSWORD}\n")).unwrap();
        let is_everywhere = (1..=nodes).any(|number| !seat(&format!("node {number}")).others.is_loopback());
        let mut fleet = Self {
            agents: vec![],
            nodes: vec![],
            database,
            cluster,
            mishaps: Mutex::default(),
            for_nodes: if is_everywhere { Ipv4Addr::UNSPECIFIED.into() } else { Ipv4Addr::LOCALHOST.into() },
            _directory: directory,
        };
        for number in 1..=agents {
            let name = format!("agent {number}");
            let member = fleet.agent(seat(&name), name, password_file.clone()).await;
            member.be_of(programs);
            member.begin().await;
            fleet.agents.push(member);
        }
        for number in 1..=nodes {
            let name = format!("node {number}");
            let member = fleet.node(seat(&name), name).await;
            member.be_of(programs);
            member.begin().await;
            fleet.nodes.push(member);
        }
        fleet
    }

    async fn agent(&self, seat: Seat, name: String, password_file: PathBuf) -> Member {
        let listen = free_address(&seat);
        let database = self.to_database(&seat).await;
        let dsn = self.dsn(&seat, &database);
        let front = Breaker::start_at(seat.others).await;
        let inner = Breaker::start_at(self.for_nodes).await;
        front.lead_to(Target::Tcp(listen));
        inner.lead_to(Target::Tcp(listen));
        let start = move || {
            let mut agent = agent(&dsn, &listen.to_string());
            agent.arg("--admin-password-file").arg(&password_file);
            seat.seated(agent)
        };
        let advertised = front.address;
        let (start, inner) = (Box::new(start), Some(inner));
        Member {
            name,
            listen,
            advertised,
            front,
            inner,
            database,
            start,
            programs: Default::default(),
            process: Mutex::default(),
        }
    }

    async fn node(&self, seat: Seat, name: String) -> Member {
        let listen = free_address(&seat);
        let front = Breaker::to(Target::Tcp(listen)).await;
        let database = self.to_database(&seat).await;
        let dsn = self.dsn(&seat, &database);
        let advertised = if seat.is_bare { listen } else { front.address };
        let inner = |agent: &Member| {
            let port = agent.inner.as_ref().unwrap().address.port();
            SocketAddr::new(seat.others, port)
        };
        let agents: Vec<SocketAddr> = self.agents.iter().map(inner).collect();
        let start = move || {
            let mut node = node_of(&dsn, &listen.to_string(), &agents);
            node.args(["--advertise", &advertised.to_string()]);
            seat.seated(node)
        };
        let start = Box::new(start);
        Member {
            name,
            listen,
            advertised,
            front,
            inner: None,
            database,
            start,
            programs: Default::default(),
            process: Mutex::default(),
        }
    }

    async fn to_database(&self, seat: &Seat) -> Breaker {
        let config: tokio_postgres::Config = self.database.dsn.parse().unwrap();
        let Host::Unix(directory) = &config.get_hosts()[0] else { panic!("not a private cluster") };
        let breaker = Breaker::start_at(seat.others).await;
        breaker.lead_to(Target::Unix(directory.join(format!(".s.PGSQL.{}", config.get_ports()[0]))));
        breaker
    }

    fn dsn(&self, seat: &Seat, breaker: &Breaker) -> String {
        let (ip, port) = (seat.others, breaker.address.port());
        let config: tokio_postgres::Config = self.database.dsn.parse().unwrap();
        format!("host={ip} port={port} user={} dbname={}", config.get_user().unwrap(), self.database.name)
    }

    /// What people are told of: where agents are.
    pub fn agent_addresses(&self) -> Vec<SocketAddr> {
        self.agents.iter().map(|agent| agent.advertised).collect()
    }

    pub fn node_addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.advertised).collect()
    }

    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.agents.iter().chain(&self.nodes)
    }

    /// Every connection that may be broken, with what it is.
    pub fn breakers(&self) -> Vec<(String, &Breaker)> {
        let mut breakers = vec![];
        for member in self.members() {
            breakers.push((format!("to {}", member.name), &member.front));
            breakers.extend(member.inner.as_ref().map(|inner| (format!("nodes to {}", member.name), inner)));
            breakers.push((format!("{} to PostgreSQL", member.name), &member.database));
        }
        breakers
    }

    /// Everything passes, everybody goes on and serves.
    pub async fn mend(&self) {
        for (_, breaker) in self.breakers() {
            breaker.set(PASS);
        }
        for member in self.members() {
            member.proceed().await;
            if let Some(log) = member.ended_by_itself().await {
                self.mishaps.lock().await.push(format!("{} had ended by itself:\n{log}", member.name));
                member.begin().await;
            }
        }
    }

    /// All processes of PostgreSQL stop, or go on.
    pub fn signal_postgres(&self, signal: Signal) {
        let Some(postmaster) = self.cluster.pid() else { return };
        let children = format!("/proc/{postmaster}/task/{postmaster}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        for pid in children.split_whitespace().filter_map(|pid| pid.parse().ok()).chain([postmaster as i32]) {
            // A backend may have gone meanwhile.
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, signal));
        }
    }

    pub async fn restart_postgres(&self, how: Shutdown) {
        self.cluster.restart(how).await.unwrap();
    }
}

impl Member {
    /// From its next start on it is of the release whose programs are in this directory; without any, of this one.
    pub fn be_of(&self, programs: Option<&Path>) {
        *self.programs.lock().unwrap() = programs.map(Into::into);
    }

    fn command(&self) -> Command {
        let command = (self.start)();
        match self.programs.lock().unwrap().as_deref() {
            Some(programs) => of_release(programs, &command),
            None => command,
        }
    }

    /// Starts it and waits until it serves.
    pub async fn begin(&self) {
        let mut process = self.process.lock().await;
        for _ in 0..STARTS_MAX {
            let mut started = Process::start(&self.name, self.command());
            let what = self.name.split(' ').next().unwrap();
            if started.ready_unless_ended(what).await.is_some() {
                *process = Some(started);
                return;
            }
            tokio::time::sleep(Duration::from_millis(RESTART_PAUSE_MS)).await;
        }
        panic!("{} does not start", self.name);
    }

    /// `kill -9`.
    pub async fn kill(&self) {
        if let Some(mut process) = self.process.lock().await.take()
            && !process.has_ended()
        {
            process.kill().await;
        }
    }

    /// SIGTERM, and waits for its end; the code that it ended with.
    pub async fn terminate(&self) -> Option<i32> {
        let mut process = self.process.lock().await.take()?;
        if process.has_ended() { None } else { process.terminate().await }
    }

    pub async fn pause(&self) {
        self.signal(Signal::STOP).await;
    }

    pub async fn proceed(&self) {
        self.signal(Signal::CONT).await;
    }

    async fn signal(&self, signal: Signal) {
        if let Some(process) = self.process.lock().await.as_mut()
            && !process.has_ended()
        {
            process.signal(signal);
        }
    }

    /// What it logged, if it was started and runs no more.
    pub async fn ended_by_itself(&self) -> Option<String> {
        let mut process = self.process.lock().await;
        let process = process.as_mut()?;
        if process.has_ended() { Some(process.log()) } else { None }
    }

    pub async fn log(&self) -> String {
        self.process.lock().await.as_ref().map_or(String::new(), Process::log)
    }
}

/// Free when looked at. It must be known before the server starts, since the breaker in front of it is announced; and it
/// must not be one that the system gives to an outgoing connection while the server is away.
fn free_address(seat: &Seat) -> SocketAddr {
    let mut chance = Chance::new(seed::fresh());
    loop {
        let port = PORTS.0 + chance.below(usize::from(PORTS.1 - PORTS.0)) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return SocketAddr::new(seat.host, port);
        }
    }
}
