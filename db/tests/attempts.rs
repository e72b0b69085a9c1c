//! Counting attempts with passwords: the schedule, whose counter judges whom, and what is forgotten. Time is moved by moving
//! what the rows say, since nobody waits fifteen minutes for a test.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_db::attempts::*;
use gaceta_db::settings::Settings;
use gaceta_db::{Db, testing};
use std::net::IpAddr;
use std::time::{Duration, Instant};

const FROM: &str = "192.0.2.1";
/// The defaults.
const WAIT_MS_MAX: i32 = 30_000;
const FORGET_MS: i64 = 15 * 60 * 1_000;

struct Counters {
    database: testing::TestDatabase,
    db: Db,
}

impl Counters {
    async fn new() -> Self {
        let database = testing::database().await;
        Self { db: Db::new(&database.dsn).unwrap(), database }
    }

    async fn admit(&self, name: &str, from: &str) -> Admission {
        admit(&self.db, name, address(from), &Settings::default()).await.unwrap()
    }

    /// One wrong password, which must be admitted.
    async fn fail(&self, name: &str, from: &str) -> Attempt {
        match self.admit(name, from).await {
            Admission::Admitted(attempt) => attempt,
            Admission::TooEarly(wait) => panic!("{name} from {from} is too early by {wait:?}"),
        }
    }

    /// So long the next attempt would have to wait; it is not counted if that is long enough to be refused.
    async fn wait_ms(&self, name: &str, from: &str) -> u128 {
        match self.admit(name, from).await {
            Admission::Admitted(attempt) => {
                give_back(&self.db, &attempt).await.unwrap();
                0
            }
            Admission::TooEarly(wait) => wait.as_millis(),
        }
    }

    async fn succeed(&self, name: &str, from: &str) {
        succeeded(&self.db, &self.fail(name, from).await).await.unwrap();
    }

    /// Lets time pass.
    async fn pass(&self, ms: u128) {
        let passed = format!("{ms} * interval '1 ms'");
        self.sql(&format!(
            "update attempts set counted_at = counted_at - {passed}, expires_at = expires_at - {passed}"
        ))
        .await;
    }

    /// `n` wrong passwords, each made as soon as it may be.
    async fn fail_often(&self, n: u32, name: &str, from: &str) {
        for _ in 0..n {
            self.pass(WAIT_MS_MAX as u128).await;
            self.fail(name, from).await;
        }
    }

    async fn sql(&self, statement: &str) {
        self.database.client().await.batch_execute(statement).await.unwrap();
    }

    async fn rows(&self) -> i64 {
        self.db.query_one("select count(*) from attempts", &[]).await.unwrap().get(0)
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The rest of a wait of which little has passed, on a machine however busy: more than the step before would be.
fn is_nearly(wait_ms: u128, whole_ms: u128) -> bool {
    (whole_ms / 2 + 1..=whole_ms).contains(&wait_ms)
}

#[tokio::test]
async fn five_are_free_then_the_wait_doubles_up_to_thirty_seconds_and_never_more() {
    let counters = Counters::new().await;
    for _ in 0..5 {
        counters.fail("ana", FROM).await;
    }
    for wait_ms in [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000] {
        let told_ms = counters.wait_ms("ana", FROM).await;
        assert!(is_nearly(told_ms, wait_ms), "{told_ms} of {wait_ms}");
        counters.pass(wait_ms / 2).await;
        assert!(wait_ms < 1_000 || counters.wait_ms("ana", FROM).await > 0, "half-way to {wait_ms}");
        counters.pass(wait_ms / 2).await;
        counters.fail("ana", FROM).await;
    }
    // Thousands of them: the same, and no overflow.
    counters.sql("update attempts set failures = 2147483000").await;
    assert!(is_nearly(counters.wait_ms("ana", FROM).await, 30_000));
}

#[tokio::test]
async fn an_account_is_guarded_against_many_sources_and_a_source_cannot_try_many_accounts() {
    let counters = Counters::new().await;
    for n in 0..5 {
        counters.fail("ana", &format!("203.0.113.{n}")).await;
    }
    assert!(counters.wait_ms("Ana", "192.0.2.99").await > 0, "the account, however it is written");
    assert_eq!(counters.wait_ms("ben", "192.0.2.99").await, 0);
    for n in 0..5 {
        counters.fail(&format!("somebody {n}"), FROM).await;
    }
    assert!(counters.wait_ms("ben", FROM).await > 0, "the source, whatever account");
    assert_eq!(counters.wait_ms("ben", "192.0.2.99").await, 0);
}

#[tokio::test]
async fn fifteen_minutes_without_a_failure_forget_them_all() {
    let counters = Counters::new().await;
    counters.fail_often(9, "ana", FROM).await;
    counters.pass(FORGET_MS as u128 - 5_000).await;
    counters.fail("ana", FROM).await;
    assert!(is_nearly(counters.wait_ms("ana", FROM).await, 8_000), "still known, and one more");
    counters.pass(FORGET_MS as u128 + 1_000).await;
    for _ in 0..5 {
        counters.fail("ana", FROM).await;
    }
    assert!(is_nearly(counters.wait_ms("ana", FROM).await, 250), "they began anew");
}

#[tokio::test]
async fn a_right_password_forgets_the_accounts_failures_and_takes_only_itself_from_the_source() {
    let counters = Counters::new().await;
    counters.fail_often(7, "ana", FROM).await;
    counters.pass(1_000).await;
    counters.succeed("ana", FROM).await;
    assert_eq!(counters.wait_ms("ana", "192.0.2.2").await, 0, "of the account nothing is left");
    for _ in 0..5 {
        counters.fail("ana", "192.0.2.2").await;
    }
    // Of the source all is: who knows one password cannot buy guesses at others with it.
    counters.sql("update attempts set counted_at = now() where account = ''").await;
    assert!(is_nearly(counters.wait_ms("ben", FROM).await, 1_000));
}

#[tokio::test]
async fn what_is_given_back_was_never_counted() {
    let counters = Counters::new().await;
    counters.fail_often(6, "ana", FROM).await;
    counters.pass(2_000).await;
    for _ in 0..20 {
        let attempt = counters.fail("ana", FROM).await;
        give_back(&counters.db, &attempt).await.unwrap(); // and the next one need not wait for it
    }
    // Two at once, as a client sends them that waited for one answer too long: both right.
    counters.sql("update attempts set failures = 2").await;
    let twins = [counters.fail("ana", FROM).await, counters.fail("ana", FROM).await];
    for twin in &twins {
        succeeded(&counters.db, twin).await.unwrap();
    }
    let failures = "select failures from attempts where account = ''";
    let failures: i32 = counters.db.query_one(failures, &[]).await.unwrap().get(0);
    assert_eq!(failures, 2, "neither counts");
}

#[tokio::test]
async fn a_source_that_has_logged_in_before_is_not_kept_out_by_guesses_from_elsewhere() {
    let counters = Counters::new().await;
    counters.succeed("ana", FROM).await;
    counters.fail_often(12, "ana", "198.51.100.7").await;
    assert!(counters.wait_ms("ana", "198.51.100.8").await > 0, "nobody else gets in");
    for _ in 0..5 {
        counters.fail("ana", FROM).await;
    }
    assert!(is_nearly(counters.wait_ms("ana", FROM).await, 250), "but it may not guess either");
    counters.pass(250).await;
    counters.succeed("ana", FROM).await;
    assert_eq!(counters.wait_ms("ana", FROM).await, 0);
    assert!(counters.wait_ms("ana", "198.51.100.8").await > 0, "the attack is not forgotten by that");
    // After 90 days without a log-in it is a source like any other.
    let later = KNOWN_MS as u128 + 1_000;
    counters.pass(later).await;
    counters.fail_often(8, "ana", "198.51.100.7").await;
    assert!(counters.wait_ms("ana", FROM).await > 0);
}

#[tokio::test]
async fn of_an_account_only_the_latest_known_sources_are_kept() {
    let counters = Counters::new().await;
    for n in 0..KNOWN_MAX + 5 {
        counters.succeed("ana", &format!("203.0.113.{n}")).await;
    }
    counters.fail_often(12, "ana", "198.51.100.7").await;
    assert!(counters.wait_ms("ana", "203.0.113.0").await > 0);
    assert_eq!(counters.wait_ms("ana", &format!("203.0.113.{}", KNOWN_MAX + 4)).await, 0);
    let known = "select count(*) from attempts where account <> '' and source <> ''";
    let known: i64 = counters.db.query_one(known, &[]).await.unwrap().get(0);
    assert_eq!(known, i64::from(KNOWN_MAX));
}

#[tokio::test]
async fn stale_rows_go_on_the_way_some_at_a_time() {
    let counters = Counters::new().await;
    let many = "insert into attempts (account, source, failures, counted_at, expires_at)
                select '', decode(md5(n::text), 'hex'), 1, now() - interval '1 hour', now() - interval '45 min'
                  from generate_series(1, 1000) n";
    counters.sql(many).await;
    counters.succeed("ana", FROM).await;
    let left = counters.rows().await;
    assert_eq!(
        left,
        1_000 - i64::from(PURGE_ROWS) + 2,
        "a bounded step, and the source and its pair are there"
    );
    // Somebody who comes from somewhere else each time leaves no more than what is still in force.
    for n in 0..100_u32 {
        counters.pass(FORGET_MS as u128 + 1_000).await;
        counters.fail(&format!("somebody {n}"), &format!("198.51.100.{n}")).await;
    }
    assert_eq!(counters.rows().await, 3, "the pair, the last account and the last source");
}

/// Refused ones leave nothing: names are free to invent.
#[tokio::test]
async fn a_source_that_must_wait_cannot_fill_the_table_with_names() {
    let counters = Counters::new().await;
    counters.fail_often(12, "ana", FROM).await;
    let before = counters.rows().await;
    for n in 0..50 {
        assert!(counters.wait_ms(&format!("somebody {n}"), FROM).await > 0);
    }
    assert_eq!(counters.rows().await, before);
}

/// Through two pools, as two agents have them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_are_admitted_as_the_schedule_says() {
    let counters = Counters::new().await;
    let pools = [counters.db.clone(), Db::new(&counters.database.dsn).unwrap()];
    let began = Instant::now();
    let guesses = (0..50).map(|n| {
        let db = pools[n % 2].clone();
        // Some from many places, so that it is the account that stops them.
        let from = address(&format!("198.51.100.{n}"));
        tokio::spawn(async move { admit(&db, "ana", from, &Settings::default()).await.unwrap() })
    });
    let guesses: Vec<_> = guesses.collect();
    let mut admitted = 0;
    for guess in guesses {
        admitted += u32::from(matches!(guess.await.unwrap(), Admission::Admitted(_)));
    }
    let allowed = allowed(began.elapsed());
    assert!((5..=allowed).contains(&admitted), "{admitted} of at most {allowed}");
}

/// How many wrong ones the schedule grants in this time.
fn allowed(elapsed: Duration) -> u32 {
    let mut granted_at_ms = 0;
    let mut allowed = 5;
    loop {
        granted_at_ms += (250_u128 << (allowed - 5)).min(30_000);
        if granted_at_ms > elapsed.as_millis() {
            return allowed;
        }
        allowed += 1;
    }
}
