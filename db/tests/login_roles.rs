//! A login role that is not the owner: one role owns everything and cannot log in, `gaceta_1` logs in and acts as it. So the next
//! login role, with the next password, takes over while both work, and the old one is dropped.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_db::listen::{Event, listen, notify_heads};
use gaceta_db::migrate::migrate;
use gaceta_db::names::Name;
use gaceta_db::settings::{Change, Changed, change};
use gaceta_db::{Db, TokenHash, leader, sessions, testing, users};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const DATABASE: &str = "rotated";
/// A test that waits for longer than this has found a mistake.
const WATCHDOG: Duration = Duration::from_secs(30);

async fn client(dsn: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(dsn, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// As an administrator of the database makes one; the password is left out, the cluster of tests asks for none.
fn login_role(name: &str) -> String {
    format!("create role {name} login in role gaceta_owner; alter role {name} set role = 'gaceta_owner'")
}

/// The connection string of the cluster's superuser, with another user.
fn dsn_of(superuser_dsn: &str, role: &str) -> String {
    let of_role = |word: &str| if word.starts_with("user=") { format!("user={role}") } else { word.into() };
    superuser_dsn.split(' ').map(of_role).collect::<Vec<_>>().join(" ")
}

async fn migrations(client: &Client) -> i64 {
    client.query_one("select count(*) from refinery_schema_history", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn the_login_role_can_be_replaced_while_the_service_runs() {
    let cluster = testing::cluster().await;
    let superuser = client(&cluster.dsn("postgres")).await;
    superuser.batch_execute("create role gaceta_owner nologin").await.unwrap();
    superuser.batch_execute(&login_role("gaceta_1")).await.unwrap();
    superuser
        .batch_execute(&format!(
            "create database {DATABASE} owner gaceta_owner template template0 encoding 'UTF8'"
        ))
        .await
        .unwrap();
    let first_dsn = dsn_of(&cluster.dsn(DATABASE), "gaceta_1");
    let second_dsn = dsn_of(&cluster.dsn(DATABASE), "gaceta_2");

    migrate(&first_dsn).await.unwrap();
    let inspector = client(&cluster.dsn(DATABASE)).await;
    let owners = "select array_agg(distinct o.owner::regrole::text)
                    from (select relowner from pg_class where relnamespace = 'public'::regnamespace
                           union all
                          select proowner from pg_proc where pronamespace = 'public'::regnamespace) o (owner)";
    let owners: Vec<String> = inspector.query_one(owners, &[]).await.unwrap().get(0);
    assert_eq!(owners, ["gaceta_owner"], "nothing belongs to who logged in");

    let first = Db::new(&first_dsn).unwrap();
    let row = first.query_one("select session_user::text, current_user::text", &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), ("gaceta_1", "gaceta_owner"));
    assert!(users::ensure_admin(&first, &Name::parse("admin").unwrap(), "hash").await.unwrap());
    let (events, mut heard) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let listener = tokio::spawn({
        let (dsn, stop) = (first_dsn.clone(), stop.clone());
        async move { listen(&dsn, events, stop).await }
    });
    assert_eq!(timeout(WATCHDOG, heard.recv()).await.unwrap(), Some(Event::Connected));

    // The next one, while the first one works.
    superuser.batch_execute(&login_role("gaceta_2")).await.unwrap();
    let before = migrations(&inspector).await;
    migrate(&second_dsn).await.unwrap();
    assert_eq!(migrations(&inspector).await, before, "there was nothing to bring up");
    let second = Db::new(&second_dsn).unwrap();
    let token = TokenHash::of(&[7; 32]);
    let user_id = users::credentials(&second, "admin").await.unwrap().unwrap().user_id;
    sessions::start(&second, user_id, "hash", &token, "here").await.unwrap().unwrap();
    let closed = [Change { name: "registration".into(), value: Some("closed".into()) }];
    let changed = change(&second, &token, &closed, None).await.unwrap();
    assert_eq!(changed, Changed { version: 2, already: false });
    assert!(leader::take(&second, Uuid::now_v7(), "agent:8000", 6_000).await.unwrap().is_some());
    notify_heads(&second, &[7]).await.unwrap();
    assert_eq!(timeout(WATCHDOG, heard.recv()).await.unwrap(), Some(Event::Heads(vec![7])), "both are heard");

    // The first one goes, though it is connected: what is open goes on, and nobody logs in with it any more.
    superuser.batch_execute("drop role gaceta_1").await.unwrap();
    first.ping().await.unwrap();
    notify_heads(&first, &[8]).await.unwrap();
    assert_eq!(timeout(WATCHDOG, heard.recv()).await.unwrap(), Some(Event::Heads(vec![8])));
    let refused = Db::new(&first_dsn).unwrap().ping().await.unwrap_err().to_string();
    assert!(refused.contains("gaceta_1"), "{refused}");
    second.ping().await.unwrap();

    stop.cancel();
    listener.await.unwrap();
}
