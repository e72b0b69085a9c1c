//! PostgreSQL in trouble: clients get their answer or `unavailable` in time, nothing acknowledged is lost or doubled,
//! and the servers recover by themselves.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use db::private::Shutdown;
use gaceta_e2e::follower::{Follower, Seen};
use gaceta_e2e::service::Service;
use gaceta_e2e::{at_once, watchdog};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use uuid::Uuid;
use wire::{AgentRequest, ErrorCode, ReadFrom, Seq};

/// A statement is given up after 5 s; connecting, and waiting for a connection, come on top.
const ANSWER_MAX: Duration = Duration::from_secs(9);
/// An answer of a service that is well, on a busy machine.
const HEALTHY: Duration = Duration::from_secs(2);

/// Backends that do not go on until this is dropped: PostgreSQL could not stop otherwise.
struct Stopped(Vec<Pid>);

impl Stopped {
    async fn all_idle(client: &tokio_postgres::Client) -> Self {
        // Idle ones hold no counter row, nor any other lock.
        let idle = "select pid from pg_stat_activity
                     where datname = current_database() and pid <> pg_backend_pid() and state = 'idle'";
        let rows = client.query(idle, &[]).await.unwrap();
        let pids: Vec<Pid> = rows.iter().map(|row| Pid::from_raw(row.get(0)).unwrap()).collect();
        for pid in &pids {
            kill_process(*pid, Signal::STOP).unwrap();
        }
        Self(pids)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _ = kill_process(*pid, Signal::CONT); // gone, if its client has given it up
        }
    }
}

#[tokio::test]
async fn i9_stopped_backends_cost_an_error_in_time_and_the_pool_is_healthy_afterwards() {
    watchdog(async {
        let cluster = db::testing::own_cluster().await;
        let service = Service::start_with(cluster.database().await, 2, |_| {}).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        ana.post(area, "before").await.unwrap();
        // So that every pool is full, and every connection of it will be stopped.
        let crowd = || (0..24).map(|n| (n % 2, ana.clone()));
        at_once(
            crowd().map(|(node, ana)| async move { ana.read(node, area, ReadFrom::Start, 1).await.unwrap() }),
        )
        .await;
        let stopped = Stopped::all_idle(&service.database.client().await).await;
        assert!(stopped.0.len() > 8, "only {} were stopped", stopped.0.len());

        let answers = at_once(crowd().map(|(node, ana)| async move {
            let started = Instant::now();
            let code = match node {
                0 => ana.read(0, area, ReadFrom::Start, 1).await.map(|_| ()),
                _ => ana.post_as(1, area, Uuid::now_v7(), "during").await.map(|_| ()),
            };
            (code.map_err(|error| error.code), started.elapsed())
        }))
        .await;
        for (answer, elapsed) in &answers {
            assert!(*elapsed < ANSWER_MAX, "{answer:?} after {elapsed:?}");
            let retryable = [ErrorCode::Unavailable, ErrorCode::Busy];
            assert!(answer.is_ok() || retryable.contains(&answer.unwrap_err()), "{answer:?}");
        }
        assert!(answers.iter().any(|(answer, _)| answer.is_err()), "nothing was stopped that was in use");

        // The backends are still stopped; their connections are out of the pools.
        for node in [0, 1] {
            let answers = at_once(crowd().map(|(_, ana)| async move {
                let started = Instant::now();
                (ana.read(node, area, ReadFrom::Start, 1).await, started.elapsed())
            }))
            .await;
            for (answer, elapsed) in answers {
                assert!(answer.is_ok() && elapsed < HEALTHY, "node {node}: {answer:?} after {elapsed:?}");
            }
            let started = Instant::now();
            ana.post_as(node, area, Uuid::now_v7(), "after").await.unwrap();
            assert!(started.elapsed() < HEALTHY, "{:?}", started.elapsed());
        }
        drop(stopped);
        let articles = ana.read_all(0, area).await;
        let numbers: Vec<Seq> = articles.iter().map(|article| article.seq).collect();
        assert_eq!(numbers, (1..=articles.len() as Seq).collect::<Vec<_>>(), "those given up left no hole");
    })
    .await;
}

/// How PostgreSQL ends, one after the other, while people post and one follows.
#[tokio::test]
async fn i1_i3_postgresql_restarts_under_load_and_nothing_acknowledged_is_lost_or_doubled() {
    const WRITERS: usize = 4;
    watchdog(async {
        let cluster = db::testing::own_cluster().await;
        let service = Service::start_with(cluster.database().await, 2, |_| {}).await;
        let area = service.area("news").await;
        let reader = service.reader("reader", area).await;
        let mut writers = vec![];
        for n in 0..WRITERS {
            writers.push(service.reader(&format!("writer{n}"), area).await);
        }
        let (stop, stopped) = watch::channel(false);
        let (acknowledged, mut count) = watch::channel(0usize);
        let acknowledged = std::sync::Arc::new(acknowledged);
        let writing = tokio::spawn(at_once(writers.into_iter().enumerate().map(move |(n, writer)| {
            let (stopped, acknowledged) = (stopped.clone(), acknowledged.clone());
            async move {
                let mut posts = vec![];
                while !*stopped.borrow() {
                    let id = Uuid::now_v7();
                    let posted = writer.post_surely(n + posts.len(), area, id, &id.to_string()).await;
                    posts.push((posted.seq, id));
                    acknowledged.send_modify(|count| *count += 1);
                }
                posts
            }
        })));
        let mut follower = Follower::start(&reader, 1, &[area]).await;
        let (all, mut last) = watch::channel(Seq::MAX);
        let following = tokio::spawn(async move {
            let mut seen = vec![];
            while (seen.len() as Seq) < *last.borrow_and_update() {
                tokio::select! {
                    more = follower.next() => seen.extend(more),
                    _ = last.changed() => {}
                }
            }
            seen
        });
        for how in [Shutdown::Fast, Shutdown::Immediate, Shutdown::Kill] {
            let before = *count.borrow_and_update();
            count.wait_for(|count| *count > before + 10 * WRITERS).await.unwrap();
            cluster.restart(how).await.unwrap();
        }
        let before = *count.borrow_and_update();
        count.wait_for(|count| *count > before + 10 * WRITERS).await.unwrap();
        stop.send_replace(true);
        let mut acknowledged: Vec<(Seq, Uuid)> = writing.await.unwrap().into_iter().flatten().collect();
        acknowledged.sort();

        let kept: Vec<(Seq, Uuid)> =
            reader.read_all(0, area).await.into_iter().map(|article| (article.seq, article.id)).collect();
        assert_eq!(kept, acknowledged, "every acknowledged post, once, at its number, and no other");
        assert!(kept.iter().map(|(seq, _)| *seq).eq(1..=kept.len() as Seq));
        assert_eq!(kept.iter().map(|(_, id)| id).collect::<HashSet<_>>().len(), kept.len());
        all.send_replace(kept.len() as Seq);
        let seen = following.await.unwrap();
        let expected: Vec<Seen> =
            kept.iter().map(|(seq, id)| Seen::Article(area, *seq, id.to_string())).collect();
        assert_eq!(seen, expected, "and the follower saw each once, in order");
        // The agent is back, too, without anybody's help.
        reader.ask_agent(AgentRequest::Whoami(wire::Whoami {})).await.unwrap();
        assert!(
            reader.verify(1, area).await.unwrap().iter().all(|state| *state == wire::VerifiedState::Kept)
        );
    })
    .await;
}

/// The database is away for longer than any deadline of a request.
#[tokio::test]
async fn i9_without_a_database_every_request_is_answered_unavailable_in_time() {
    watchdog(async {
        let cluster = db::testing::own_cluster().await;
        let service = Service::start_with(cluster.database().await, 1, |_| {}).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        let (waiting, place) = (ana.clone(), wire::FollowArea { area_id: area, after: 0, shown: None });
        let follower = tokio::spawn(async move { waiting.follow(0, vec![place], 15_000).await });
        cluster.halt(Shutdown::Immediate).await.unwrap();
        let id = Uuid::now_v7();
        for _ in 0..3 {
            let started = Instant::now();
            let post = ana.post_as(0, area, id, "later").await.unwrap_err();
            let whoami = ana.ask_agent(AgentRequest::Whoami(wire::Whoami {})).await.unwrap_err();
            assert_eq!((post.code, whoami.code), (ErrorCode::Unavailable, ErrorCode::Unavailable));
            assert!(started.elapsed() < ANSWER_MAX, "{:?}", started.elapsed());
        }
        cluster.resume().await.unwrap();
        let posted = ana.post_surely(0, area, id, "later").await;
        assert_eq!(posted.seq, 1);
        match follower.await.unwrap() {
            Ok((pages, _)) => assert_eq!(pages[0].articles[0].body, "later", "it waited through the outage"),
            Err(error) => assert!(error.code.is_retryable(), "it had not begun to wait: {error:?}"),
        }
    })
    .await;
}
