//! What one would take instead: an operation of theirs over a connection of its own, spoken as plainly as their protocols
//! allow. The client closes, as theirs do.

use super::closed_loop::{self, Trouble};
use super::{Load, Measured};
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Where JetStream's acknowledgement goes. Subjects of one's own are one's own while nobody else listens: an inbox each
/// would only be longer.
const INBOX: &str = "_INBOX.bench.";

pub fn redis(
    load: &Load,
    addresses: &[SocketAddr],
    streams: usize,
    body_bytes: usize,
) -> anyhow::Result<Measured> {
    closed_loop::run(load, |client| {
        let addresses = addresses.to_vec();
        let (stream, body) = (format!("stream-{}", client % streams), "r".repeat(body_bytes));
        let parts = ["XADD", &stream, "*", "body", &body];
        let mut request = format!("*{}\r\n", parts.len());
        for part in parts {
            request += &format!("${}\r\n{part}\r\n", part.len());
        }
        let mut nth = client;
        async move || {
            nth += 1;
            let mut connection = Connection::open(addresses[nth % addresses.len()]).await?;
            connection.send(request.as_bytes()).await?;
            let head = connection.line().await?;
            let Some(bytes) = head.strip_prefix('$').and_then(|bytes| bytes.parse::<usize>().ok()) else {
                return Err(Trouble::Failed(format!("Redis: {head}")));
            };
            let id = connection.payload(bytes).await?;
            if id.contains('-') { Ok(1) } else { Err(Trouble::Failed(format!("Redis: no id, {id:?}"))) }
        }
    })
}

pub fn jetstream(
    load: &Load,
    address: SocketAddr,
    streams: usize,
    body_bytes: usize,
) -> anyhow::Result<Measured> {
    closed_loop::run(load, |client| {
        let (stream, body) = (client % streams, "j".repeat(body_bytes));
        let request = nats_request(client, &subject(stream), &body);
        async move || {
            let acknowledged = ask_nats(address, &request).await?;
            let stream = format!("\"stream\":\"{}\"", name(stream));
            if !acknowledged.contains(&stream) || acknowledged.contains("\"error\"") {
                return Err(Trouble::Failed(format!("JetStream: {acknowledged}")));
            }
            Ok(1)
        }
    })
}

/// With everything as it comes but for the files.
pub async fn create_stream(address: SocketAddr, stream: usize) -> Result<(), Trouble> {
    let name = name(stream);
    let config = serde_json::json!({ "name": name, "subjects": [subject(stream)], "storage": "file" });
    let request = nats_request(stream, &format!("$JS.API.STREAM.CREATE.{name}"), &config.to_string());
    let reply: serde_json::Value = serde_json::from_str(&ask_nats(address, &request).await?)?;
    match reply.get("error") {
        None => Ok(()),
        Some(error) => Err(Trouble::Failed(format!("JetStream: {error}"))),
    }
}

fn name(stream: usize) -> String {
    format!("stream-{stream}")
}

fn subject(stream: usize) -> String {
    format!("area.{stream}")
}

/// Who a client is. JetStream's own clients are sure of a new connection before they use it: they wait for the PONG.
const NATS_CONNECT: &[u8] = b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\nPING\r\n";

/// Where a client wants the answer, and what it publishes, in one write.
fn nats_request(client: usize, subject: &str, body: &str) -> Vec<u8> {
    let bytes = body.len();
    format!("SUB {INBOX}{client} 1\r\nPUB {subject} {INBOX}{client} {bytes}\r\n{body}\r\n").into_bytes()
}

async fn ask_nats(address: SocketAddr, request: &[u8]) -> Result<String, Trouble> {
    let mut connection = Connection::open(address).await?;
    let info = connection.line().await?;
    if !info.starts_with("INFO ") {
        return Err(Trouble::Failed(format!("JetStream: {info}")));
    }
    connection.send(NATS_CONNECT).await?;
    let pong = connection.line().await?;
    if pong != "PONG" {
        return Err(Trouble::Failed(format!("JetStream: {pong}")));
    }
    connection.send(request).await?;
    loop {
        let line = connection.line().await?;
        if let Some(message) = line.strip_prefix("MSG ") {
            let bytes = message.rsplit(' ').next().and_then(|bytes| bytes.parse().ok());
            let bytes = bytes.ok_or_else(|| Trouble::Failed(format!("JetStream: {line}")))?;
            return connection.payload(bytes).await;
        }
        if line != "PING" {
            return Err(Trouble::Failed(format!("JetStream: {line}")));
        }
        connection.send(b"PONG\r\n").await?;
    }
}

/// Lines and payloads that end like lines: both protocols have nothing else.
struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self, Trouble> {
        let stream = TcpStream::connect(address).await.map_err(|error| match error.kind() {
            ErrorKind::AddrNotAvailable => Trouble::Failed(
                "no port is free: clients that close first leave theirs resting; net.ipv4.tcp_tw_reuse is for that".into(),
            ),
            _ => Trouble::from(error),
        })?;
        Ok(Self { stream, read: Vec::with_capacity(1_024) })
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<String, Trouble> {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let mut line = self.read.drain(..end + 2).collect::<Vec<_>>();
                line.truncate(end);
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            self.more().await?;
        }
    }

    async fn payload(&mut self, bytes: usize) -> Result<String, Trouble> {
        while self.read.len() < bytes + 2 {
            self.more().await?;
        }
        Ok(String::from_utf8_lossy(&self.read[..bytes]).into_owned())
    }

    async fn more(&mut self) -> Result<(), Trouble> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(Trouble::Failed("closed before the answer".into())),
            _ => Ok(()),
        }
    }
}
