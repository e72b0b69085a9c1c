//! A bad network between any two: a proxy that passes everything on until it is told otherwise. It can hold bytes back,
//! lose them, delay them, reset, or cut a connection after so many bytes, each way by itself; also what goes on already.
//!
//! It can be bound before it leads anywhere, since a server must announce the address in front of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What one read takes at the most.
const BUFFER_BYTES: usize = 16 * 1024;

/// Where it leads to.
#[derive(Debug, Clone)]
pub enum Target {
    Tcp(SocketAddr),
    /// PostgreSQL's socket.
    Unix(PathBuf),
}

/// What happens to the bytes of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Pass,
    /// Each read comes so much later.
    Delay(Duration),
    /// Nothing moves; later it goes on, as TCP does after a partition that heals.
    Hold,
    /// Bytes are taken and lost, and what was lost once is never made up for: the connection stays silent.
    Lose,
    /// After so many bytes of it the connection is over.
    CutAfter(u64),
    /// It is over at once.
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// From whoever connects.
    pub forth: Way,
    pub back: Way,
}

pub const PASS: Plan = Plan { forth: Way::Pass, back: Way::Pass };
pub const HOLD: Plan = Plan { forth: Way::Hold, back: Way::Hold };
pub const LOSE: Plan = Plan { forth: Way::Lose, back: Way::Lose };
pub const RESET: Plan = Plan { forth: Way::Reset, back: Way::Reset };

pub struct Breaker {
    pub address: SocketAddr,
    plan: watch::Sender<Plan>,
    shared: Arc<Shared>,
    _accepting: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    target: Mutex<Option<Target>>,
    /// For the next connection alone.
    next: Mutex<Option<Plan>>,
    cuts: AtomicUsize,
    answered: AtomicUsize,
}

impl Breaker {
    /// Leads nowhere yet: who connects is reset.
    pub async fn start() -> Self {
        Self::start_at(IpAddr::V4(Ipv4Addr::LOCALHOST)).await
    }

    pub async fn start_at(host: IpAddr) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (plan, _) = watch::channel(PASS);
        let shared = Arc::new(Shared::default());
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, shared.clone(), plan.clone()));
        Self { address, plan, shared, _accepting: accepting }
    }

    pub async fn to(target: Target) -> Self {
        let breaker = Self::start().await;
        breaker.lead_to(target);
        breaker
    }

    pub fn lead_to(&self, target: Target) {
        *self.shared.target.lock().unwrap() = Some(target);
    }

    /// For every connection, those that are open too.
    pub fn set(&self, plan: Plan) {
        self.plan.send_replace(plan);
    }

    /// For the next connection alone, whatever holds for the others.
    pub fn set_next(&self, plan: Plan) {
        *self.shared.next.lock().unwrap() = Some(plan);
    }

    /// Whether a plan for the next connection waits still.
    pub fn awaits_next(&self) -> bool {
        self.shared.next.lock().unwrap().is_some()
    }

    /// How many connections were cut after their bytes.
    pub fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    /// How many connections brought an answer, or a part of one: as many requests, since each has a connection.
    pub fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, plan: watch::Sender<Plan>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let own = shared.next.lock().unwrap().take();
                let plan = match own {
                    // Its sender is dropped here: this plan stays as it is.
                    Some(own) => watch::channel(own).1,
                    None => plan.subscribe(),
                };
                open.spawn(lead(client, shared.clone(), plan));
            }
            Some(_) = open.join_next() => {}
        }
    }
}

async fn lead(client: TcpStream, shared: Arc<Shared>, plan: watch::Receiver<Plan>) {
    let target = shared.target.lock().unwrap().clone();
    let _ = client.set_nodelay(true);
    let is_reset = *plan.borrow() == RESET;
    match target {
        Some(Target::Tcp(address)) if !is_reset => {
            if let Ok(server) = TcpStream::connect(address).await {
                let _ = server.set_nodelay(true);
                return between(client, server, &shared, plan).await;
            }
        }
        Some(Target::Unix(path)) if !is_reset => {
            if let Ok(server) = UnixStream::connect(path).await {
                return between(client, server, &shared, plan).await;
            }
        }
        _ => {}
    }
    client.reset();
}

trait Reset {
    fn reset(self);
}

impl Reset for TcpStream {
    fn reset(self) {
        let _ = self.set_zero_linger();
    }
}

impl Reset for UnixStream {
    fn reset(self) {} // has no such thing; closing is the end
}

/// Why a connection is over before its ends wanted that.
enum Over {
    Cut,
    Reset,
}

async fn between<S>(mut client: TcpStream, mut server: S, shared: &Shared, plan: watch::Receiver<Plan>)
where
    S: AsyncRead + AsyncWrite + Unpin + Reset,
{
    let ended = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = tokio::io::split(&mut server);
        let forth = pump(from_client, to_server, plan.clone(), |plan| plan.forth, || {});
        let answered = || {
            shared.answered.fetch_add(1, Ordering::SeqCst);
        };
        let back = pump(from_server, to_client, plan, |plan| plan.back, answered);
        tokio::try_join!(forth, back)
    };
    match ended {
        Ok(_) => {}
        // Counted before anybody can notice.
        Err(Over::Cut) => drop(shared.cuts.fetch_add(1, Ordering::SeqCst)),
        Err(Over::Reset) => {
            client.reset();
            server.reset();
        }
    }
}

/// Until the end of what comes, which is told on; `begins` when its first bytes were.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut plan: watch::Receiver<Plan>,
    of: impl Fn(&Plan) -> Way,
    begins: impl Fn(),
) -> Result<(), Over> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut passed = 0;
    let mut has_lost = false;
    loop {
        let way = of(&plan.borrow_and_update());
        match way {
            Way::Reset => return Err(Over::Reset),
            Way::CutAfter(bytes) if passed >= bytes => return Err(Over::Cut),
            Way::Hold => {
                changed(&mut plan).await;
                continue;
            }
            _ => {}
        }
        let room = match way {
            Way::CutAfter(bytes) => BUFFER_BYTES.min((bytes - passed) as usize),
            _ => BUFFER_BYTES,
        };
        let read = tokio::select! {
            read = from.read(&mut buffer[..room]) => read,
            () = changed(&mut plan) => continue,
        };
        let bytes = match read {
            Ok(0) => {
                let _ = to.shutdown().await;
                return Ok(());
            }
            Ok(bytes) => bytes,
            Err(_) => return Err(Over::Reset),
        };
        if let Way::Delay(delay) = way {
            tokio::time::sleep(delay).await;
        }
        has_lost |= way == Way::Lose;
        if !has_lost && to.write_all(&buffer[..bytes]).await.is_err() {
            return Err(Over::Reset);
        }
        if passed == 0 {
            begins();
        }
        passed += bytes as u64;
    }
}

/// A plan that nobody can change any more never does.
async fn changed(plan: &mut watch::Receiver<Plan>) {
    if plan.changed().await.is_err() {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_counted_as_answered_once_and_only_where_an_answer_came() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let breaker = Breaker::to(Target::Tcp(listener.local_addr().unwrap())).await;
        for answer in [&b"first, and more of it"[..], b"", b"second"] {
            let mut client = TcpStream::connect(breaker.address).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            for bytes in answer.chunks(7) {
                server.write_all(bytes).await.unwrap();
            }
            drop(server);
            let mut came = vec![];
            client.read_to_end(&mut came).await.unwrap();
            assert_eq!(came, answer);
        }
        assert_eq!(breaker.answered(), 2);
    }
}
