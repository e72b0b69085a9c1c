//! Would the checker notice? Six services that are wrong in one way each, by SQL put over the test's own database, under a
//! short load that brings it out. The checker must name what is broken; and the same load on the real service is clean.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_e2e::breaker::{PASS, Plan, Way};
use gaceta_e2e::chaos::quiet;
use gaceta_e2e::check::{self, Kind, Violation};
use gaceta_e2e::fleet::{Fleet, Member};
use gaceta_e2e::history::ended;
use gaceta_e2e::history::recorder::Recorder;
use gaceta_e2e::load::place::Place;
use gaceta_e2e::load::{Crowd, Load};
use gaceta_e2e::processes::until;
use gaceta_e2e::seed::{self, Chance};
use gaceta_e2e::service::Service;
use std::time::Duration;

/// One round of load. What is broken shows in a round or two; nothing tells when.
const ROUND: Duration = Duration::from_secs(3);
const ROUNDS_MAX: usize = 6;
const NODES: usize = 3;
/// What was held back arrives at once. Nothing tells when.
const LOOKS_MAX: usize = 20;
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Few areas and no pauses: everybody in everybody's way.
fn crowd() -> Crowd {
    Crowd {
        areas: 1,
        writers: 4,
        followers: 4,
        readers: 2,
        guests: 1,
        twins: 2,
        follow_processes: 0,
        post_processes: 0,
        has_crashes: true,
        pause_ms: (0, 20),
        quiet_wait: Duration::from_secs(5),
    }
}

/// What the checker finds after one round of load on a service with this SQL over its database.
async fn round(mutant: &[String], seed: u64) -> Vec<Violation> {
    let service = Service::start(NODES).await;
    for statements in mutant {
        service.sql(statements).await;
    }
    let nodes: Vec<_> = service.nodes.iter().map(|node| node.address).collect();
    let recorder = Recorder::default();
    let _kept = recorder.kept_in_a_panic("mutant", seed);
    let load = Load::start(recorder, Place::own(&service.agents(), &nodes), crowd(), &Chance::new(seed))
        .await
        .unwrap();
    tokio::time::sleep(ROUND).await;
    check::check(&quiet(load, &service.database.client().await).await)
}

/// Until the checker has found one of these.
async fn assert_caught(mutant: &[String], expected: &[Kind]) {
    let seed = seed::from_environment();
    let mut found = vec![];
    for round_number in 0..ROUNDS_MAX {
        found = round(mutant, seed + round_number as u64).await;
        if found.iter().any(|violation| expected.contains(&violation.kind)) {
            return;
        }
    }
    panic!("GACETA_SEED={seed}: none of {expected:?} was found:\n{}", check::told(&found));
}

/// The definition of a function or view as it is, with some of it replaced.
async fn changed(what: &str, changes: &[(&str, &str)]) -> String {
    let database = db::testing::database().await;
    let mut text: String = database.client().await.query_one(what, &[]).await.unwrap().get(0);
    for (before, after) in changes {
        assert!(text.contains(before), "{before:?} is not in\n{text}");
        text = text.replace(before, after);
    }
    text
}

async fn changed_post_group(changes: &[(&str, &str)]) -> String {
    changed("select pg_get_functiondef('post_group'::regproc)", changes).await
}

const LOCKS: &str = "perform 1 from heads h where h.area_id = any (area_ids) order by h.area_id for update;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_as_it_is_passes_under_the_same_load() {
    let seed = seed::from_environment();
    let found = round(&[], seed).await;
    assert!(found.is_empty(), "GACETA_SEED={seed}:\n{}", check::told(&found));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_sequence_instead_of_the_counter_row_is_caught() {
    let post_group = changed_post_group(&[
        (LOCKS, ""),
        (
            "h.last_seq + sum((f.ord = f.first_ord)::integer)
                                 over (partition by f.area_id order by f.first_ord, f.ord)",
            "nextval('numbers')",
        ),
        // Between taking a number and committing, a moment passes, now and then.
        ("n.body from numbered n", "n.body from numbered n, pg_sleep(random() * 0.02)"),
        ("set last_seq = t.last_seq", "set last_seq = greatest(h.last_seq, t.last_seq)"),
    ])
    .await;
    // What commits late is missed by whoever had read further already.
    assert_caught(&["create sequence numbers".into(), post_group], &[Kind::Missed]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_statement_instead_of_two_is_caught() {
    let locked = "with locked as materialized (
             select h.area_id, h.last_seq, h.last_posted_at from heads h
              where h.area_id = any (area_ids) order by h.area_id for update), given as (";
    let post_group = changed_post_group(&[
        (LOCKS, ""),
        ("with given as (", locked),
        ("from heads k where k.area_id", "from locked k where k.area_id"),
        ("where n.ord = n.first_ord", "where n.ord = n.first_ord on conflict do nothing"),
    ])
    .await;
    // The same id through two nodes: numbered twice, inserted once.
    assert_caught(&[post_group], &[Kind::Hole]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_unique_key_on_the_ids_of_posts_is_caught() {
    let no_key = "drop index articles_identity";
    let post_group = changed_post_group(&[("where y.id = g.id", "where false")]).await;
    assert_caught(&[no_key.into(), post_group], &[Kind::Doubled, Kind::Renumbered]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_moved_before_delivery_is_caught() {
    let to_the_head = "create function to_the_head() returns trigger language plpgsql as $$ begin
             new.cursor := (select last_seq from heads h where h.area_id = new.area_id); return new;
         end $$;
         create trigger to_the_head before update of cursor on subscriptions
             for each row when (new.cursor > old.cursor) execute function to_the_head()";
    assert_caught(&[to_the_head.into()], &[Kind::Missed]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_live_on_in_a_cache_are_caught() {
    let view = "select 'create or replace view live_sessions as ' || pg_get_viewdef('live_sessions')";
    let cached = "((s.ended_at is null) or (s.ended_at > now() - interval '2 s'))";
    let cached = changed(view, &[("(s.ended_at IS NULL)", cached)]).await;
    assert_caught(&[cached], &[Kind::Revoked]).await;
}

/// The fence looks at the epoch. Here it does not; and a network that held back what the old leader wrote brings it when
/// the next one is in office.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leader_writes_without_the_epoch_are_caught() {
    let fleet = Fleet::start(2, 1).await;
    let client = fleet.database.client().await;
    let unfenced = "create or replace function lease(agent uuid, held_epoch bigint) returns setof bigint
                        language sql volatile as $$ select held_epoch $$;
                    -- Often, so that one is due before the old leader gives up.
                    insert into settings (name, value) values ('sample_interval_ms', '1000'),
                           ('sample_keep_s', '3600'), ('lease_ttl_ms', '3000'), ('lease_renewal_ms', '500');
                    update settings_state set version = version + 1, changed_at = now()";
    client.batch_execute(unfenced).await.unwrap();
    let mut epoch = 1;
    for _ in 0..ROUNDS_MAX {
        let old =
            until("a leader that writes", async || leader_that_writes(&fleet, &client, epoch - 1).await)
                .await;
        // Until it gives up it goes on writing, into a network that moves nothing.
        old.0.database.set(Plan { forth: Way::Hold, ..PASS });
        let next = until("the next leader", async || leader_that_writes(&fleet, &client, old.1).await).await;
        epoch = next.1;
        old.0.database.set(PASS);
        let is_caught = async || {
            let found = check::check(&ended::state(&client, None).await);
            found.iter().any(|violation| violation.kind == Kind::Epoch)
        };
        for _ in 0..LOOKS_MAX {
            if is_caught().await {
                return;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
    panic!("a leader of an older epoch wrote nothing, or nobody noticed");
}

/// Who leads with an epoch above `after`, once it has written a sample.
async fn leader_that_writes<'a>(
    fleet: &'a Fleet,
    client: &tokio_postgres::Client,
    after: i64,
) -> Option<(&'a Member, i64)> {
    let leader = "select a.address, l.epoch from leader l join agents a on a.agent_id = l.holder
                   where l.epoch > $1 and exists (select from load_samples s where s.epoch = l.epoch)";
    let row = client.query_opt(leader, &[&after]).await.unwrap()?;
    let address: String = row.get(0);
    let member = fleet.agents.iter().find(|agent| agent.listen.to_string() == address)?;
    Some((member, row.get(1)))
}
