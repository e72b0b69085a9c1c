//! Settings in the database: one version for all, changes that meet, imports that are whole or nothing, rows that somebody
//! wrote by hand.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_db::settings::{self, Change, Changed, Settings, change, list, load};
use gaceta_db::{Db, Error, TokenHash, sessions, testing, users};
use std::time::Duration;

const TOKEN: [u8; 32] = [7; 32];

struct Table {
    database: testing::TestDatabase,
    db: Db,
    admin: TokenHash,
}

impl Table {
    async fn new() -> Self {
        let database = testing::database().await;
        let db = Db::new(&database.dsn).unwrap();
        let name = gaceta_db::names::Name::parse("admin").unwrap();
        users::ensure_admin(&db, &name, "hash").await.unwrap();
        let admin = TokenHash::of(&TOKEN);
        let user_id = users::credentials(&db, "admin").await.unwrap().unwrap().user_id;
        sessions::start(&db, user_id, "hash", &admin, "here").await.unwrap().unwrap();
        Self { database, db, admin }
    }

    async fn change(&self, changes: &[(&str, Option<&str>)]) -> Result<Changed, Error> {
        change(&self.db, &self.admin, &changes_of(changes), None).await
    }

    async fn sql(&self, statement: &str) {
        self.database.client().await.batch_execute(statement).await.unwrap();
    }

    async fn settings(&self) -> (i64, Settings) {
        let loaded = load(&self.db).await.unwrap();
        (loaded.version, loaded.settings)
    }

    async fn audited(&self) -> Vec<String> {
        let rows = self
            .db
            .query("select action || ' ' || target || ' ' || detail from audit order by audit_id", &[])
            .await
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

fn changes_of(changes: &[(&str, Option<&str>)]) -> Vec<Change> {
    let change = |(name, value): &(&str, Option<&str>)| Change {
        name: (*name).into(),
        value: value.map(str::to_owned),
    };
    changes.iter().map(change).collect()
}

fn told(error: Error) -> String {
    error.to_string()
}

#[tokio::test]
async fn i10_a_change_raises_the_version_once_and_its_repeat_finds_it_so() {
    let table = Table::new().await;
    assert_eq!(table.settings().await, (1, Settings::default()));
    let wanted = [("lease_ttl_ms", Some("9s")), ("registration", Some("closed"))];
    assert_eq!(table.change(&wanted).await.unwrap(), Changed { version: 2, already: false });
    assert_eq!(table.change(&wanted).await.unwrap(), Changed { version: 2, already: true });
    let expected = changes_of(&wanted);
    let repeated = change(&table.db, &table.admin, &expected, Some(1)).await.unwrap();
    assert_eq!(repeated, Changed { version: 2, already: true }, "with the version of before, too");
    let other = changes_of(&[("lease_ttl_ms", Some("10s"))]);
    let refused = change(&table.db, &table.admin, &other, Some(1)).await.unwrap_err();
    assert!(matches!(&refused, Error::Conflict(text) if text.contains("version 2, not 1")), "{refused}");

    let (_, settings) = table.settings().await;
    assert_eq!((settings.lease_ttl_ms, settings.registration_open), (9_000, false));
    let unset = table.change(&[("lease_ttl_ms", None)]).await.unwrap();
    assert_eq!(unset, Changed { version: 3, already: false });
    assert_eq!(table.change(&[("lease_ttl_ms", None)]).await.unwrap(), Changed { version: 3, already: true });
    assert_eq!(table.settings().await.1.lease_ttl_ms, Settings::default().lease_ttl_ms);
    let audited = [
        "setting.set lease_ttl_ms {\"to\": 9000, \"from\": null}",
        "setting.set registration {\"to\": \"closed\", \"from\": null}",
        "setting.unset lease_ttl_ms {\"to\": null, \"from\": 9000}",
    ];
    assert_eq!(table.audited().await, audited);
}

#[tokio::test]
async fn an_import_applies_whole_or_not_at_all_and_tells_everything_that_is_wrong() {
    let table = Table::new().await;
    let wrong = [
        ("event_keep_s", Some("10d")),
        ("registration", Some("ajar")),
        ("lease_renewal_ms", Some("5s")),
        ("sample_kep_s", Some("1h")),
        ("event_keep_s", None),
    ];
    let refused = table.change(&wrong).await.unwrap_err();
    assert!(matches!(refused, Error::Settings(_)), "{refused:?}");
    assert_eq!(
        told(refused).lines().collect::<Vec<_>>(),
        [
            "no setting \"sample_kep_s\": `admin settings list` lists them",
            "registration must be open or closed, not \"ajar\"",
            "event_keep_s is given more than once",
            "lease_renewal_ms must be at most 1/3 of lease_ttl_ms (6s): 2s or less, not 5s",
        ]
    );
    assert_eq!(table.settings().await, (1, Settings::default()));
    assert!(matches!(table.change(&[("nothing", None)]).await, Err(Error::Settings(_))));
    // What breaks a rule by itself is fine together with what it needs.
    let both = [("lease_renewal_ms", Some("5s")), ("lease_ttl_ms", Some("15000"))];
    assert_eq!(table.change(&both).await.unwrap().version, 2);
}

#[tokio::test]
async fn two_changes_at_once_are_both_checked_against_what_results() {
    let table = Table::new().await;
    // Each is allowed by itself; together they would break the rule between them.
    for round in 0..10 {
        table.sql("delete from settings").await;
        let (db, admin) = (table.db.clone(), table.admin);
        let one = tokio::spawn(async move {
            change(&db, &admin, &changes_of(&[("lease_ttl_ms", Some("4500ms"))]), None).await
        });
        let (db, admin) = (table.db.clone(), table.admin);
        let other = tokio::spawn(async move {
            change(&db, &admin, &changes_of(&[("lease_renewal_ms", Some("2s"))]), None).await
        });
        let (one, other) = (one.await.unwrap(), other.await.unwrap());
        assert!(one.is_ok() != other.is_ok(), "round {round}: {one:?} {other:?}");
        let (_, settings) = table.settings().await;
        assert!(settings.lease_ttl_ms >= 3 * settings.lease_renewal_ms, "{settings:?}");
    }
}

#[tokio::test]
async fn a_change_that_meets_another_one_waits_for_it_and_is_checked_again() {
    let table = Table::new().await;
    let mut client = table.database.client().await;
    let transaction = client.transaction().await.unwrap();
    transaction
        .batch_execute(
            "update settings_state set version = version + 1; insert into settings values ('lease_ttl_ms', '4500')",
        )
        .await
        .unwrap();
    let (db, admin) = (table.db.clone(), table.admin);
    let waiting = tokio::spawn(async move {
        change(&db, &admin, &changes_of(&[("lease_renewal_ms", Some("2s"))]), None).await
    });
    let blocked = "select count(*) from pg_stat_activity
                    where datname = current_database() and wait_event_type = 'Lock'";
    let looking = table.database.client().await;
    while looking.query_one(blocked, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    transaction.commit().await.unwrap();
    let refused = waiting.await.unwrap().unwrap_err();
    assert_eq!(
        told(refused),
        "lease_renewal_ms must be at most 1/3 of lease_ttl_ms (4500ms): 1500ms or less, not 2s"
    );
}

#[tokio::test]
async fn rows_that_nobody_understands_harm_nothing() {
    let table = Table::new().await;
    table
        .sql(
            "insert into settings values ('of_a_newer_release', '{}'), ('session_lifetime_s', '1'), ('keep_count', '1e400'),
                                         ('check_misses_max', '\"three\"'), ('registration', '\"closed\"'),
                                         ('lease_ttl_ms', '3000'), ('lease_renewal_ms', '20000')",
        )
        .await;
    let loaded = load(&table.db).await.unwrap();
    let expected = Settings { registration_open: false, ..Settings::default() };
    assert_eq!(loaded.settings, expected);
    assert_eq!(loaded.damaged.len(), 4, "{:?}", loaded.damaged);
    // What guards something in a statement falls back to the default as well, and an administrator can put it right.
    list(&table.db, &table.admin).await.unwrap();
    for name in ["session_lifetime_s", "keep_count", "check_misses_max", "lease_ttl_ms", "lease_renewal_ms"] {
        table.change(&[(name, None)]).await.unwrap();
    }
    assert!(load(&table.db).await.unwrap().damaged.is_empty());
    let kept = table.db.query("select from settings where name = 'of_a_newer_release'", &[]).await.unwrap();
    assert_eq!(kept.len(), 1);
}

#[tokio::test]
async fn i5_a_shorter_lifetime_ends_sessions_at_once() {
    let table = Table::new().await;
    let lifetime_s = "select extract(epoch from lifetime)::bigint from session_lifetime";
    let of_sql = async || table.db.query_one(lifetime_s, &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(of_sql().await, Settings::default().session_lifetime_s, "SQL and Rust have the same default");
    for (text, seconds) in [("15m", 900), ("3650d", 315_360_000)] {
        table.change(&[("session_lifetime_s", Some(text))]).await.unwrap();
        assert_eq!(of_sql().await, seconds, "SQL and Rust have the same bounds");
    }
    assert!(sessions::me(&table.db, &table.admin).await.unwrap().is_some());
    table.sql("update sessions set last_used_at = now() - interval '2 hours'").await;
    assert!(settings::list(&table.db, &table.admin).await.is_ok());
    table.sql("update settings set value = '3600' where name = 'session_lifetime_s'").await;
    assert!(sessions::me(&table.db, &table.admin).await.unwrap().is_none());
    assert!(matches!(table.change(&[]).await, Err(Error::Unauthenticated(_))));
}

#[tokio::test]
async fn only_administrators_change_or_list_settings() {
    let table = Table::new().await;
    table.sql("update users set role = 'user'").await;
    assert!(matches!(table.change(&[("registration", Some("closed"))]).await, Err(Error::Denied(_))));
    assert!(matches!(list(&table.db, &table.admin).await, Err(Error::Denied(_))));
    assert!(matches!(settings::status(&table.db, &table.admin).await, Err(Error::Denied(_))));
    assert_eq!(table.settings().await.0, 1);
}
