//! The exact bytes of every message, held in `golden.txt`: clients and servers of one protocol version must understand
//! each other for years, and bincode numbers variants and fields by nothing but their place in the source.
//!
//! If this fails without your wanting it, put the order or the type back: a new variant goes to the end of its enum, a new field
//! behind `later` in its record. If you added one, write the bytes anew and read the difference before committing it: in a record that
//! has a new field its tail alone changes.
//!
//! ```sh
//! GOLDEN_UPDATE=1 cargo test -p gaceta-wire --test golden && git diff wire/tests/golden.txt
//! ```

mod samples;

use gaceta_wire::frame::{self, HEADER_BYTES, Header, VERSIONS};
use gaceta_wire::*;
use samples::Sample;
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write};
use std::sync::LazyLock;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden.txt");
const HEAD: &str = "\
# The exact bytes of every message of Gaceta's protocol; golden.rs compares them and says how to write them anew.
# For each message: its name; its value (only to be read, not compared); the header (length, magic, version); the body.
";
const BODY_BYTES_PER_LINE: usize = 32;

/// The frames of `golden.txt` by name, after it was written anew if that was asked for.
static GOLDEN: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
    if std::env::var_os("GOLDEN_UPDATE").is_some() {
        std::fs::write(PATH, rendered(&described())).expect("golden.txt can be written");
    }
    parsed(&std::fs::read_to_string(PATH).expect("golden.txt can be read"))
});

#[test]
fn messages_have_their_bytes() {
    let described = described();
    for Described { name, frame, .. } in &described {
        let held = GOLDEN.get(name).unwrap_or_else(|| panic!("golden.txt has no {name:?}"));
        assert_eq!(hex(frame), hex(held), "the bytes of {name:?} have changed");
    }
    let names: BTreeSet<_> = described.iter().map(|message| &message.name).collect();
    assert_eq!(names.len(), described.len(), "a name stands for two samples");
    assert_eq!(names, GOLDEN.keys().collect(), "golden.txt holds messages that are gone");
}

/// From the bytes in the file, not from what was just encoded: it is what old peers send.
#[test]
fn held_bytes_mean_the_same_message() {
    for sample in samples::requests() {
        check_decoding(&sample, &GOLDEN[&sample.name]);
    }
    for sample in samples::replies() {
        check_decoding(&sample, &GOLDEN[&sample.name]);
    }
}

fn check_decoding<T: Serialize + DeserializeOwned + PartialEq + Debug>(sample: &Sample<T>, frame: &[u8]) {
    let name = &sample.name;
    let (header, body) = frame.split_first_chunk::<HEADER_BYTES>().expect("a whole header");
    let header = Header::read(header, frame.len(), &VERSIONS).expect("a good header");
    assert_eq!(header.body_bytes, body.len(), "{name}");
    assert_eq!(frame::decode::<T>(body).expect(name), sample.message, "{name}");

    let longer = [body, &[0]].concat();
    let error = frame::decode::<T>(&longer).expect_err("trailing bytes are refused");
    assert!(error.to_string().contains("1 bytes after the message"), "{name}: {error}");
    for length in 0..body.len() {
        assert!(frame::decode::<T>(&body[..length]).is_err(), "{name}: understood with {length} bytes only");
    }
}

#[test]
fn the_header_is_for_ever() {
    let frame = frame::encode(&()).expect("nothing can be encoded");
    assert_eq!(hex(&frame), "00000006474354410002", "length 6, GCTA, version 2");
}

#[test]
fn every_variant_has_a_sample() {
    fn complete(all: &[&'static str], sampled: impl Iterator<Item = &'static str>) {
        let sampled: BTreeSet<_> = sampled.collect();
        let missing: Vec<_> = all.iter().filter(|name| !sampled.contains(*name)).collect();
        assert!(missing.is_empty(), "no sample of {missing:?}: add one to samples/mod.rs");
    }
    let (agent, admin, node) =
        (samples::agent_requests(), samples::admin_requests(), samples::node_requests());
    complete(AgentRequest::VARIANTS, agent.iter().map(|(_, message)| message.variant()));
    complete(AdminRequest::VARIANTS, admin.iter().map(|(_, message)| message.variant()));
    complete(NodeRequest::VARIANTS, node.iter().map(|(_, message)| message.variant()));
    complete(AgentReply::VARIANTS, samples::agent_replies().iter().map(|(_, message)| message.variant()));
    complete(NodeReply::VARIANTS, samples::node_replies().iter().map(|(_, message)| message.variant()));
}

#[test]
fn every_value_has_a_sample() {
    let samples: String = described().into_iter().map(|message| message.value + "\n").collect();
    let words: BTreeSet<&str> = samples.split(|c: char| !c.is_alphanumeric()).collect();
    fn known<T: Debug>(known: &[T]) -> Vec<String> {
        known.iter().map(|value| format!("{value:?}")).collect()
    }
    let values = [
        known(ErrorCode::KNOWN),
        known(Noun::KNOWN),
        known(Role::KNOWN),
        known(NodeState::KNOWN),
        known(ServerKind::KNOWN),
        known(VerifiedState::KNOWN),
        ["Forever", "Limit", "Default", "Unread", "Start", "After"].map(String::from).to_vec(),
    ];
    let missing: Vec<_> = values.into_iter().flatten().filter(|value| !words.contains(&**value)).collect();
    assert!(missing.is_empty(), "no sample of {missing:?}: add one to samples/mod.rs");
}

struct Described {
    name: String,
    value: String,
    frame: Vec<u8>,
}

fn described() -> Vec<Described> {
    fn describe<T: Serialize + Debug>(sample: Sample<T>) -> Described {
        let frame = frame::encode(&sample.message).expect("a sample can be encoded");
        Described { name: sample.name, value: format!("{:?}", sample.message), frame }
    }
    let requests = samples::requests().into_iter().map(describe);
    requests.chain(samples::replies().into_iter().map(describe)).collect()
}

fn rendered(described: &[Described]) -> String {
    let mut text = HEAD.to_string();
    for Described { name, value, frame } in described {
        let (header, body) = frame.split_at(HEADER_BYTES);
        let (length, magic, version) = (&header[..4], &header[4..8], &header[8..]);
        let _ = writeln!(text, "\n{name}");
        let _ = writeln!(text, "  # {value}");
        let _ = writeln!(text, "  {} {} {}", hex(length), hex(magic), hex(version));
        for line in body.chunks(BODY_BYTES_PER_LINE) {
            let _ = writeln!(text, "  {}", hex(line));
        }
    }
    text
}

/// A name stands at the start of a line, its bytes are indented below.
fn parsed(text: &str) -> BTreeMap<String, Vec<u8>> {
    let mut frames = BTreeMap::new();
    let mut current: Option<&mut Vec<u8>> = None;
    for line in text.lines().filter(|line| !line.is_empty() && !line.trim_start().starts_with('#')) {
        if line.starts_with(' ') {
            current.as_mut().expect("bytes follow a name").extend(unhex(line));
        } else {
            assert!(!frames.contains_key(line), "{line:?} stands twice in golden.txt");
            current = Some(frames.entry(line.to_string()).or_default());
        }
    }
    frames
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(line: &str) -> Vec<u8> {
    let digits: String = line.split_whitespace().collect();
    let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(pair).collect()
}
