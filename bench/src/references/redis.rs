//! Redis Streams, synced before they are acknowledged, with a connection per operation.

use super::peers::{self, Peer};
use crate::bench::Bench;
use crate::figures::Figures;
use crate::load::Work;
use crate::stage::{AREAS, BODY_BYTES};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

pub const PROGRAM: &str = "redis-server";
const FIGURE: &str = "redis_ops_s";

/// Clients close first, so their ports rest for a second or two (Linux, `tcp_tw_reuse`). At 15,000 connections a second one
/// address would have few ports left, and looking for them would slow Redis down: a system's 28,000 are enough for four times that
/// rate over four addresses. Only Linux has more than one of its own.
const ADDRESSES: u8 = if cfg!(target_os = "linux") { 4 } else { 1 };

pub async fn measure(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let Some(program) = peers::find(PROGRAM) else {
        figures.missing(FIGURE, "redis-server is not installed");
        return Ok(());
    };
    let hosts = (1..=ADDRESSES).map(|last| Ipv4Addr::new(127, 0, 0, last));
    let peer = Peer::start(PROGRAM, |port, directory| {
        let mut command = Command::new(program);
        command.arg("--bind").args(hosts.clone().map(|host| host.to_string()));
        command.args(["--port", &port.to_string(), "--save", ""]).arg("--dir").arg(directory);
        command.args(["--appendonly", "yes", "--appendfsync", "always"]);
        command
    })
    .await?;
    let addresses = hosts.map(|host| SocketAddr::from((host, peer.address.port()))).collect();
    let work = Work::Redis { addresses, streams: AREAS, body_bytes: BODY_BYTES };
    peers::measure(("Redis Streams", FIGURE), &work, bench, figures).await
}
