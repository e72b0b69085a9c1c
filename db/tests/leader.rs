//! I7 at its root: the lease is taken, renewed, handed on by the database's clock, and what an older leader writes late changes
//! nothing. Time is moved by moving what the row says.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_db::leader::{Reason, Term, current, release, renew, take};
use gaceta_db::nodes::{self, Found};
use gaceta_db::{Db, Error, assignments, testing};
use uuid::Uuid;

const TTL_MS: i64 = 60_000;

struct Agents {
    database: testing::TestDatabase,
    db: Db,
    one: Uuid,
    other: Uuid,
}

impl Agents {
    async fn new() -> Self {
        let database = testing::database().await;
        let db = Db::new(&database.dsn).unwrap();
        Self { database, db, one: Uuid::now_v7(), other: Uuid::now_v7() }
    }

    async fn take(&self, agent_id: Uuid) -> Option<Term> {
        take(&self.db, agent_id, "agent:8000", TTL_MS).await.unwrap()
    }

    async fn expire(&self) {
        self.sql("update leader set expires_at = clock_timestamp() - interval '1 ms'").await;
    }

    async fn sql(&self, sql: &str) {
        self.database.client().await.batch_execute(sql).await.unwrap();
    }

    async fn number(&self, sql: &str) -> i64 {
        self.db.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// A registered node.
    async fn node(&self) -> Uuid {
        let node_id = Uuid::now_v7();
        nodes::register(&self.db, node_id, &node_id.to_string(), "1").await.unwrap();
        node_id
    }

    /// A write of a leader.
    async fn put_live(&self, term: Term, node_id: Uuid) -> Result<(), Error> {
        nodes::set_states(&self.db, term, &[Found { node_id, from: "announced".into(), to: "live" }]).await
    }
}

#[tokio::test]
async fn i7_a_lease_is_taken_once_and_again_only_when_it_has_expired_or_was_released() {
    let agents = Agents::new().await;
    assert_eq!(current(&agents.db).await.unwrap(), None);
    let first = agents.take(agents.one).await.unwrap();
    assert_eq!((first.agent_id, first.epoch), (agents.one, 1));
    assert_eq!(agents.take(agents.other).await, None);
    assert!(renew(&agents.db, first, TTL_MS).await.unwrap());
    assert_eq!(current(&agents.db).await.unwrap().unwrap().agent_id, agents.one);

    agents.expire().await;
    assert_eq!(current(&agents.db).await.unwrap(), None);
    assert!(renew(&agents.db, first, TTL_MS).await.unwrap(), "nobody has taken it");
    agents.expire().await;
    let second = agents.take(agents.other).await.unwrap();
    assert_eq!((second.agent_id, second.epoch), (agents.other, 2));
    assert!(!renew(&agents.db, first, TTL_MS).await.unwrap());
    assert!(!release(&agents.db, first, "agent:8000", Reason::Stops).await.unwrap());

    assert!(release(&agents.db, second, "agent:8000", Reason::Doubts).await.unwrap());
    assert!(!renew(&agents.db, second, TTL_MS).await.unwrap(), "it has handed it on");
    assert_eq!(agents.take(agents.one).await.unwrap().epoch, 3, "at once");
    let kinds = "select string_agg(epoch || kind, ' ' order by event_id) from events";
    let kinds: String = agents.db.query_one(kinds, &[]).await.unwrap().get(0);
    assert_eq!(kinds, "1leader.elected 2leader.elected 2leader.doubts 3leader.elected");
}

#[tokio::test]
async fn i7_an_agent_that_holds_the_lease_and_was_not_told_takes_it_at_once_in_another_epoch() {
    let agents = Agents::new().await;
    let node_id = agents.node().await;
    let unheard = agents.take(agents.one).await.unwrap();
    let term = agents.take(agents.one).await.unwrap();
    assert_eq!((unheard.epoch, term.epoch), (1, 2));
    assert_eq!(agents.take(agents.other).await, None);
    assert!(!renew(&agents.db, unheard, TTL_MS).await.unwrap());
    let refused = agents.put_live(unheard, node_id).await;
    assert!(matches!(refused, Err(Error::LeaseLost)), "{refused:?}");
    assert!(renew(&agents.db, term, TTL_MS).await.unwrap());
}

#[tokio::test]
async fn i7_of_many_that_stand_at_once_one_is_elected() {
    let agents = Agents::new().await;
    for epoch in 1..=5 {
        let candidates = (0..5).map(|_| {
            let db = agents.db.clone();
            tokio::spawn(async move { take(&db, Uuid::now_v7(), "agent", TTL_MS).await.unwrap() })
        });
        let mut elected = vec![];
        for candidate in candidates.collect::<Vec<_>>() {
            elected.extend(candidate.await.unwrap());
        }
        assert_eq!(elected.iter().map(|term| term.epoch).collect::<Vec<_>>(), [epoch]);
        agents.expire().await;
    }
}

#[tokio::test]
async fn i7_what_an_older_leader_writes_late_is_refused_and_changes_nothing() {
    let agents = Agents::new().await;
    let node_id = agents.node().await;
    let first = agents.take(agents.one).await.unwrap();
    agents.expire().await;
    let second = agents.take(agents.other).await.unwrap();
    let events = agents.number("select count(*) from events").await;

    assert!(matches!(agents.put_live(first, node_id).await, Err(Error::LeaseLost)));
    agents.sql("insert into areas (creation_id, name, name_key) values (gen_random_uuid(), 'a', 'a')").await;
    let assigned = assignments::write(&agents.db, first, &[(1, vec![node_id])]).await;
    assert!(matches!(assigned, Err(Error::LeaseLost)));
    assert!(matches!(nodes::forget_lost(&agents.db, first).await, Err(Error::LeaseLost)));
    // The same agent, elected again, is another leader.
    let stale = Term { epoch: first.epoch, ..second };
    assert!(matches!(agents.put_live(stale, node_id).await, Err(Error::LeaseLost)));
    assert_eq!(agents.number("select count(*) from events").await, events);
    assert_eq!(agents.number("select count(*) from nodes where state = 'live'").await, 0);
    assert_eq!(agents.number("select count(*) from assignments").await, 0);

    agents.put_live(second, node_id).await.unwrap();
    assignments::write(&agents.db, second, &[(1, vec![node_id])]).await.unwrap();
    assert_eq!(agents.number("select count(*) from nodes where state = 'live'").await, 1);
    assert_eq!(agents.number("select epoch from assignments").await, 2);
    let told = "select count(*) from events where epoch = 2 and kind in ('node.live', 'assignment.moved')";
    assert_eq!(agents.number(told).await, 2);
}

#[tokio::test]
async fn i7_a_write_that_has_passed_the_fence_is_done_before_the_lease_is_handed_on() {
    let agents = Agents::new().await;
    let node_id = agents.node().await;
    let first = agents.take(agents.one).await.unwrap();
    agents.expire().await;
    // The write is past the fence, and waits for the node's row.
    let mut holder = agents.database.client().await;
    let held = holder.transaction().await.unwrap();
    held.execute("select from nodes for update", &[]).await.unwrap();
    let write = {
        let db = agents.db.clone();
        let found = [Found { node_id, from: "announced".into(), to: "live" }];
        tokio::spawn(async move { nodes::set_states(&db, first, &found).await })
    };
    waiting(&agents, 1).await;
    let taken = {
        let (db, other) = (agents.db.clone(), agents.other);
        tokio::spawn(async move { take(&db, other, "agent", TTL_MS).await })
    };
    waiting(&agents, 2).await;
    held.commit().await.unwrap();
    write.await.unwrap().unwrap();
    assert_eq!(taken.await.unwrap().unwrap().unwrap().epoch, 2);
    let order = "select string_agg(epoch || kind, ' ' order by event_id) from events where epoch is not null";
    let order: String = agents.db.query_one(order, &[]).await.unwrap().get(0);
    assert_eq!(order, "1leader.elected 1node.live 2leader.elected");
}

/// PostgreSQL signals no waiting, so this is asked again and again.
async fn waiting(agents: &Agents, count: i64) {
    let waiting = "select count(*) from pg_stat_activity
                    where datname = current_database() and wait_event_type = 'Lock'";
    while agents.number(waiting).await < count {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_node_at_the_address_of_a_drained_one_is_drained_too() {
    let agents = Agents::new().await;
    let [first, second] = [Uuid::now_v7(), Uuid::now_v7()];
    nodes::register(&agents.db, first, "node:8005", "1").await.unwrap();
    agents.sql("update nodes set drained_at = now()").await;
    nodes::leave(&agents.db, first).await.unwrap();
    assert_eq!(nodes::list(&agents.db).await.unwrap(), [], "it has left");
    nodes::register(&agents.db, second, "node:8005", "1").await.unwrap();
    let nodes = nodes::list(&agents.db).await.unwrap();
    assert_eq!(nodes.iter().map(|node| (node.node_id, node.drained)).collect::<Vec<_>>(), [(second, true)]);
}

#[tokio::test]
async fn an_address_that_two_nodes_claim_is_the_ones_that_answers_there() {
    let agents = Agents::new().await;
    let term = agents.take(agents.one).await.unwrap();
    let listed = async || -> Vec<(Uuid, String)> {
        let nodes = nodes::list(&agents.db).await.unwrap();
        nodes.into_iter().map(|node| (node.node_id, node.state)).collect()
    };
    let [first, second, third] = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
    nodes::register(&agents.db, first, "node:8005", "1").await.unwrap();
    nodes::announced(&agents.db, first).await.unwrap();
    let both = [(first, "live".into()), (second, "announced".into())];
    for _ in 0..2 {
        nodes::register(&agents.db, second, "node:8005", "1").await.unwrap();
        assert_eq!(listed().await, both, "whoever only claims it takes nothing away");
    }
    assert_eq!(agents.number("select count(*) from events where kind = 'node.registered'").await, 2);
    nodes::announced(&agents.db, second).await.unwrap();
    assert_eq!(listed().await, [(second, "live".into())], "it has answered");
    nodes::register(&agents.db, third, "node:8005", "1").await.unwrap();
    agents.put_live(term, third).await.unwrap();
    assert_eq!(listed().await, [(third, "live".into())], "it has answered the leader");
}

#[tokio::test]
async fn what_is_wanted_of_an_address_is_wanted_of_both_nodes_while_one_follows_the_other() {
    let agents = Agents::new().await;
    agents
        .sql(
            "with u as (insert into users (name, name_key, password_hash, role) values ('a', 'a', '', 'admin')
                        returning user_id)
             insert into sessions (token_hash, user_id, label, expires_at)
             select sha256(decode(repeat('07', 32), 'hex')), user_id, '', now() + interval '1 day' from u",
        )
        .await;
    let token = gaceta_db::TokenHash::of(&[7; 32]);
    let [first, second, other] = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
    nodes::register(&agents.db, first, "node:8005", "1").await.unwrap();
    nodes::announced(&agents.db, first).await.unwrap();
    nodes::register(&agents.db, second, "node:8005", "1").await.unwrap();
    nodes::register(&agents.db, other, "other:8005", "1").await.unwrap();
    let (node, already) = nodes::drain(&agents.db, &token, "node:8005").await.unwrap();
    assert_eq!((node.node_id, node.drained_at_us.is_some(), already), (first, true, false));
    assert!(nodes::drain(&agents.db, &token, "node:8005").await.unwrap().1);
    let drained = nodes::list(&agents.db).await.unwrap();
    assert_eq!(drained.iter().map(|node| node.drained).collect::<Vec<_>>(), [true, true, false]);
    nodes::announced(&agents.db, second).await.unwrap();
    let (node, already) = nodes::resume(&agents.db, &token, "node:8005").await.unwrap();
    assert_eq!((node.node_id, node.drained_at_us, already), (second, None, false));
    let unclear = nodes::drain(&agents.db, &token, &second.to_string()[..4]).await;
    assert!(
        matches!(&unclear, Err(Error::Invalid(text)) if text.contains("node:8005, other:8005")),
        "{unclear:?}"
    );
}

#[tokio::test]
async fn a_node_whose_address_is_another_one_now_is_looked_for_there() {
    let agents = Agents::new().await;
    let node_id = Uuid::now_v7();
    let register = async |address| nodes::register(&agents.db, node_id, address, "1").await.unwrap();
    let found = async || {
        let mut nodes = nodes::list(&agents.db).await.unwrap();
        let node = nodes.pop().unwrap();
        (node.address, node.state)
    };
    register("10.0.0.1:8005").await;
    register("10.0.0.2:8005").await;
    assert_eq!(found().await, ("10.0.0.2:8005".into(), "announced".into()));
    nodes::announced(&agents.db, node_id).await.unwrap();
    register("10.0.0.2:8005").await;
    assert_eq!(found().await, ("10.0.0.2:8005".into(), "live".into()), "a repeat changes nothing");
    register("10.0.0.3:8005").await;
    assert_eq!(found().await, ("10.0.0.3:8005".into(), "announced".into()), "nobody has asked it there yet");
    nodes::leave(&agents.db, node_id).await.unwrap();
    register("10.0.0.4:8005").await;
    assert_eq!(nodes::list(&agents.db).await.unwrap(), [], "it has left");
}

#[tokio::test]
async fn a_node_that_was_put_out_waits_for_the_leader_and_a_new_one_does_not() {
    let agents = Agents::new().await;
    let node_id = agents.node().await;
    assert_eq!(nodes::announced(&agents.db, node_id).await.unwrap(), Some(false));
    assert_eq!(nodes::announced(&agents.db, node_id).await.unwrap(), Some(true), "it is live");
    assert_eq!(nodes::announced(&agents.db, Uuid::now_v7()).await.unwrap(), None);
    let term = agents.take(agents.one).await.unwrap();
    nodes::set_states(&agents.db, term, &[Found { node_id, from: "live".into(), to: "out" }]).await.unwrap();
    nodes::register(&agents.db, node_id, &node_id.to_string(), "1").await.unwrap();
    assert_eq!(nodes::announced(&agents.db, node_id).await.unwrap(), Some(false));
    assert_eq!(nodes::list(&agents.db).await.unwrap()[0].state, "announced", "the leader may not reach it");
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_what_is_young_is_kept() {
    let agents = Agents::new().await;
    let term = agents.take(agents.one).await.unwrap();
    for (state, age, drained) in [
        ("out", "50 minutes", false),
        ("out", "70 minutes", false),
        ("left", "70 minutes", false),
        ("left", "70 minutes", true),
        ("left", "31 days", true),
        ("live", "31 days", false),
    ] {
        agents
            .sql(&format!(
                "insert into nodes (node_id, address, version, state, state_at, drained_at)
                 values (gen_random_uuid(), '', '', '{state}', now() - interval '{age}',
                         case when {drained} then now() end)"
            ))
            .await;
    }
    agents
        .sql(
            "insert into agents (agent_id, address, version, seen_at)
             select gen_random_uuid(), '', '', now() - age
               from unnest('{1 s, 4 s, 10 minutes, 2 hours}'::interval[]) age;
             update events set at = now() - interval '1 day';
             insert into events (kind, subject) values ('young', '')",
        )
        .await;
    nodes::forget_lost(&agents.db, term).await.unwrap();
    let kept = "select string_agg(state, ' ' order by state) from nodes";
    let kept: String = agents.db.query_one(kept, &[]).await.unwrap().get(0);
    assert_eq!(kept, "left live out", "a drained one that left is one that an administrator wanted so");
    gaceta_db::agents::forget_lost(&agents.db, term).await.unwrap();
    assert_eq!(agents.number("select count(*) from agents").await, 3);
    assert!(!gaceta_db::events::forget_old(&agents.db, term, 3_600).await.unwrap(), "that was all");
    assert_eq!(agents.number("select count(*) from events where kind <> 'young'").await, 0);
    assert_eq!(agents.number("select count(*) from events").await, 1);
    gaceta_db::sessions::forget_ended(&agents.db, term).await.unwrap();
}

#[tokio::test]
async fn an_agent_that_was_killed_is_replaced_by_the_next_one_at_its_address() {
    let agents = Agents::new().await;
    let seen = async |agent_id| gaceta_db::agents::seen(&agents.db, agent_id, "a:8000", "").await.unwrap();
    seen(agents.one).await;
    agents
        .sql(
            "insert into agents (agent_id, address, version, seen_at)
             values (gen_random_uuid(), 'other:8000', '', now() - interval '1 minute')",
        )
        .await;
    seen(agents.other).await;
    assert_eq!(agents.number("select count(*) from agents").await, 3, "it may be another that lives");
    agents
        .sql(&format!("update agents set seen_at = now() - interval '6 s' where agent_id = '{}'", agents.one))
        .await;
    seen(agents.other).await;
    assert_eq!(agents.number("select count(*) from agents where address = 'a:8000'").await, 1);
    assert_eq!(
        agents.number("select count(*) from agents").await,
        2,
        "silent ones elsewhere stay to be seen"
    );
}
