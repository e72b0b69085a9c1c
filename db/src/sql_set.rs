//! Functions and views: `db/sql/`, one set with one number, applied as a whole after the migrations. How they are changed stands in
//! `db/sql/README.md`.

use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::time::Instant;

/// The set that this release brings and needs. Raised by every change in `db/sql/`.
pub const SQL_SET: i32 = 1;

/// The files in the order in which they are applied: what takes a lock that others wait for stands last.
const FILES: [(&str, &str); 7] = [
    ("time.sql", include_str!("../sql/time.sql")),
    ("articles.sql", include_str!("../sql/articles.sql")),
    ("access.sql", include_str!("../sql/access.sql")),
    ("attempts.sql", include_str!("../sql/attempts.sql")),
    ("leader.sql", include_str!("../sql/leader.sql")),
    ("retention.sql", include_str!("../sql/retention.sql")),
    ("sessions.sql", include_str!("../sql/sessions.sql")),
];

/// How long a lock is waited for. A view is replaced when nobody uses it, and whoever asks for it meanwhile waits behind: so this is
/// how long requests are held up. Below a second, PostgreSQL's `deadlock_timeout`: whoever is in a circle with this one goes on.
const LOCK_WAIT_MS: u64 = 100;
/// Between two tries: four times as long as one may hold others up.
const RETRY_PAUSE_MS: u64 = 400;
/// Tried for so long. Below the time for which other agents wait for this one.
const APPLY_WAIT_MS: u64 = 60_000;

/// Functions and views, and how new they are.
#[derive(Debug, Clone)]
pub struct SqlSet {
    pub number: i32,
    /// Statements that may be run again and again.
    pub sql: String,
}

impl SqlSet {
    /// The set of this release.
    pub fn this() -> Self {
        Self { number: SQL_SET, sql: FILES.map(|(_, sql)| sql).concat() }
    }

    /// SHA-256 of the text, in hexadecimal: by it tests hold the number.
    pub fn hash(&self) -> String {
        Sha256::digest(&self.sql).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Applies all of it, or nothing, where the database has a lower number. Returns whether it did. Whoever calls this holds the lock of
    /// the migrations. [`Error::HeldUp`]: for a minute somebody used what it replaces, in one transaction.
    pub(crate) async fn apply(&self, client: &tokio_postgres::Client) -> Result<bool> {
        if applied(client).await? >= self.number {
            return Ok(false);
        }
        let begun = Instant::now();
        loop {
            match self.try_apply(client).await {
                Err(Error::HeldUp(reason)) if begun.elapsed() < Duration::from_millis(APPLY_WAIT_MS) => {
                    tracing::debug!(reason, "functions and views wait for a lock");
                    tokio::time::sleep(Duration::from_millis(RETRY_PAUSE_MS)).await;
                }
                result => return result.map(|()| true),
            }
        }
    }

    /// One message: whatever becomes of this process, no lock is held for longer than the statements take.
    async fn try_apply(&self, client: &tokio_postgres::Client) -> Result<()> {
        let Self { number, sql } = self;
        let result = client
            .batch_execute(&format!(
                "begin; set local lock_timeout = {LOCK_WAIT_MS};
                 {sql}
                 ; update service set sql_set = {number}; commit"
            ))
            .await;
        if result.is_err() {
            client.batch_execute("rollback").await?;
        }
        Ok(result?)
    }
}

/// The number of the newest set that the database has seen.
pub(crate) async fn applied(client: &tokio_postgres::Client) -> Result<i32> {
    Ok(client.query_one("select sql_set from service", &[]).await?.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Of the set [`SQL_SET`].
    const SQL_SET_HASH: &str = "98f3842ee24e3efe3b368255c77a1e9ecb68838bb39569f1ce606f4a0f57b7d6";

    fn directory(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }

    #[test]
    fn the_number_is_raised_by_every_change() {
        let hash = SqlSet::this().hash();
        assert_eq!(
            hash,
            SQL_SET_HASH,
            "db/sql has changed: in db/src/sql_set.rs write SQL_SET = {}, and SQL_SET_HASH = {hash:?} \
             (the hash alone where the number was raised already since main)",
            SQL_SET + 1
        );
    }

    #[test]
    fn every_file_is_applied() {
        let files = std::fs::read_dir(directory("sql")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let there: BTreeSet<String> = names.filter(|name| name.ends_with(".sql")).collect();
        let applied: BTreeSet<String> = FILES.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(there, applied);
    }

    /// The names of all functions and views: what follows `create or replace function` and the like.
    fn names() -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for (file, sql) in FILES {
            for line in sql.lines().filter(|line| line.starts_with("create ")) {
                let name = ["function ", "view "].iter().find_map(|kind| {
                    line.strip_prefix("create or replace ")?.strip_prefix(kind)?.split(['(', ' ']).next()
                });
                names
                    .insert(name.unwrap_or_else(|| panic!("{file} makes something else: {line}")).to_owned());
            }
        }
        names
    }

    /// The words of a file without its comments.
    fn words(sql: &str) -> BTreeSet<String> {
        let code: String =
            sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
        code.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect()
    }

    /// They run before the set does, on whatever set is there. The first four made what has been moved here since.
    #[test]
    fn migrations_call_nothing_of_the_set() {
        let names = names();
        assert!(names.contains("post_group") && names.contains("live_sessions"), "{names:?}");
        let mut looked_at = 0;
        for file in std::fs::read_dir(directory("migrations")).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let version: u32 = name.strip_prefix('V').unwrap().split("__").next().unwrap().parse().unwrap();
            let words = words(&std::fs::read_to_string(&path).unwrap());
            if version <= 4 {
                continue;
            }
            looked_at += 1;
            let called: Vec<_> = names.intersection(&words).collect();
            assert!(called.is_empty(), "{name} names {called:?}, which stand in db/sql");
        }
        assert!(looked_at >= 2);
    }
}
