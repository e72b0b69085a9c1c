//! Message bodies as bytes. bincode stands in this file only: the project behind it has stopped, and whatever
//! follows it (postcard fits) goes here, with a new protocol version.

use serde::{Serialize, de::DeserializeOwned};

/// Bounds what a decoder may build from a frame. bincode counts decoded sizes, not wire bytes (a one-byte zero counts
/// as its eight bytes), so this is eight times the longest frame; the frame limit bounds the wire.
const DECODED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A body that is not what its version promises.
#[derive(Debug, thiserror::Error)]
#[error("malformed message: {0}")]
pub struct Malformed(String);

/// How a message becomes bytes and comes back.
pub trait Codec {
    /// Appends the message to `bytes`.
    fn encode<T: Serialize>(message: &T, bytes: &mut Vec<u8>) -> Result<(), Malformed>;
    /// Decodes what the bytes begin with, and counts its bytes.
    fn decode_first<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), Malformed>;
    /// Fails on trailing bytes: what a message may have more of stands in the tails of its records.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
        let (message, read) = Self::decode_first(bytes)?;
        match bytes.len() - read {
            0 => Ok(message),
            left => Err(Malformed(format!("{left} bytes after the message"))),
        }
    }
}

/// bincode 2, little endian, variable-length integers.
pub struct Bincode;

impl Codec for Bincode {
    fn encode<T: Serialize>(message: &T, bytes: &mut Vec<u8>) -> Result<(), Malformed> {
        let config = bincode::config::standard();
        bincode::serde::encode_into_std_write(message, bytes, config)
            .map(drop)
            .map_err(|e| Malformed(e.to_string()))
    }

    fn decode_first<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), Malformed> {
        let config = bincode::config::standard().with_limit::<DECODED_BYTES_MAX>();
        bincode::serde::decode_from_slice(bytes, config).map_err(|e| Malformed(e.to_string()))
    }
}
