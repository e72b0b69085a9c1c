//! NATS JetStream with its files as it comes, with a connection per operation. It acknowledges before it has synced: what is held
//! against it does more.
//!
//! Each area is a stream, since numbers are dense within a stream only; it was the faster form, too, than one stream for all.
//! Clients connect as its own ones do: INFO, CONNECT and PING, PONG, and then they publish. They close first, and their ports rest
//! for a second or two: at some 7,000 connections a second a system's 28,000 suffice. Where they do not, that is what the
//! report says in place of a figure.

use super::peers::{self, Peer};
use crate::bench::Bench;
use crate::figures::Figures;
use crate::load::{Work, peers as clients};
use crate::stage::{AREAS, BODY_BYTES};
use anyhow::Context;
use std::process::Command;

pub const PROGRAM: &str = "nats-server";
pub const FIGURE: &str = "jetstream_ops_s";

pub async fn measure(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let Some(program) = peers::find(PROGRAM) else {
        figures.missing(FIGURE, "nats-server is not installed");
        return Ok(());
    };
    let peer = Peer::start(PROGRAM, |port, directory| {
        let mut command = Command::new(program);
        command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(directory);
        command
    })
    .await?;
    for stream in 0..AREAS {
        let created = clients::create_stream(peer.address, stream).await;
        created.map_err(|trouble| anyhow::anyhow!("{trouble:?}")).context("JetStream makes no stream")?;
    }
    let work = Work::Jetstream { address: peer.address, streams: AREAS, body_bytes: BODY_BYTES };
    peers::measure(("JetStream", FIGURE), &work, bench, figures).await
}
