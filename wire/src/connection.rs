//! The server's side of one connection: read one request under its deadlines and limits, write one reply, close.
//!
//! The server closes first, so that the clients' ports are not used up by connections that linger.

use crate::budget::Charge;
use crate::codec::{Bincode, Codec};
use crate::frame::{self, BadHeader, HEADER_BYTES, Header};
use crate::growing::{Carried, UnknownVariant};
use crate::limits::{Limits, REPLY_BYTES_MAX};
use crate::message::{ErrorCode, ErrorReply, Reply, Request, RequestBody, Token, Versions};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

/// The first read. A request of usual size comes whole with it: one system call, and nothing unfinished to be counted.
/// Held for each connection that has yet to say something, too: some 20 MiB with as many connections as files usually allow.
const FIRST_READ_BYTES: usize = 1024;
/// How much more is read, and charged to the budget, at a time.
const READ_STEP_BYTES: usize = 16 * 1024;

pub struct Connection {
    stream: TcpStream,
    /// What the peer speaks; `None` before its header has come.
    version: Option<u16>,
}

/// Why there is no request.
#[derive(Debug)]
pub enum ReadError {
    /// Nobody to tell: the peer is gone, or never said anything.
    Gone,
    /// The peer gets this answer. `unread` says that more of its bytes may be on their way. `request_id` is nil where it could
    /// not be read.
    Refused { request_id: Uuid, error: ErrorReply, unread: bool },
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, version: None }
    }

    /// Reads the one request of this connection. Buffers grow as bytes come, never by what a length claims.
    pub async fn read_request(&mut self, limits: &Limits, charge: &mut Charge) -> Result<Request, ReadError> {
        let mut frame = Vec::with_capacity(FIRST_READ_BYTES);
        match timeout(limits.first_byte_wait, self.stream.read_buf(&mut frame)).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) | Err(_) => return Err(ReadError::Gone),
        }
        let header = match header(&frame, limits)? {
            Some(header) if frame.len() >= HEADER_BYTES + header.body_bytes => header,
            _ => match timeout(limits.frame_wait, self.read_rest(&mut frame, limits, charge)).await {
                Ok(read) => read?,
                Err(_) => {
                    let seconds = limits.frame_wait.as_secs();
                    let text = format!("the request did not come within {seconds} s: check the connection");
                    return Err(refused(ErrorReply::invalid(text)));
                }
            },
        };
        self.version = Some(header.version);
        let body = &frame[HEADER_BYTES..HEADER_BYTES + header.body_bytes];
        frame::decode(body).map_err(|malformed| match unknown_request(body) {
            Some((request_id, unknown)) => {
                ReadError::Refused { request_id, error: ErrorReply::unknown_request(unknown), unread: false }
            }
            None => {
                let error =
                    ErrorReply::invalid(format!("{malformed}: this is no request of Gaceta's protocol"));
                ReadError::Refused { request_id: Uuid::nil(), error, unread: false }
            }
        })
    }

    /// Reads on until the frame is whole.
    async fn read_rest(
        &mut self,
        frame: &mut Vec<u8>,
        limits: &Limits,
        charge: &mut Charge,
    ) -> Result<Header, ReadError> {
        let header = loop {
            match header(frame, limits)? {
                Some(header) => break header,
                None => self.read_some(frame, HEADER_BYTES).await?,
            }
        };
        let wanted = HEADER_BYTES + header.body_bytes;
        let mut room = frame.len();
        while frame.len() < wanted {
            // A step is charged once, in however many pieces it comes: the budget counts bytes, not reads.
            if frame.len() == room {
                let step = READ_STEP_BYTES.min(wanted - room);
                if !charge.take(step) {
                    let error = ErrorReply::busy("too many unfinished requests: try again", 1_000);
                    return Err(refused(error));
                }
                room += step;
                frame.reserve(step);
            }
            self.read_some(frame, room).await?;
        }
        Ok(header)
    }

    /// Reads at least a byte, and not beyond `upto` bytes in all.
    async fn read_some(&mut self, frame: &mut Vec<u8>, upto: usize) -> Result<(), ReadError> {
        let room = (upto - frame.len()) as u64;
        match (&mut self.stream).take(room).read_buf(frame).await {
            Ok(1..) => Ok(()),
            Ok(0) | Err(_) => Err(ReadError::Gone),
        }
    }

    /// The version of the answer: the peer's, and the highest of ours for one that has not said any that is spoken here.
    fn version_for(&self, limits: &Limits) -> u16 {
        self.version.unwrap_or(*limits.versions.end())
    }

    /// Writes the reply and closes. The request was read to its end, so that closing sends what is still to be sent, and
    /// the end of it: nothing has to be shut down, or told to be sent at once, before.
    pub async fn write_reply(mut self, reply: &Reply, limits: &Limits) -> io::Result<()> {
        let frame = encode_reply(reply, self.version_for(limits));
        timeout(limits.write_wait, self.stream.write_all(&frame)).await?
    }

    /// Answers a request that was not read to its end. Without reading on for a moment, closing would send a reset, and
    /// the reset would overtake the answer.
    pub async fn refuse(
        mut self,
        request_id: Uuid,
        error: ErrorReply,
        unread: bool,
        limits: &Limits,
    ) -> io::Result<()> {
        let reply = Reply { request_id, result: Err(error) };
        let frame = encode_reply(&reply, self.version_for(limits));
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

/// The header of the frame that begins so; `None`: it has not come yet.
fn header(frame: &[u8], limits: &Limits) -> Result<Option<Header>, ReadError> {
    let Some(header) = frame.first_chunk() else { return Ok(None) };
    Header::read(header, limits.request_bytes_max, &limits.versions).map(Some).map_err(refused_header)
}

/// The rest of what the peer sends is not read.
fn refused(error: ErrorReply) -> ReadError {
    ReadError::Refused { request_id: Uuid::nil(), error, unread: true }
}

fn refused_header(bad: BadHeader) -> ReadError {
    let text = bad.to_string();
    refused(match bad {
        BadHeader::Magic => ErrorReply::invalid(text),
        BadHeader::TooLarge { .. } => ErrorReply::new(ErrorCode::TooLarge, text),
        BadHeader::Version { min, max, .. } => {
            let versions = Some(Versions { min: min.into(), max: max.into() });
            ErrorReply { versions, ..ErrorReply::invalid(text) }
        }
    })
}

/// Of a body that cannot be decoded: the request of a later release that it holds, if that is the reason.
fn unknown_request(body: &[u8]) -> Option<(Uuid, UnknownVariant)> {
    /// What stands before the body of a [`Request`].
    type Before = (Uuid, Option<Token>, u32);
    let ((request_id, _, _), read) = Bincode::decode_first::<Before>(body).ok()?;
    RequestBody::unknown(&body[read..]).map(|unknown| (request_id, unknown))
}

/// A reply over the limit is a mistake of ours; the peer gets an answer all the same.
fn encode_reply(reply: &Reply, version: u16) -> Vec<u8> {
    let failure = |what: &str| {
        tracing::error!(request_id = %reply.request_id, what, "reply not sent");
        let error = ErrorReply::new(ErrorCode::TooLarge, format!("{what}: ask for less at a time"));
        frame::encode_as(&Reply { request_id: reply.request_id, result: Err(error) }, version)
            .unwrap_or_default()
    };
    match frame::encode_as(reply, version) {
        Ok(frame) if frame.len() <= REPLY_BYTES_MAX => frame,
        Ok(_) => failure("the reply is too large"),
        Err(_) => failure("the reply cannot be encoded"),
    }
}
