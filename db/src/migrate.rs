//! Brings the schema up: the migrations, then the functions and views. Agents do it, under a lock, since several start at once; nodes wait.

use crate::pool::{Connected, connect};
use crate::sql_set::{SQL_SET, SqlSet};
use crate::{Db, Error, Result};
use std::time::Duration;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The version that this release needs: the number of its last migration.
pub const SCHEMA_VERSION: i32 = 6;
/// "Gaceta" on a telephone's keys; refinery takes no lock of its own.
const LOCK_ID: i64 = 422_382;
/// How long an agent waits for another one that migrates: no migration of ours takes longer by far.
const LOCK_WAIT_MS: u64 = 120_000;
/// How long a node waits for an agent to migrate: an agent that starts beside it needs a few seconds.
pub const SCHEMA_WAIT: Duration = Duration::from_secs(30);
const SCHEMA_POLL_MS: u64 = 100;
/// How long an agent waits for a database that says that it is starting: both were started together, or it recovers.
const START_WAIT_MS: u64 = 30_000;
const START_POLL_MS: u64 = 200;

/// Applies what is missing. Refuses a database that is not UTF-8: bodies and names would be damaged.
pub async fn migrate(database_url: &str) -> Result<()> {
    migrate_within(database_url, Duration::ZERO).await
}

/// The same, for a database that may still be on its way: one that cannot be reached is tried for so long.
pub async fn migrate_within(database_url: &str, wait: Duration) -> Result<()> {
    let (mut client, connection) = connect_once_started(database_url, wait).await?;
    let driver = tokio::spawn(connection);
    let result = migrate_with(&mut client, &SqlSet::this()).await;
    drop(client); // ends the connection, and with it the lock
    let _ = driver.await;
    result
}

/// Whoever cannot be reached is waited for only where that was asked for: to a person who starts a server by hand a wrong
/// address is told at once. Any other refusal is told at once always: a wrong password does not become right.
async fn connect_once_started(database_url: &str, wait: Duration) -> Result<Connected> {
    let begun = tokio::time::Instant::now();
    let start_wait = wait.max(Duration::from_millis(START_WAIT_MS));
    let mut told = false;
    loop {
        let waited = begun.elapsed();
        match connect(database_url).await {
            Err(error)
                if matches!(error, Error::Starting(_)) && waited < start_wait
                    || matches!(error, Error::Unavailable(_) | Error::Busy) && waited < wait =>
            {
                if !told {
                    tracing::warn!(%error, "waiting for the database");
                }
                told = true;
                tokio::time::sleep(Duration::from_millis(START_POLL_MS)).await;
            }
            connected => return connected,
        }
    }
}

/// Applies the migrations up to this version only: a database of an older release, for tests of upgrades.
#[cfg(feature = "testing")]
pub async fn migrate_to(database_url: &str, version: i32) -> Result<()> {
    let (mut client, connection) = connect(database_url).await?;
    let driver = tokio::spawn(connection);
    let runner = embedded::migrations::runner().set_target(refinery::Target::Version(version));
    let migrated = runner.run_async(&mut client).await;
    drop(client);
    let _ = driver.await;
    migrated.map(drop).map_err(|e| Error::Unexpected(e.to_string()))
}

/// The same with other functions and views than this release's: what an agent of another release does.
#[cfg(feature = "testing")]
pub async fn migrate_with_set(database_url: &str, set: &SqlSet) -> Result<()> {
    let (mut client, connection) = connect(database_url).await?;
    let driver = tokio::spawn(connection);
    let result = migrate_with(&mut client, set).await;
    drop(client);
    let _ = driver.await;
    result
}

async fn migrate_with(client: &mut tokio_postgres::Client, set: &SqlSet) -> Result<()> {
    let encoding: String = client.query_one("select current_setting('server_encoding')", &[]).await?.get(0);
    if encoding != "UTF8" {
        return Err(Error::Invalid(format!(
            "the database's encoding is {encoding}: make one with `create database … encoding 'UTF8' template template0`"
        )));
    }
    client.batch_execute(&format!("set lock_timeout = {LOCK_WAIT_MS}")).await?;
    client.execute("select pg_advisory_lock($1)", &[&LOCK_ID]).await?;
    let report = embedded::migrations::runner()
        .set_abort_missing(false) // a newer release may have been here: its schema still serves us
        .run_async(client)
        .await
        .map_err(|e| Error::Unexpected(format!("the schema cannot be brought up: {e}")))?;
    for applied in report.applied_migrations() {
        tracing::info!(version = applied.version(), name = applied.name(), "migration applied");
    }
    if set.apply(client).await? {
        tracing::info!(sql_set = set.number, "functions and views applied");
    }
    Ok(())
}

/// Waits so long until the schema is the one that this release needs, or a newer one. A database that refuses the log-in is
/// told at once.
pub async fn wait_for_schema(db: &Db, wait: Duration) -> Result<()> {
    let deadline = tokio::time::Instant::now() + wait;
    let (client, connection) = connect_once_started(&db.database_url, wait).await?;
    drop((client, connection));
    let mut told = false;
    loop {
        let found = schema(db).await;
        match found {
            Ok((version, set)) if version >= SCHEMA_VERSION && set >= SQL_SET => return Ok(()),
            Ok((version, set)) if !told => {
                tracing::info!(
                    schema = version,
                    schema_needed = SCHEMA_VERSION,
                    sql_set = set,
                    sql_set_needed = SQL_SET,
                    "waiting for an agent to bring the schema up"
                );
                told = true;
            }
            _ => {}
        }
        if tokio::time::Instant::now() > deadline {
            return Err(match found {
                Ok((version, set)) => Error::Unavailable(format!(
                    "the schema has version {version} and SQL set {set}, this release needs {SCHEMA_VERSION} and \
                     {SQL_SET}: start an agent of it first"
                )),
                Err(error) => error,
            });
        }
        tokio::time::sleep(Duration::from_millis(SCHEMA_POLL_MS)).await;
    }
}

/// The last migration, and the set of functions and views: 0 where there is none yet.
async fn schema(db: &Db) -> Result<(i32, i32)> {
    let there = db.query_one("select to_regclass('refinery_schema_history') is not null", &[]).await?;
    if !there.get::<_, bool>(0) {
        return Ok((0, 0));
    }
    let row = db.query_one("select coalesce(max(version), 0) from refinery_schema_history", &[]).await?;
    let version = row.get(0);
    if version < SCHEMA_VERSION {
        return Ok((version, 0)); // perhaps without the column
    }
    Ok((version, db.query_one("select sql_set from service", &[]).await?.get(0)))
}
