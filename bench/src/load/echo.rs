//! (E) the limit for short connections: a server that reads a frame, answers with another one, and closes, and does
//! nothing else. It runs in a process of its own, as a node does.

use super::closed_loop::{self, Trouble};
use super::exchange::exchange;
use super::{Load, Measured};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// More than there are clients: one that finds the queue full comes again after a second, which is no limit of connections.
const BACKLOG: u32 = 1_024;

/// A frame of this many bytes in all, its length in front.
fn frame(bytes: usize) -> Vec<u8> {
    let mut frame = vec![b'x'; bytes.max(4)];
    let counted = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&counted.to_be_bytes());
    frame
}

pub fn run(
    load: &Load,
    address: SocketAddr,
    request_bytes: usize,
    reply_bytes: usize,
) -> anyhow::Result<Measured> {
    let request = frame(request_bytes);
    closed_loop::run(load, |_| {
        let request = request.clone();
        async move || match exchange(address, &request).await?.len() {
            bytes if bytes == reply_bytes => Ok(1),
            other => Err(Trouble::Failed(format!("{other} bytes, not {reply_bytes}"))),
        }
    })
}

/// The server, until it is killed. `ready` gets its address.
pub async fn serve(reply_bytes: usize, ready: impl FnOnce(SocketAddr)) -> anyhow::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let listener = socket.listen(BACKLOG)?;
    ready(listener.local_addr()?);
    let reply: Arc<[u8]> = frame(reply_bytes).into();
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer(stream, reply.clone()));
    }
}

async fn answer(mut stream: TcpStream, reply: Arc<[u8]>) -> std::io::Result<()> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).await?;
    let mut request = vec![0; u32::from_be_bytes(prefix) as usize];
    stream.read_exact(&mut request).await?;
    stream.write_all(&reply).await
}
