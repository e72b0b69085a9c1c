//! Bodies that nobody honest sends: whatever they claim and however they are bent, decoding ends in a message or an
//! error, never in a panic and never in memory that the bytes do not pay for.

mod samples;

use gaceta_wire::frame::{self, Header, VERSIONS};
use gaceta_wire::{Reply, Request};
use proptest::prelude::*;
use serde::Serialize;
use std::sync::LazyLock;

static REQUESTS: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| samples::requests().iter().map(|sample| body(&sample.message)).collect());
static REPLIES: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| samples::replies().iter().map(|sample| body(&sample.message)).collect());

fn body<T: Serialize>(message: &T) -> Vec<u8> {
    frame::encode(message).expect("a sample can be encoded").split_off(frame::HEADER_BYTES)
}

/// Every place of every message in turn claims that 4 GiB, or 2^60 bytes, follow. Were either believed, the process
/// would end or its memory would show it.
#[test]
fn i9_a_claimed_length_allocates_nothing() {
    const NOTICED_KIB: u64 = 1024 * 1024;
    let before = peak_kib();
    for body in REQUESTS.iter().chain(REPLIES.iter()) {
        for at in 0..body.len() {
            for claim in [&[0xfc, 0xff, 0xff, 0xff, 0xff][..], &[0xfd, 0, 0, 0, 0, 0, 0, 0, 0x10]] {
                let claiming = [&body[..at], claim].concat();
                // Some of these are messages by chance: a number may well be 2^60.
                let _ = frame::decode::<Request>(&claiming);
                let _ = frame::decode::<Reply>(&claiming);
            }
        }
    }
    let grown = peak_kib() - before;
    assert!(grown < NOTICED_KIB, "{grown} KiB were allocated");
    assert!(frame::decode::<Request>(&[0xfc, 0xff, 0xff, 0xff, 0xff]).is_err());
}

/// The most address space that this process ever had; elsewhere only the process's survival counts.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// What was understood once is understood again after a round trip, as the same.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(request) = frame::decode::<Request>(bytes) {
        prop_assert_eq!(frame::decode::<Request>(&body(&request)).ok(), Some(request));
    }
    if let Ok(reply) = frame::decode::<Reply>(bytes) {
        prop_assert_eq!(frame::decode::<Reply>(&body(&reply)).ok(), Some(reply));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        check(&bytes)?;
    }

    #[test]
    fn bent_messages_never_panic(
        at_message in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let all: Vec<&Vec<u8>> = REQUESTS.iter().chain(REPLIES.iter()).collect();
        let mut bytes = all[at_message.index(all.len())].clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        check(&bytes)?;
    }

    #[test]
    fn headers_never_panic(header in any::<[u8; frame::HEADER_BYTES]>(), bytes_max in any::<usize>()) {
        if let Ok(Header { body_bytes, .. }) = Header::read(&header, bytes_max, &VERSIONS) {
            prop_assert!(body_bytes <= bytes_max);
        }
    }
}
