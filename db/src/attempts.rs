//! Attempts with passwords: how many wrong ones there were, for an account and for where they came from, and how long the next
//! one has to wait. Counted before the password is looked at, so that many at once are no way around it; given back when it
//! was right.

use crate::names::key;
use crate::settings::Settings;
use crate::{Db, Result};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// What the next one waits after those that are free; it doubles each time, up to the setting `password_wait_ms_max`: with
/// 30 s 2,880 guesses a day find no password that is worth the name, and a person who remembers at last still waits for it.
pub const WAIT_MS_MIN: i32 = 250;
/// Stale rows deleted with each attempt. One attempt makes two at most, so that any number of them is soon gone, and it costs
/// less than a millisecond.
pub const PURGE_ROWS: i32 = 20;
/// How long a source is known to be where somebody logs in: as long as a session lasts.
pub const KNOWN_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// Known sources of one account, the latest ones: more places than anybody is at, few enough that nobody fills a table.
pub const KNOWN_MAX: i32 = 32;

/// Bytes of an IPv6 address that one customer has: who has one address has 2^64 of them.
const IPV6_PREFIX_BYTES: usize = 8;

/// What became of asking for an attempt.
#[derive(Debug)]
pub enum Admission {
    /// Counted as wrong, until it is told otherwise.
    Admitted(Attempt),
    /// Not counted: it must not be made before this has passed.
    TooEarly(Duration),
}

/// An attempt that was counted.
#[derive(Debug)]
pub struct Attempt {
    account: Vec<u8>,
    source: Vec<u8>,
    known: bool,
    admitted_at: SystemTime,
    source_before: Option<SystemTime>,
    other_before: Option<SystemTime>,
}

/// Asks for an attempt at the account of this name, known or not, from this address.
pub async fn admit(db: &Db, name: &str, from: IpAddr, settings: &Settings) -> Result<Admission> {
    let (account, source) = (account_key(name), source_key(from));
    let failures_free = i32::try_from(settings.password_failures_free).unwrap_or(i32::MAX);
    let wait_ms_max = i32::try_from(settings.password_wait_ms_max).unwrap_or(i32::MAX);
    let forget_ms = settings.password_forget_s * 1_000;
    let row = db
        .query_one(
            "select * from admit_attempt($1, $2, $3, $4, $5, $6, $7)",
            &[&account, &source, &failures_free, &WAIT_MS_MIN, &wait_ms_max, &forget_ms, &PURGE_ROWS],
        )
        .await?;
    let wait_ms: i32 = row.get("wait_ms");
    if wait_ms > 0 {
        return Ok(Admission::TooEarly(Duration::from_millis(wait_ms.unsigned_abs().into())));
    }
    Ok(Admission::Admitted(Attempt {
        account,
        source,
        known: row.get("known"),
        admitted_at: row.get("admitted_at"),
        source_before: row.get("source_before"),
        other_before: row.get("other_before"),
    }))
}

/// The password was right: the failures are forgotten, and the source is known there from now on.
pub async fn succeeded(db: &Db, attempt: &Attempt) -> Result<()> {
    let Attempt { account, source, known, admitted_at, source_before, other_before: _ } = attempt;
    db.query(
        "select attempt_succeeded($1, $2, $3, $4, $5, $6, $7)",
        &[account, source, known, admitted_at, source_before, &KNOWN_MS, &KNOWN_MAX],
    )
    .await
    .map(drop)
}

/// The password was not looked at after all, or the answer is not known.
pub async fn give_back(db: &Db, attempt: &Attempt) -> Result<()> {
    let Attempt { account, source, known, admitted_at, source_before, other_before } = attempt;
    let other = if *known { source.as_slice() } else { &[] };
    db.query(
        "select give_attempt_back('', $2, $3, $4), give_attempt_back($1, $5, $3, $6)",
        &[account, source, admitted_at, source_before, &other, other_before],
    )
    .await
    .map(drop)
}

fn account_key(name: &str) -> Vec<u8> {
    Sha256::digest(key(name)).to_vec()
}

fn source_key(from: IpAddr) -> Vec<u8> {
    match from.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets()[..IPV6_PREFIX_BYTES].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_what_one_customer_has() {
        let of = |address: &str| source_key(address.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"), "the same host over another kind of socket");
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
