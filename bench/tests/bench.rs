//! The program itself, with short loads: that what it counts has happened, and that a failure is told. How fast anything was
//! decides nothing here.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Output, Stdio};

const REQUEST_BYTES: usize = 285;
const REPLY_BYTES: usize = 36;
const WARM_MS: u64 = 100;
/// On a busy machine something must still happen within it.
const MEASURE_MS: u64 = 500;

/// A part of a run, with what it is to do on its standard input.
fn part(part: &str, input: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gaceta-bench"));
    command.args(["--part", part]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child
}

/// Ends with its test.
struct Echo {
    child: Child,
    address: SocketAddr,
}

impl Echo {
    fn start(reply_bytes: usize) -> Self {
        let mut child = part("echo", &reply_bytes.to_string());
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("ready echo=").unwrap().parse().unwrap();
        Self { child, address }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn load(address: SocketAddr, clients: usize) -> Value {
    let work =
        json!({ "Echo": { "address": address, "request_bytes": REQUEST_BYTES, "reply_bytes": REPLY_BYTES } });
    let load = json!({ "work": work, "clients": clients, "warm_ms": WARM_MS, "measure_ms": MEASURE_MS });
    let Output { status, stdout, stderr } = part("load", &load.to_string()).wait_with_output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).unwrap()
}

#[test]
fn a_load_counts_what_was_answered() {
    let echo = Echo::start(REPLY_BYTES);
    let measured = load(echo.address, 4);
    let number = |name: &str| measured[name].as_f64().unwrap();
    assert!(number("operations") > 0.0, "{measured}");
    assert_eq!(number("items"), number("operations"), "an item each");
    assert_eq!((number("failed"), number("busy")), (0.0, 0.0), "{measured}");
    assert_eq!(measured["first_failure"], Value::Null);
    assert_eq!(number("elapsed_s"), MEASURE_MS as f64 / 1_000.0);
    assert!(number("p50_ms") > 0.0 && number("p50_ms") <= number("p99_ms"), "{measured}");
    assert!(number("p99_ms") <= number("longest_ms") && number("cpu_s") > 0.0, "{measured}");
}

#[test]
fn a_wrong_answer_counts_as_a_failure() {
    let echo = Echo::start(REPLY_BYTES + 1);
    let measured = load(echo.address, 1);
    assert_eq!(measured["operations"], 0, "{measured}");
    assert!(measured["failed"].as_u64().unwrap() > 0, "{measured}");
    assert_eq!(measured["first_failure"], "37 bytes, not 36");
}

#[test]
fn where_nobody_listens_the_failure_is_told() {
    // No port that a connection may have as its own: at such a one it can meet itself.
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let measured = load(address, 1);
    assert_eq!(measured["operations"], 0, "{measured}");
    assert!(measured["failed"].as_u64().unwrap() > 0, "{measured}");
    let reason = measured["first_failure"].as_str().unwrap();
    assert!(reason.contains("refused"), "{reason}");
}

#[test]
fn an_error_is_one_line() {
    let Output { status, stdout, stderr } = part("load", "no load").wait_with_output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), stdout.len()), (Some(1), 0), "{stderr}");
    assert!(stderr.starts_with("gaceta-bench: ") && stderr.lines().count() == 1, "{stderr}");
}

#[test]
fn a_time_that_says_nothing_is_a_usage_error() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_gaceta-bench")).args(["B7", "--seconds", "0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("from 0.1 to 3600"));
}

#[test]
fn a_row_that_is_none_is_a_usage_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_gaceta-bench")).arg("B13").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("B10"), "the rows that there are");
}
