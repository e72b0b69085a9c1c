//! Servers that do what a test says, on real sockets, and a person with a directory of his own.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its part

use gaceta::command::Cli;
use gaceta::render::{Output, Style};
use gaceta::run::run_command;
use gaceta::settings::Settings;
use gaceta::stop::Stop;
use std::collections::HashMap;
use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;
use wire::budget::Budget;
use wire::connection::Connection;
use wire::limits::{Limits, NODE_REQUEST_BYTES_MAX};
use wire::{
    AgentReply, AgentRequest, AreaId, AreaRef, ErrorCode, ErrorReply, LoggedIn, NodeReply, NodeRequest, Post,
    Posted, Reply, ReplyBody, Request, RequestBody, Role, SubscriptionSummary, Token,
};

/// No test waits longer for anything.
pub const WATCHDOG: Duration = Duration::from_secs(30);
pub const AREA: AreaId = AreaId(7);

pub struct Fake {
    pub address: String,
    _stops: DropGuard,
}

impl Fake {
    /// Answers each request as `handle` says.
    pub async fn start<F>(handle: impl Fn(Request) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<ReplyBody, ErrorReply>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = CancellationToken::new();
        let answer = move |request: Request, _: SocketAddr| {
            let request_id = request.request_id;
            let result = handle(request);
            async move { Reply { request_id, result: result.await } }
        };
        let limits = Limits::new(NODE_REQUEST_BYTES_MAX);
        let connections = wire::serve::Connections::new(&limits);
        tokio::spawn(wire::serve::serve(listener, limits, connections, stop.clone(), answer));
        Self { address, _stops: stop.drop_guard() }
    }

    pub async fn node<F>(handle: impl Fn(NodeRequest) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<NodeReply, ErrorReply>> + Send + 'static,
    {
        Self::start(move |request| {
            let RequestBody::Node(body) = request.body else { panic!("an agent's request at a node") };
            let reply = (body != NodeRequest::Check(wire::Check {})).then(|| handle(body));
            async move {
                match reply {
                    Some(reply) => reply.await.map(ReplyBody::Node),
                    None => Err(ErrorReply::new(ErrorCode::Busy, "it lives")),
                }
            }
        })
        .await
    }

    /// Reads each request, tells `heard`, and breaks the connection: the reply is lost.
    pub async fn breaking(heard: impl Fn(Request) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            let limits = Limits::new(NODE_REQUEST_BYTES_MAX);
            let serve = async {
                loop {
                    let (stream, peer) = listener.accept().await.unwrap();
                    let mut charge = Budget::new(1 << 24, 1 << 24).charge(peer.ip());
                    if let Ok(request) = Connection::new(stream).read_request(&limits, &mut charge).await {
                        heard(request);
                    }
                }
            };
            tokio::select! { () = serve => {}, () = stopped => {} }
        });
        Self { address, _stops: stop.drop_guard() }
    }

    /// An agent of one area, `News`, with these nodes; ana is subscribed, with everything up to `cursor` read.
    pub async fn agent(nodes: Vec<String>, cursor: i64, last_seq: i64) -> Self {
        Self::start(move |request| {
            let RequestBody::Agent(body) = request.body else { panic!("a node's request at an agent") };
            let reply = match body {
                AgentRequest::Where(wire::Where { areas })
                    if areas.iter().all(|name| name.to_lowercase() == "news") =>
                {
                    let area = AreaRef { area_id: AREA, name: "News".into() };
                    Ok(AgentReply::Located(wire::Located {
                        areas: areas.iter().map(|_| area.clone()).collect(),
                        nodes: nodes.clone(),
                    }))
                }
                AgentRequest::Where(_) => Err(ErrorReply::new(ErrorCode::NotFound, "no such area")),
                AgentRequest::Subscriptions(_) => {
                    Ok(AgentReply::SubscriptionsListed(wire::SubscriptionsListed {
                        subscriptions: vec![SubscriptionSummary {
                            area_id: AREA,
                            name: "News".into(),
                            unread: last_seq - cursor,
                            cursor,
                            generation: 1,
                            last_seq,
                            expired_through: 0,
                        }],
                        more: false,
                    }))
                }
                AgentRequest::Login(wire::Login { name, .. }) => Ok(AgentReply::LoggedIn(LoggedIn {
                    token: Token([1; 32]),
                    session_id: 1,
                    user: name,
                    role: Role::User,
                    service_id: Uuid::nil(),
                    already: false,
                })),
                other => panic!("{other:?}"),
            };
            async move { reply.map(ReplyBody::Agent) }
        })
        .await
    }
}

/// What an area keeps of posts, as the service would.
#[derive(Clone, Default)]
pub struct Articles(Arc<Mutex<HashMap<Uuid, (i64, String)>>>);

impl Articles {
    pub fn take(&self, post: Post) -> Posted {
        let mut articles = self.0.lock().unwrap();
        let next = articles.len() as i64 + 1;
        if let Some((seq, _)) = articles.get(&post.id) {
            return Posted { seq: *seq, duplicate: true };
        }
        articles.insert(post.id, (next, post.body));
        Posted { seq: next, duplicate: false }
    }

    pub async fn node(&self) -> Fake {
        let articles = self.clone();
        Fake::node(move |request| {
            let NodeRequest::Post(wire::PostBatch { posts }) = request else { panic!("{request:?}") };
            let results = posts.into_iter().map(|post| Ok(articles.take(post))).collect();
            async { Ok(NodeReply::Posted(wire::PostedBatch { results })) }
        })
        .await
    }

    pub fn bodies(&self) -> Vec<String> {
        let mut articles: Vec<_> = self.0.lock().unwrap().values().cloned().collect();
        articles.sort();
        articles.into_iter().map(|(_, body)| body).collect()
    }
}

/// An address where nobody listens.
pub async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Somebody at a terminal of his own, logged in as `ana`.
pub struct Person {
    pub settings: Settings,
    pub dir: TempDir,
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
}

impl Person {
    pub async fn log_in(agent: &Fake) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(dir.path().join("gaceta"));
        settings.agents = Some(vec![agent.address.clone()]);
        gaceta::login_with_password(&settings, "ana", "secret").await.unwrap();
        settings.json = true;
        Self { settings, dir, stdout: Arc::default(), stderr: Arc::default() }
    }

    /// Runs a command line; the exit code.
    pub async fn run(&self, line: &str) -> u8 {
        self.run_until(line, &Stop::default()).await
    }

    pub async fn run_until(&self, line: &str, stop: &Stop) -> u8 {
        self.run_writing(line, stop, self.stdout.clone()).await
    }

    pub async fn run_writing(&self, line: &str, stop: &Stop, stdout: Arc<Mutex<dyn Write + Send>>) -> u8 {
        use clap::Parser;
        let cli = Cli::try_parse_from(shlex::split(&format!("gaceta {line}")).unwrap()).unwrap();
        let settings = self.settings.clone().with(&cli.global);
        let style = Style { json: true, ..Style::default() };
        let output = Output::to(style, stdout, self.stderr.clone());
        let running = run_command(cli.command.unwrap(), &settings, &output, stop);
        tokio::time::timeout(WATCHDOG, running).await.expect("the watchdog barked")
    }

    /// What was printed since the last look, a value for each line.
    pub fn printed(&self) -> Vec<serde_json::Value> {
        values(&self.stdout)
    }

    pub fn complained(&self) -> Vec<serde_json::Value> {
        values(&self.stderr)
    }

    /// The files under `outbox` or `drafts`.
    pub fn files(&self, what: &str) -> usize {
        std::fs::read_dir(self.settings.state_dir.join(what)).map_or(0, Iterator::count)
    }
}

fn values(bytes: &Mutex<Vec<u8>>) -> Vec<serde_json::Value> {
    let bytes = std::mem::take(&mut *bytes.lock().unwrap());
    String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
