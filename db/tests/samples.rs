//! Samples of the load: written by the leader alone, summed by the database, thinned for whoever looks at a long time.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_db::leader::Term;
use gaceta_db::samples::{self, Load};
use gaceta_db::{Db, Error, TokenHash, testing};
use uuid::Uuid;

/// The term of an agent that leads from now on.
async fn lead(db: &Db, epoch: i64) -> Term {
    let term = Term { agent_id: Uuid::now_v7(), epoch };
    let sql = "update leader set holder = $1, epoch = $2, expires_at = now() + interval '1 hour'";
    db.query(sql, &[&term.agent_id, &epoch]).await.unwrap();
    term
}

/// An administrator's session.
async fn admin(db: &Db) -> TokenHash {
    let token = TokenHash::of(&[7; 32]);
    db.query(
        "with u as (insert into users (name, name_key, password_hash, role) values ('a', 'a', '', 'admin') returning user_id)
         insert into sessions (token_hash, user_id, label, expires_at)
         select $1, user_id, '', now() + interval '1 day' from u",
        &[&token.as_bytes()],
    )
    .await
    .unwrap();
    token
}

fn load(first: f64) -> Load {
    Load { posts_s: first, reads_s: 2.0, memory_bytes: first * 1_000.0, ..Load::default() }
}

#[tokio::test]
async fn i7_only_the_leader_writes_samples_and_sums_are_those_of_the_live_nodes() {
    let database = testing::database().await;
    let db = Db::new(&database.dsn).unwrap();
    let token = admin(&db).await;
    let reports = [(Uuid::now_v7(), load(1.0)), (Uuid::now_v7(), load(4.0))];

    let old = lead(&db, 1).await;
    samples::write(&db, old, &reports).await.unwrap();
    samples::write(&db, old, &[]).await.unwrap(); // no node is a sample, too
    let new = lead(&db, 2).await;
    for (term, why) in [(old, "its time is over"), (Term { epoch: 2, ..old }, "the epoch of another one")] {
        let refused = samples::write(&db, term, &reports).await;
        assert!(matches!(refused, Err(Error::LeaseLost)), "{why}: {refused:?}");
    }
    samples::write(&db, new, &reports[..1]).await.unwrap();

    let found = samples::list(&db, &token, 60, 100).await.unwrap();
    let told: Vec<_> = found.iter().map(|s| (s.epoch, s.nodes, s.sum.posts_s, s.mean.posts_s)).collect();
    assert_eq!(told, [(1, 2, 5.0, 2.5), (1, 0, 0.0, 0.0), (2, 1, 1.0, 1.0)]);
    assert_eq!((found[0].sum.memory_bytes, found[0].mean.memory_bytes), (5_000.0, 2_500.0));
    assert_eq!((found[0].sum.reads_s, found[0].sum.deletes_s), (4.0, 0.0), "no two columns changed places");
    let nodes = db.query_one("select count(*) from node_samples", &[]).await.unwrap();
    assert_eq!(nodes.get::<_, i64>(0), 3);
}

#[tokio::test]
async fn a_long_time_is_thinned_and_what_is_old_is_forgotten() {
    let database = testing::database().await;
    let db = Db::new(&database.dsn).unwrap();
    let token = admin(&db).await;
    let term = lead(&db, 1).await;
    for _ in 0..20 {
        samples::write(&db, term, &[(Uuid::now_v7(), load(1.0))]).await.unwrap();
    }
    assert_eq!(samples::list(&db, &token, 60, 10).await.unwrap().len(), 10);
    assert_eq!(samples::list(&db, &token, 60, 7).await.unwrap().len(), 7);
    assert_eq!(samples::list(&db, &token, 60, 100).await.unwrap().len(), 20);

    for table in ["load_samples", "node_samples"] {
        db.query(&format!("update {table} set at = at - interval '2 days'"), &[]).await.unwrap();
    }
    samples::write(&db, term, &[]).await.unwrap();
    let other = Term { agent_id: Uuid::now_v7(), ..term };
    let refused = samples::forget_old(&db, other, 86_400).await;
    assert!(matches!(refused, Err(Error::LeaseLost)), "only the leader forgets: {refused:?}");
    // A thousand nodes write more in a minute than goes in one step.
    db.query(
        "insert into node_samples select now() - interval '3 days', gen_random_uuid(), 1, 1,1,1,1,1,1,1,1,1,1
           from generate_series(1, 12000)",
        &[],
    )
    .await
    .unwrap();
    let mut steps = 1;
    while samples::forget_old(&db, term, 86_400).await.unwrap() {
        steps += 1;
    }
    assert_eq!(steps, 3);
    let left = db
        .query_one("select (select count(*) from load_samples), (select count(*) from node_samples)", &[])
        .await
        .unwrap();
    assert_eq!((left.get::<_, i64>(0), left.get::<_, i64>(1)), (1, 0));
}
