//! One frame: `u32` length (big endian, of all that follows), four bytes of magic, `u16` version (big endian), body.
//!
//! The header never changes between versions, so that any two versions can tell each other what is wrong.

use crate::codec::{Bincode, Codec, Malformed};
use serde::{Serialize, de::DeserializeOwned};
use std::ops::RangeInclusive;

pub const MAGIC: [u8; 4] = *b"GCTA";
/// The version that this release speaks first. It rises only for what a record cannot carry (`growing.rs`).
pub const VERSION: u16 = 2;
/// The lowest version that it still speaks. Version 1 was before the first release.
pub const VERSION_MIN: u16 = 2;
/// All that it speaks.
pub const VERSIONS: RangeInclusive<u16> = VERSION_MIN..=VERSION;
/// Length, magic and version.
pub const HEADER_BYTES: usize = 10;
/// What the length counts besides the body.
const COUNTED_HEADER_BYTES: usize = HEADER_BYTES - 4;

/// Why the first bytes of a connection are no frame of ours. Each is a sentence for the peer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    #[error("not a Gaceta connection: the first bytes are not a frame of its protocol")]
    Magic,
    #[error("protocol version {theirs} is not spoken here, only {}: use a release that speaks it", spoken(*min, *max))]
    Version { theirs: u16, min: u16, max: u16 },
    #[error("a frame of {bytes} bytes is over the limit of {bytes_max} bytes")]
    TooLarge { bytes: usize, bytes_max: usize },
}

fn spoken(min: u16, max: u16) -> String {
    if min == max { min.to_string() } else { format!("{min} to {max}") }
}

/// What a header says of the body that follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub version: u16,
    pub body_bytes: usize,
}

impl Header {
    /// Checked before anything is allocated.
    pub fn read(
        header: &[u8; HEADER_BYTES],
        bytes_max: usize,
        versions: &RangeInclusive<u16>,
    ) -> Result<Self, BadHeader> {
        let [l0, l1, l2, l3, m0, m1, m2, m3, v0, v1] = *header;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(BadHeader::Magic);
        }
        let version = u16::from_be_bytes([v0, v1]);
        if !versions.contains(&version) {
            let (min, max) = (*versions.start(), *versions.end());
            return Err(BadHeader::Version { theirs: version, min, max });
        }
        let bytes = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        if bytes > bytes_max {
            return Err(BadHeader::TooLarge { bytes, bytes_max });
        }
        let body_bytes = bytes.checked_sub(COUNTED_HEADER_BYTES).ok_or(BadHeader::Magic)?;
        Ok(Self { version, body_bytes })
    }
}

/// A frame of usual size, so that its buffer grows seldom.
const FRAME_BYTES_USUAL: usize = 512;

/// A whole frame around `message`, in the version that this release speaks first.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, Malformed> {
    encode_as(message, VERSION)
}

/// In the version that the peer speaks. The length is known at the end, and put where it belongs then.
pub fn encode_as<T: Serialize>(message: &T, version: u16) -> Result<Vec<u8>, Malformed> {
    let mut frame = Vec::with_capacity(FRAME_BYTES_USUAL);
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&version.to_be_bytes());
    Bincode::encode(message, &mut frame)?;
    let counted = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&counted.to_be_bytes());
    Ok(frame)
}

pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Malformed> {
    Bincode::decode(body)
}
