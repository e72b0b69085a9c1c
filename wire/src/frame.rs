//! One frame: `u32` length (big endian, of all that follows), four bytes of magic, `u16` version (big endian), body.
//!
//! The header never changes between versions, so that any two versions can tell each other what is wrong.

use crate::codec::{Bincode, Codec, Malformed};
use serde::{Serialize, de::DeserializeOwned};

pub const MAGIC: [u8; 4] = *b"GCTA";
pub const VERSION: u16 = 1;
/// Length, magic and version.
pub const HEADER_BYTES: usize = 10;
/// What the length counts besides the body.
const COUNTED_HEADER_BYTES: usize = HEADER_BYTES - 4;

/// Why the first bytes of a connection are no frame of ours. Each is a sentence for the peer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    #[error("not a Gaceta connection: the first bytes are not a frame of its protocol")]
    Magic,
    #[error("protocol version {theirs} is not spoken here, only {VERSION}: use a client of the same release")]
    Version { theirs: u16 },
    #[error("a frame of {bytes} bytes is over the limit of {bytes_max} bytes")]
    TooLarge { bytes: usize, bytes_max: usize },
}

/// The number of body bytes that follow this header. Checked before anything is allocated.
pub fn body_bytes(header: &[u8; HEADER_BYTES], bytes_max: usize) -> Result<usize, BadHeader> {
    let [l0, l1, l2, l3, m0, m1, m2, m3, v0, v1] = *header;
    if [m0, m1, m2, m3] != MAGIC {
        return Err(BadHeader::Magic);
    }
    let theirs = u16::from_be_bytes([v0, v1]);
    if theirs != VERSION {
        return Err(BadHeader::Version { theirs });
    }
    let bytes = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
    if bytes > bytes_max {
        return Err(BadHeader::TooLarge { bytes, bytes_max });
    }
    bytes.checked_sub(COUNTED_HEADER_BYTES).ok_or(BadHeader::Magic)
}

/// A frame of usual size, so that its buffer grows seldom.
const FRAME_BYTES_USUAL: usize = 512;

/// A whole frame around `message`. The length is known at the end, and put where it belongs then.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, Malformed> {
    let mut frame = Vec::with_capacity(FRAME_BYTES_USUAL);
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&VERSION.to_be_bytes());
    Bincode::encode(message, &mut frame)?;
    let counted = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&counted.to_be_bytes());
    Ok(frame)
}

pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Malformed> {
    Bincode::decode(body)
}
