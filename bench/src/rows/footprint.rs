//! B10: what an agent and a node need when nobody wants anything of them, and how soon they serve.

use crate::bench::Bench;
use crate::figures::Figures;
use crate::load::follows::resident_kib;
use crate::report::{Bar, Row};
use crate::stage::AREAS;
use e2e::deployment::{Server, agent, node};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use uuid::Uuid;
use wire::{AgentReply, AgentRequest, ErrorCode, ErrorReply, Password, ReplyBody, Request, RequestBody};

const LOGINS: usize = 100;
/// They come together, as in the morning: each needs the memory of a password's hash while it lasts.
const TOGETHER: usize = 8;
/// Until what they needed is given back, if it ever is.
const IDLE: Duration = Duration::from_secs(2);
/// A hash takes some tens of milliseconds; who waits so long has found a fault.
const LOGIN_WAIT: Duration = Duration::from_secs(20);
/// For a `busy` that does not say when to come again.
const BUSY_WAIT_MS: u32 = 500;
/// In each round; the median counts.
const STARTS: usize = 5;
const PASSWORD: &str = "a password of the bench";

pub async fn measure(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    if cfg!(not(target_os = "linux")) {
        for name in ["B10.agent_mib", "B10.node_mib"] {
            figures.missing(name, "resident memory is read from /proc");
        }
    } else {
        let stage = bench.stage(1, 1, AREAS).await?;
        log_in(stage.agent.address).await?;
        tokio::time::sleep(IDLE).await;
        let [agent_mib, node_mib] = [resident_mib(&stage.agent)?, resident_mib(&stage.nodes[0])?];
        bench.tell(&format!("B10 agent after {LOGINS} logins {agent_mib:.1} MiB, node {node_mib:.1} MiB"));
        figures.take("B10.agent_mib", agent_mib);
        figures.take("B10.node_mib", node_mib);
    }
    let stage = bench.stage(0, 1, AREAS).await?;
    for _ in 0..STARTS {
        let dsn = &stage.database.dsn;
        let agent_ms = start_ms("agent", agent(dsn, "127.0.0.1:0")).await;
        let node_ms = start_ms("node", node(dsn, "127.0.0.1:0", stage.agent.address)).await;
        bench.tell(&format!("B10 ready: agent {agent_ms:.0} ms, node {node_ms:.0} ms"));
        figures.take("B10.agent_ms", agent_ms);
        figures.take("B10.node_ms", node_ms);
    }
    Ok(())
}

/// Users of their own: those of a stage have no passwords.
async fn log_in(agent: SocketAddr) -> anyhow::Result<()> {
    let names: Vec<String> = (0..TOGETHER).map(|n| format!("login-{n}")).collect();
    for name in &names {
        let (name, password, label) = (name.clone(), Password(PASSWORD.into()), "bench".into());
        ask(agent, AgentRequest::Register(wire::Register { name, password, label })).await?;
    }
    let mut all = tokio::task::JoinSet::new();
    for (n, name) in names.into_iter().enumerate() {
        all.spawn(async move {
            for _ in (n..LOGINS).step_by(TOGETHER) {
                let (name, password, label) = (name.clone(), Password(PASSWORD.into()), "bench".into());
                ask(agent, AgentRequest::Login(wire::Login { name, password, label })).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = all.join_next().await {
        ended??;
    }
    Ok(())
}

/// As the client does: who is told to come again, since attempts that are not over yet count as wrong ones, comes again.
async fn ask(agent: SocketAddr, body: AgentRequest) -> anyhow::Result<()> {
    let deadline = Instant::now() + LOGIN_WAIT;
    let body = RequestBody::Agent(body);
    let remaining_ms = LOGIN_WAIT.as_millis() as u32;
    loop {
        let request = Request { request_id: Uuid::now_v7(), token: None, remaining_ms, body: body.clone() };
        match wire::call(agent, &request, LOGIN_WAIT).await?.result {
            Ok(ReplyBody::Agent(AgentReply::LoggedIn(_))) => return Ok(()),
            Err(ErrorReply { code: ErrorCode::Busy, retry_after_ms, .. }) if Instant::now() < deadline => {
                let wait_ms = retry_after_ms.unwrap_or(BUSY_WAIT_MS);
                tokio::time::sleep(Duration::from_millis(wait_ms.into())).await;
            }
            other => anyhow::bail!("not logged in: {other:?}"),
        }
    }
}

fn resident_mib(server: &Server) -> anyhow::Result<f64> {
    let pid = server.process.pid().as_raw_nonzero().get() as u32;
    Ok(resident_kib(pid)? as f64 / 1_024.0)
}

/// From its start to its ready line. It is stopped as an administrator stops it.
async fn start_ms(what: &str, command: std::process::Command) -> f64 {
    let began = Instant::now();
    let mut server = Server::start(what, command).await;
    let took_ms = began.elapsed().as_secs_f64() * 1_000.0;
    server.process.terminate().await;
    took_ms
}

pub fn judge(figures: &Figures) -> Vec<Row> {
    let (memory, start) = (Bar::at_most(25.0, 12.0), Bar::at_most(300.0, 100.0));
    let row = |name: &str, figure: &str, unit: &'static str, bar: Bar| {
        let row = Row::new("B10", name, figures.median(figure), unit).bar(bar);
        match figures.why_missing(figure) {
            Some(why) => row.note(why),
            None => row,
        }
    };
    vec![
        row(&format!("resident memory, an idle agent after {LOGINS} logins"), "B10.agent_mib", "MiB", memory),
        row("resident memory, an idle node", "B10.node_mib", "MiB", memory),
        row("an agent, from its start until ready", "B10.agent_ms", "ms", start),
        row("a node, from its start until ready", "B10.node_ms", "ms", start),
    ]
}
