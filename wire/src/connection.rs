//! The server's side of one connection: read one request under its deadlines and limits, write one reply, close.
//!
//! The server closes first, so that the clients' ports are not used up by connections that linger.

use crate::budget::Charge;
use crate::error::{ErrorCode, ErrorReply};
use crate::frame::{self, BadHeader, HEADER_BYTES};
use crate::limits::{Limits, REPLY_BYTES_MAX};
use crate::message::{Reply, Request};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

/// How much is read, and charged to the budget, at a time.
const READ_STEP_BYTES: usize = 16 * 1024;

pub struct Connection {
    stream: TcpStream,
}

/// Why there is no request.
#[derive(Debug)]
pub enum ReadError {
    /// Nobody to tell: the peer is gone, or never said anything.
    Gone,
    /// The peer gets this answer. `unread` says that more of its bytes may be on their way.
    Refused { error: ErrorReply, unread: bool },
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        // One small write per connection: waiting for more to send would only add latency.
        let _ = stream.set_nodelay(true);
        Self { stream }
    }

    /// Reads the one request of this connection. Buffers grow as bytes come, never by what a length claims.
    pub async fn read_request(&mut self, limits: &Limits, charge: &mut Charge) -> Result<Request, ReadError> {
        // Not `readable()`: it may return with nothing to read, and silence would be granted the frame's wait as well.
        match timeout(limits.first_byte_wait, self.stream.peek(&mut [0])).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) | Err(_) => return Err(ReadError::Gone),
        }
        match timeout(limits.frame_wait, self.read_frame(limits, charge)).await {
            Ok(result) => result,
            Err(_) => Err(ReadError::Refused {
                error: ErrorReply::invalid(format!(
                    "the request did not come within {} s: check the connection",
                    limits.frame_wait.as_secs()
                )),
                unread: true,
            }),
        }
    }

    async fn read_frame(&mut self, limits: &Limits, charge: &mut Charge) -> Result<Request, ReadError> {
        let mut header = [0; HEADER_BYTES];
        self.stream.read_exact(&mut header).await.map_err(|_| ReadError::Gone)?;
        let body_bytes = frame::body_bytes(&header, limits.request_bytes_max).map_err(refused_header)?;
        let mut body = Vec::new();
        let mut charged = 0;
        while body.len() < body_bytes {
            // A step is charged once, in however many pieces it comes: the budget counts bytes, not reads.
            if body.len() == charged {
                let step = READ_STEP_BYTES.min(body_bytes - charged);
                if !charge.take(step) {
                    let error = ErrorReply::busy("too many unfinished requests: try again", 1_000);
                    return Err(ReadError::Refused { error, unread: true });
                }
                charged += step;
                body.reserve(step);
            }
            let room = (charged - body.len()) as u64;
            let read = (&mut self.stream).take(room).read_buf(&mut body).await;
            if !matches!(read, Ok(1..)) {
                return Err(ReadError::Gone);
            }
        }
        frame::decode(&body).map_err(|malformed| ReadError::Refused {
            error: ErrorReply::invalid(format!("{malformed}: use a client of the same release")),
            unread: false,
        })
    }

    /// Writes the reply and closes.
    pub async fn write_reply(mut self, reply: &Reply, limits: &Limits) -> io::Result<()> {
        let frame = encode_reply(reply);
        timeout(limits.write_wait, async {
            self.stream.write_all(&frame).await?;
            self.stream.shutdown().await
        })
        .await?
    }

    /// Answers a request that was not read to its end. Without reading on for a moment, closing would send a reset, and
    /// the reset would overtake the answer.
    pub async fn refuse(mut self, error: ErrorReply, unread: bool, limits: &Limits) -> io::Result<()> {
        let reply = Reply { request_id: Uuid::nil(), result: Err(error) };
        let frame = encode_reply(&reply);
        timeout(limits.write_wait, async {
            self.stream.write_all(&frame).await?;
            self.stream.shutdown().await
        })
        .await??;
        if unread {
            let mut rest = self.stream.take(limits.drain_bytes_max as u64);
            let _ = timeout(limits.drain_wait, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
        }
        Ok(())
    }
}

fn refused_header(bad: BadHeader) -> ReadError {
    let code = match bad {
        BadHeader::Magic | BadHeader::Version { .. } => ErrorCode::Invalid,
        BadHeader::TooLarge { .. } => ErrorCode::TooLarge,
    };
    ReadError::Refused { error: ErrorReply::new(code, bad.to_string()), unread: true }
}

/// A reply over the limit is a mistake of ours; the peer gets an answer all the same.
fn encode_reply(reply: &Reply) -> Vec<u8> {
    let failure = |what: &str| {
        tracing::error!(request_id = %reply.request_id, what, "reply not sent");
        let error = ErrorReply::new(ErrorCode::TooLarge, format!("{what}: ask for less at a time"));
        frame::encode(&Reply { request_id: reply.request_id, result: Err(error) }).unwrap_or_default()
    };
    match frame::encode(reply) {
        Ok(frame) if frame.len() <= REPLY_BYTES_MAX => frame,
        Ok(_) => failure("the reply is too large"),
        Err(_) => failure("the reply cannot be encoded"),
    }
}
