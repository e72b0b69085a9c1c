//! Functions and views: a newer set is applied whole or not at all, an older one never, and what a listed release calls stays as it was.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_db::migrate::{migrate, migrate_with_set, wait_for_schema};
use gaceta_db::names::Name;
use gaceta_db::sql_set::{SQL_SET, SqlSet};
use gaceta_db::testing::TestDatabase;
use gaceta_db::{Db, TokenHash, areas, sessions, subscriptions, testing, users};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::Client;
use uuid::Uuid;

/// A test that waits for longer than this has found a mistake.
const WATCHDOG: Duration = Duration::from_secs(60);

/// All functions and views as the database has them.
async fn definitions(client: &Client) -> String {
    let sql = "select (select string_agg(pg_get_functiondef(oid), '' order by oid) from pg_proc
                        where pronamespace = 'public'::regnamespace)
                   || (select string_agg(viewname || definition, '' order by viewname) from pg_views
                        where schemaname = 'public')";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

async fn applied(client: &Client) -> i32 {
    client.query_one("select sql_set from service", &[]).await.unwrap().get(0)
}

/// The set of a later release: this one with one more function.
fn later(number: i32) -> SqlSet {
    let SqlSet { sql, .. } = SqlSet::this();
    let more = format!("create or replace function later() returns integer language sql return {number};");
    SqlSet { number, sql: format!("{more}\n{sql}") }
}

#[tokio::test]
async fn a_higher_set_is_applied_and_a_lower_one_changes_nothing() {
    let database = testing::database().await;
    let client = database.client().await;
    assert_eq!(applied(&client).await, SQL_SET, "an agent of this release has been here");
    for number in [SQL_SET + 1, SQL_SET + 2] {
        migrate_with_set(&database.dsn, &later(number)).await.unwrap();
        let found: i32 = client.query_one("select later()", &[]).await.unwrap().get(0);
        assert_eq!((applied(&client).await, found), (number, number));
    }
    let before = definitions(&client).await;
    migrate(&database.dsn).await.unwrap();
    migrate_with_set(&database.dsn, &later(SQL_SET + 1)).await.unwrap();
    assert_eq!((applied(&client).await, definitions(&client).await), (SQL_SET + 2, before));
}

#[tokio::test]
async fn a_set_that_fails_leaves_everything_as_it_was() {
    let database = testing::database().await;
    let client = database.client().await;
    let before = definitions(&client).await;
    let SqlSet { number, sql } = later(SQL_SET + 1);
    let broken = SqlSet { number, sql: format!("{sql}\nselect no_such_function();") };
    let error = migrate_with_set(&database.dsn, &broken).await.unwrap_err().to_string();
    assert!(error.contains("no_such_function"), "{error}");
    assert_eq!((applied(&client).await, definitions(&client).await), (SQL_SET, before));
}

/// Somebody uses a view for long. Whoever asks for it meanwhile is answered, and the set is applied when that one has gone.
#[tokio::test]
async fn a_set_that_waits_for_a_lock_holds_nobody_up() {
    let database = testing::database().await;
    let (user, others) = (database.client().await, database.client().await);
    user.batch_execute("begin; select from live_sessions").await.unwrap();
    let dsn = database.dsn.clone();
    let applying = tokio::spawn(async move { migrate_with_set(&dsn, &later(SQL_SET + 1)).await });
    let waits = "select count(*) from pg_locks where not granted and mode = 'AccessExclusiveLock'
                                                 and database = (select oid from pg_database where datname = current_database())";
    let mut waited = 0;
    timeout(WATCHDOG, async {
        while waited < 3 {
            // Without a limit of the wait this would be answered when the first one has gone: never.
            others.query("select from live_sessions", &[]).await.unwrap();
            waited += others.query_one(waits, &[]).await.unwrap().get::<_, i64>(0);
        }
    })
    .await
    .expect("everybody waits behind the set");
    assert_eq!(applied(&others).await, SQL_SET);
    user.batch_execute("commit").await.unwrap();
    timeout(WATCHDOG, applying).await.unwrap().unwrap().unwrap();
    assert_eq!(applied(&others).await, SQL_SET + 1);
}

#[tokio::test]
async fn a_node_waits_for_the_set_that_it_needs() {
    let database = testing::database().await;
    let db = Db::new(&database.dsn).unwrap();
    wait_for_schema(&db, Duration::ZERO).await.unwrap();
    db.query("update service set sql_set = sql_set - 1", &[]).await.unwrap();
    let error = wait_for_schema(&db, Duration::ZERO).await.unwrap_err().to_string();
    for words in [&*format!("SQL set {}", SQL_SET - 1), "start an agent of it first"] {
        assert!(error.contains(words), "{words:?} in {error:?}");
    }
    let waiting = tokio::spawn(async move { wait_for_schema(&db, WATCHDOG).await });
    migrate(&database.dsn).await.unwrap();
    waiting.await.unwrap().unwrap();
}

// ---- what listed releases call ------------------------------------------------------------------------------------

fn signatures_directory() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "signatures"].iter().collect()
}

/// Each function with its arguments, and each view: what it returns. And the set: its hash.
async fn signatures(client: &Client) -> BTreeMap<String, String> {
    let sql = "select format('function %s(%s)', proname, pg_get_function_arguments(oid)) as name,
                      pg_get_function_result(oid) as columns
                 from pg_proc where pronamespace = 'public'::regnamespace
                union all
               select 'view ' || c.table_name,
                      string_agg(c.column_name || ' ' || c.data_type, ', ' order by c.ordinal_position)
                 from information_schema.columns c join information_schema.views using (table_schema, table_name)
                where c.table_schema = 'public' group by c.table_name";
    let rows = client.query(sql, &[]).await.unwrap();
    let set = SqlSet::this();
    let mut signatures = BTreeMap::from([(format!("set {}", set.number), set.hash())]);
    signatures.extend(rows.iter().map(|row| (row.get("name"), row.get("columns"))));
    signatures
}

/// The rows of the page of releases.
fn releases() -> Vec<String> {
    let page: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "docs", "releases.md"].iter().collect();
    let page = std::fs::read_to_string(page).unwrap();
    let first = |line: &str| line.strip_prefix("| ")?.split(' ').next().map(str::to_owned);
    let is_release = |text: &String| text.starts_with(|c: char| c.is_ascii_digit());
    let releases: Vec<String> = page.lines().filter_map(first).filter(is_release).collect();
    assert!(releases.contains(&"0.1.0".into()), "the page is not read");
    releases
}

/// What each listed release calls.
fn listed() -> Vec<(String, BTreeMap<String, String>)> {
    let files = std::fs::read_dir(signatures_directory()).unwrap().map(|file| file.unwrap().path());
    let listed = files.map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| line.split_once(" -> ").unwrap());
        let release = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (release, lines.map(|(name, columns)| (name.to_owned(), columns.to_owned())).collect())
    });
    listed.collect()
}

#[tokio::test]
async fn what_a_listed_release_calls_has_the_arguments_and_columns_that_it_had() {
    let database = testing::database().await;
    let there = signatures(&database.client().await).await;
    if let Ok(release) = std::env::var("SIGNATURES_UPDATE") {
        let lines: String = there.iter().map(|(name, columns)| format!("{name} -> {columns}\n")).collect();
        std::fs::write(signatures_directory().join(format!("{release}.txt")), lines).unwrap();
    }
    let listed = listed();
    for release in releases() {
        let has_list = listed.iter().any(|(of, _)| *of == release);
        assert!(has_list, "SIGNATURES_UPDATE={release} cargo test -p gaceta-db --test sql_sets");
    }
    for (release, lines) in listed {
        assert!(lines.len() > 10, "{release}: {lines:?}");
        for (name, columns) in lines {
            if let Some(number) = name.strip_prefix("set ") {
                let number: i32 = number.parse().unwrap();
                let is_another = number < SQL_SET;
                assert!(
                    is_another || there.get(&name) == Some(&columns),
                    "release {release} brought {name}: raise SQL_SET"
                );
                continue;
            }
            let is = there.get(&name).unwrap_or_else(|| panic!("release {release} calls {name}: keep it"));
            let holds = if name.starts_with("view ") {
                *is == columns || is.starts_with(&format!("{columns}, "))
            } else {
                *is == columns
            };
            assert!(holds, "release {release} calls {name} and reads {columns}; now it returns {is}");
        }
    }
}

/// Those that act for a session: what they say of `$1` (the hash of its token) in the area `$2`.
const ACTS_FOR_A_SESSION: &[(&str, &str)] = &[(
    "post_group",
    "select outcome from post_group(array[$1::bytea], array[$2::bigint], array[gen_random_uuid()], array['hello'],
                                    array[sha256('hello')])",
)];
/// Those that tell which sessions hold: how many of `$1`.
const TELLS_SESSIONS: &[(&str, &str)] =
    &[("live_sessions", "select count(*) from live_sessions where token_hash = $1")];
/// Those that act for a leader: how many rows there are for the agent `$1` with the epoch `$2`.
const ACTS_FOR_A_LEADER: &[(&str, &str)] = &[("lease", "select count(*) from lease($1, $2)")];
/// Those that any statement may call, with what it knows already.
const ASKS_NOBODY: &[&str] = &[
    "us",                // a number
    "unread",            // a number, for a cursor that the statement has found by its session
    "notify_access",     // a trigger
    "session_lifetime",  // a setting
    "attempt_wait_ms",   // a number
    "admit_attempt",     // before a log-in there is no session
    "give_attempt_back", // the same
    "attempt_succeeded", // the same
    "posted_before",     // a number, for a leader's statement behind the fence
    "expirable_through", // the same
];

/// An area that nobody may post to: one session has ended, the account of another is disabled, and the last one is not subscribed.
async fn refused(database: &TestDatabase) -> (i64, Vec<(TokenHash, &'static str)>) {
    let db = Db::new(&database.dsn).unwrap();
    let name = |text| Name::parse(text).unwrap();
    users::ensure_admin(&db, &name("admin"), "hash").await.unwrap();
    let mut tokens = vec![];
    for (n, user) in ["admin", "ended", "disabled", "unsubscribed", "never"].into_iter().enumerate() {
        let token = TokenHash::of(&[u8::try_from(n).unwrap(); 32]);
        if user != "admin" {
            users::register(&db, &name(user), "hash").await.unwrap();
        }
        let user_id = users::credentials(&db, user).await.unwrap().unwrap().user_id;
        sessions::start(&db, user_id, "hash", &token, "here").await.unwrap().unwrap();
        tokens.push(token);
    }
    let [admin, ended, disabled, unsubscribed, never] = tokens[..] else { panic!() };
    let (area, _) =
        areas::add(&db, &admin, Uuid::now_v7(), &name("news"), &areas::Change::default()).await.unwrap();
    for token in [&ended, &disabled, &unsubscribed] {
        subscriptions::subscribe(&db, token, area.area_id, false).await.unwrap();
    }
    sessions::end_own(&db, &ended).await.unwrap();
    users::disable(&db, &admin, "disabled").await.unwrap();
    subscriptions::unsubscribe(&db, &unsubscribed, area.area_id).await.unwrap();
    let stranger = TokenHash::of(&[99; 32]);
    let refused = vec![
        (ended, "unauthenticated"),
        (disabled, "unauthenticated"),
        (stranger, "unauthenticated"),
        (unsubscribed, "denied"),
        (never, "denied"),
    ];
    (area.area_id, refused)
}

/// Whatever name a listed release calls, nobody does by it what he may not do.
#[tokio::test]
async fn i5_every_name_that_a_listed_release_calls_refuses_who_has_no_right() {
    let database = testing::database().await;
    let client = database.client().await;
    let named = |line: &str| line.split(['(', ' ']).nth(1).unwrap().to_owned();
    let mut names: BTreeSet<String> =
        listed().iter().flat_map(|(_, lines)| lines.keys()).map(|line| named(line)).collect();
    names.extend(signatures(&client).await.keys().map(|line| named(line)));
    names.retain(|name| name.parse::<i32>().is_err()); // the number of a set
    let asked = [ACTS_FOR_A_SESSION, TELLS_SESSIONS, ACTS_FOR_A_LEADER].concat();
    let known: BTreeSet<String> =
        asked.iter().map(|(name, _)| *name).chain(ASKS_NOBODY.iter().copied()).map(str::to_owned).collect();
    assert_eq!(names, known, "say here how a new name refuses who has no right");

    let (area_id, refused) = refused(&database).await;
    for (name, sql) in ACTS_FOR_A_SESSION {
        for (token, expected) in &refused {
            let outcome: String =
                client.query_one(*sql, &[&token.as_bytes(), &area_id]).await.unwrap().get(0);
            assert_eq!(outcome, *expected, "{name}");
        }
    }
    let articles: i64 = client.query_one("select count(*) from articles", &[]).await.unwrap().get(0);
    assert_eq!(articles, 0);
    for (name, sql) in TELLS_SESSIONS {
        for (token, expected) in &refused {
            let found: i64 = client.query_one(*sql, &[&token.as_bytes()]).await.unwrap().get(0);
            assert_eq!(found, i64::from(*expected == "denied"), "{name}");
        }
    }
    let db = Db::new(&database.dsn).unwrap();
    let (leader, other) = (Uuid::now_v7(), Uuid::now_v7());
    let term = gaceta_db::leader::take(&db, leader, "agent:8000", 60_000).await.unwrap().unwrap();
    for (name, sql) in ACTS_FOR_A_LEADER {
        for (agent, epoch, expected) in [
            (leader, term.epoch, 1),
            (leader, term.epoch - 1, 0),
            (leader, term.epoch + 1, 0),
            (other, term.epoch, 0),
        ] {
            let found: i64 = client.query_one(*sql, &[&agent, &epoch]).await.unwrap().get(0);
            assert_eq!(found, expected, "{name}");
        }
    }
}
