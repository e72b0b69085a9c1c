//! Releases side by side on one database: a newer schema serves an older release, and `service.release_min` says which may serve.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_db::migrate::{SCHEMA_VERSION, migrate, wait_for_schema};
use gaceta_db::release::{Release, require};
use gaceta_db::{Db, Error, testing};
use refinery::{Migration, Runner};
use std::time::Duration;

/// What refinery knows of the migrations that were applied.
const HISTORY: &str =
    "select string_agg(h::text, ',' order by version) as history from refinery_schema_history h";

/// A migration that a later release brings, applied by the same means as ours.
#[tokio::test]
async fn a_migration_of_a_later_release_stops_neither_agents_nor_nodes_of_this_one() {
    let database = testing::database().await;
    let name = format!("V{}__later", SCHEMA_VERSION + 1);
    let sql = "alter table areas add column later text not null default ''; update service set release_min = '0.1.0'";
    let later = Migration::unapplied(&name, sql).unwrap();
    let mut client = database.client().await;
    Runner::new(&[later]).set_abort_missing(false).run_async(&mut client).await.unwrap();
    let history = async || client.query_one(HISTORY, &[]).await.unwrap().get::<_, String>("history");
    let before = history().await;
    assert!(before.contains("later"), "{before}");

    // An agent migrates, a node waits.
    migrate(&database.dsn).await.unwrap();
    let db = Db::new(&database.dsn).unwrap();
    wait_for_schema(&db, Duration::ZERO).await.unwrap();
    require(&db, Release::THIS).await.unwrap();
    assert_eq!(history().await, before, "nothing was applied again, or taken back");
}

#[tokio::test]
async fn a_release_below_release_min_may_not_serve() {
    let database = testing::database().await;
    let db = Db::new(&database.dsn).unwrap();
    let release = |text| Release::parse(text).unwrap();
    require(&db, release("0.1.0")).await.unwrap(); // the default is the first release
    db.query("update service set release_min = '0.10.0'", &[]).await.unwrap();
    for older in ["0.1.0", "0.9.0", "0.9.11"] {
        let error = require(&db, release(older)).await.unwrap_err();
        assert!(matches!(error, Error::ReleaseTooOld { .. }), "{older}: {error}");
        for named in [format!("release {older},"), "release 0.10.0 or newer".into()] {
            assert!(error.to_string().contains(&named), "{error}");
        }
    }
    for allowed in ["0.10.0", "0.10.1", "1.0.0"] {
        require(&db, release(allowed)).await.unwrap();
    }
}

#[tokio::test]
async fn release_min_is_three_numbers() {
    let database = testing::database().await;
    let client = database.client().await;
    for text in
        ["", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.3-rc.1", " 1.2.3", "1.2.3\n", "1.2.+3", "1.2.9999999999"]
    {
        let refused = client.execute("update service set release_min = $1", &[&text]).await.unwrap_err();
        let constraint = refused.as_db_error().unwrap().constraint();
        assert_eq!(constraint, Some("service_release_min_check"), "{text:?}");
    }
    client.execute("update service set release_min = '999999999.0.10'", &[]).await.unwrap();
    let largest = require(&Db::new(&database.dsn).unwrap(), Release::THIS).await.unwrap_err();
    assert!(matches!(largest, Error::ReleaseTooOld { .. }), "{largest}");
}
