//! I3: a running reader misses nothing, repeats nothing, sees nothing out of order. I8: notifications make it fast,
//! polling makes it right.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_e2e::follower::{Follower, Seen};
use gaceta_e2e::person::{Person, pause, refused};
use gaceta_e2e::service::Service;
use gaceta_e2e::{at_once, watchdog};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use uuid::Uuid;
use wire::{AreaId, ErrorCode, FollowArea, Post, Seq, Shown};

fn place(area_id: AreaId, after: Seq) -> FollowArea {
    FollowArea { area_id, after, shown: None }
}

/// The numbers of what was seen, all of it articles of one area.
fn numbers(seen: &[Seen]) -> Vec<Seq> {
    let number = |one: &Seen| match one {
        Seen::Article(_, seq, _) => *seq,
        other => panic!("{other:?}"),
    };
    seen.iter().map(number).collect()
}

#[tokio::test]
async fn i3_every_number_once_and_in_order_while_the_readers_node_is_killed_and_comes_back() {
    const WRITERS: usize = 8;
    const POSTS: usize = 40;
    const TOTAL: usize = WRITERS * POSTS;
    watchdog(async {
        let mut service = Service::start(2).await;
        let area = service.area("news").await;
        let reader = service.reader("reader", area).await;
        let mut writers = vec![];
        for n in 0..WRITERS {
            writers.push(service.reader(&format!("writer{n}"), area).await);
        }
        // The writers go on as the reader does, so that there is traffic before, during and after the outage.
        let (progress, seen_so_far) = watch::channel(0usize);
        let writing = tokio::spawn(at_once(writers.into_iter().enumerate().map(move |(n, writer)| {
            let mut seen_so_far = seen_so_far.clone();
            async move {
                let mut seqs = vec![];
                for post in 0..POSTS {
                    seen_so_far.wait_for(|seen| seen + 3 * WRITERS >= post * WRITERS).await.unwrap();
                    let body = format!("{n}/{post}");
                    seqs.push(writer.post_surely(n + post, area, Uuid::now_v7(), &body).await.seq);
                }
                seqs
            }
        })));
        let mut follower = Follower::start(&reader, 1, &[area]).await;
        let mut seen = vec![];
        let (mut killed, mut back) = (false, false);
        while seen.len() < TOTAL {
            seen.extend(follower.next().await);
            progress.send_replace(seen.len());
            if !killed && seen.len() >= TOTAL / 4 {
                killed = true;
                service.nodes[1].kill().await;
            }
            if !back && seen.len() >= TOTAL / 2 {
                back = true;
                assert_eq!(follower.node, 0, "the reader went elsewhere");
                service.restart_node(1).await;
                (follower.node, follower.pages_from) = (1, vec![0, 0]);
            }
        }
        assert_eq!(numbers(&seen), (1..=TOTAL as Seq).collect::<Vec<_>>());
        assert!(follower.pages_from[1] > 0, "the node that came back serves");
        let acknowledged = writing.await.unwrap();
        for (n, seqs) in acknowledged.iter().enumerate() {
            assert!(seqs.is_sorted());
            for (post, seq) in seqs.iter().enumerate() {
                assert_eq!(seen[*seq as usize - 1], Seen::Article(area, *seq, format!("{n}/{post}")));
            }
        }
        // After a crash of the reader at most what was shown and not yet acknowledged comes again.
        let cursor = reader.subscription(area).await.cursor;
        assert!(cursor > 0 && cursor < TOTAL as Seq);
        let again = Follower::start(&reader, 0, &[area]).await.next().await;
        assert_eq!(numbers(&again), (cursor + 1..=TOTAL as Seq).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn i3_a_follower_of_several_areas_gets_each_in_order_with_what_was_deleted() {
    watchdog(async {
        let service = Service::start(2).await;
        let areas = [service.area("a").await, service.area("b").await, service.area("c").await];
        let ana = service.person("ana").await;
        for area in areas {
            ana.subscribe(area).await;
        }
        for body in ["one", "two", "three"] {
            ana.post(areas[0], body).await.unwrap();
        }
        ana.delete(0, areas[0], 2).await.unwrap();
        let mut follower = Follower::start(&ana, 1, &areas).await;
        let first = Seen::Article(areas[0], 1, "one".into());
        let third = Seen::Article(areas[0], 3, "three".into());
        assert_eq!(follower.next().await, [first, Seen::Deleted(areas[0], 2), third]);
        for round in 0..5 {
            for area in areas {
                let waiting = tokio::spawn(async move { (follower.next().await, follower) });
                let posted = ana.post_as(round % 2, area, Uuid::now_v7(), "more").await.unwrap();
                let (seen, back) = waiting.await.unwrap();
                follower = back;
                assert_eq!(seen, [Seen::Article(area, posted.seq, "more".into())]);
            }
        }
        // The next request of a follower acknowledges all that it has shown; leaving, it would mark the rest itself.
        ana.post(areas[0], "last").await.unwrap();
        follower.next().await;
        let cursors: Vec<Seq> = ana.subscriptions().await.iter().map(|one| one.cursor).collect();
        assert_eq!(cursors, [8, 5, 5]);
    })
    .await;
}

/// I9, too: however far behind, no answer is larger than a frame.
#[tokio::test]
async fn i3_a_follower_that_is_far_behind_catches_up_in_pages() {
    watchdog(async {
        let service = Service::start(1).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        let post = |body: String| Post { area_id: area, id: Uuid::now_v7(), body };
        for _ in 0..3 {
            ana.post_all(0, (0..500).map(|n| post(n.to_string())).collect()).await.unwrap();
        }
        for _ in 0..3 {
            let large = "x".repeat(wire::limits::BODY_BYTES_MAX);
            ana.post_all(0, (0..8).map(|_| post(large.clone())).collect()).await.unwrap();
        }
        let mut follower = Follower::start(&ana, 0, &[area]).await;
        let mut seen = vec![];
        while seen.len() < 1_524 {
            seen.extend(follower.next().await);
        }
        assert_eq!(numbers(&seen), (1..=1_524).collect::<Vec<_>>());
        assert!(follower.pages_from[0] >= 3, "{} pages", follower.pages_from[0]);
        assert_eq!(ana.read_all(0, area).await.len(), 1_524);
    })
    .await;
}

/// A lock on the reader's row holds his look open after its snapshot, and a post comes before he waits. Polling would
/// find it half a second later on average: late, not wrong, hence the bound over all rounds.
#[tokio::test]
async fn i3_a_post_between_looking_and_waiting_is_not_missed() {
    const ROUNDS: Seq = 8;
    watchdog(async {
        // Without listening: a node hears its own notification, too, and that would repair it after a moment.
        let database = db::testing::database().await;
        let service = Service::start_with(database, 1, |config| config.listen_url = None).await;
        let area = service.area("news").await;
        let writer = service.reader("writer", area).await;
        let reader = service.reader("reader", area).await;
        let client = service.database.client().await;
        writer.post(area, "first").await.unwrap();
        let mut late = Duration::ZERO;
        for last in 1..=ROUNDS {
            let hold = "begin; select from subscriptions join users using (user_id)
                         where name = 'reader' for update of subscriptions";
            client.batch_execute(hold).await.unwrap();
            let shown = Shown { from: 1, upto: last, generation: 1, reading_id: Uuid::now_v7() };
            let places = vec![FollowArea { area_id: area, after: last, shown: Some(shown) }];
            let asking = reader.clone();
            let following = tokio::spawn(async move { asking.follow(0, places, 10_000).await });
            while service.blocked().await == 0 {
                pause().await;
            }
            assert_eq!(writer.post(area, "news").await.unwrap(), last + 1);
            client.batch_execute("commit").await.unwrap();
            let released = Instant::now();
            let (pages, _) = following.await.unwrap().unwrap();
            assert_eq!((pages[0].from, pages[0].upto, pages[0].cursor), (last + 1, last + 1, last));
            late += released.elapsed();
        }
        assert!(late < Duration::from_secs(1), "found by polling: {late:?} in {ROUNDS} rounds");
    })
    .await;
}

/// `rounds` posts at the first node, each seen by a follower at the second before the next; how long that took.
async fn relayed(person: &Person, area: AreaId, rounds: usize) -> Duration {
    let started = Instant::now();
    person.catch_up(0, area, Uuid::now_v7()).await.unwrap();
    let mut follower = Follower::start(person, 1, &[area]).await;
    for _ in 0..rounds {
        let waiting = tokio::spawn(async move { (follower.next().await, follower) });
        let seq = person.post(area, "news").await.unwrap();
        let (seen, back) = waiting.await.unwrap();
        follower = back;
        assert_eq!(seen, [Seen::Article(area, seq, "news".into())]);
    }
    started.elapsed()
}

/// Ends the connection on which a node listens; returns once there is another one.
async fn cut_listeners(client: &tokio_postgres::Client) {
    let listeners = "select pid from pg_stat_activity
                      where datname = current_database() and query like 'listen %'";
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and query like 'listen %'";
    let before: Vec<i32> = client.query(listeners, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(!before.is_empty(), "nobody listens");
    client.execute(cut, &[]).await.unwrap();
    loop {
        let now: Vec<i32> =
            client.query(listeners, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        if now.len() >= before.len() && now.iter().all(|pid| !before.contains(pid)) {
            return;
        }
        pause().await; // PostgreSQL tells nobody who listens
    }
}

#[tokio::test]
async fn i8_with_the_listening_connection_cut_followers_are_still_served() {
    watchdog(async {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        let client = service.database.client().await;
        // Ten times polling would take ten seconds.
        let fast = relayed(&ana, area, 10).await;
        assert!(fast < Duration::from_secs(5), "notifications make it fast, not {fast:?}");
        for _ in 0..2 {
            // What is posted while nobody listens is not lost, and whoever listens again looks at everything.
            ana.catch_up(0, area, Uuid::now_v7()).await.unwrap();
            let mut follower = Follower::start(&ana, 1, &[area]).await;
            let waiting = tokio::spawn(async move { follower.next().await });
            let cut = tokio::spawn({
                let client = service.database.client().await;
                async move { cut_listeners(&client).await }
            });
            let seq = ana.post(area, "during").await.unwrap();
            assert_eq!(waiting.await.unwrap(), [Seen::Article(area, seq, "during".into())]);
            cut.await.unwrap();
            relayed(&ana, area, 1).await;
        }
        cut_listeners(&client).await;
        let fast = relayed(&ana, area, 10).await;
        assert!(fast < Duration::from_secs(5), "they are heard again, not {fast:?}");
    })
    .await;
}

#[tokio::test]
async fn i8_without_any_notification_followers_are_still_served() {
    watchdog(async {
        let database = db::testing::database().await;
        let service = Service::start_with(database, 2, |config| config.listen_url = None).await;
        // Neither hears the nodes anything, nor is anything said.
        service
            .sql(
                "drop trigger session_ended on sessions; drop trigger area_removed on areas;
                     drop trigger subscription_ended on subscriptions",
            )
            .await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        relayed(&ana, area, 3).await;

        // I5 does not rest on notifications either.
        let phone = ana.other_device().await;
        let after = ana.areas().await[0].last_seq;
        let revoked = tokio::spawn({
            let phone = phone.clone();
            async move { phone.follow(1, vec![place(area, after)], 15_000).await }
        });
        let served = tokio::spawn({
            let ana = ana.clone();
            async move { ana.follow(1, vec![place(area, after)], 15_000).await }
        });
        pause().await; // so that they most likely wait; both outcomes must hold if they do not yet
        phone.logout().await.unwrap();
        ana.post(area, "not for the phone").await.unwrap();
        assert_eq!(refused(revoked.await.unwrap()), ErrorCode::Unauthenticated);
        assert_eq!(served.await.unwrap().unwrap().0[0].articles.len(), 1);

        // A removed area is found missing by polling.
        let waiting = tokio::spawn({
            let ana = ana.clone();
            async move { ana.follow(1, vec![place(area, after + 1)], 15_000).await }
        });
        pause().await;
        service.admin().await.area_remove(area).await.unwrap();
        let (pages, ended) = waiting.await.unwrap().unwrap();
        assert_eq!((pages.len(), ended[0].area_id, ended[0].error.code), (0, area, ErrorCode::NotFound));
    })
    .await;
}

#[tokio::test]
async fn a_node_that_stops_sends_its_followers_elsewhere_at_once_and_is_gone_in_ten_seconds() {
    watchdog(async {
        let mut service = Service::start(2).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        ana.post(area, "read").await.unwrap();
        let mut followers = vec![];
        for n in 0..8 {
            let reader = service.person(&format!("reader{n}")).await;
            reader.subscribe_at(0, area, true).await.unwrap();
            let shown = Shown { from: 1, upto: 1, generation: 1, reading_id: Uuid::now_v7() };
            let places = vec![FollowArea { area_id: area, after: 1, shown: Some(shown) }];
            let asking = reader.clone();
            let waiting = tokio::spawn(async move { asking.follow(1, places, 20_000).await });
            // Once its mark is there, the node has looked, and from then on it waits.
            while reader.subscription(area).await.cursor < 1 {
                pause().await;
            }
            followers.push(waiting);
        }
        let started = Instant::now();
        service.nodes[1].terminate();
        for follower in followers {
            assert_eq!(refused(follower.await.unwrap()), ErrorCode::Draining);
        }
        assert!(started.elapsed() < Duration::from_secs(2), "at once, not after {:?}", started.elapsed());
        service.nodes[1].stop().await;
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        let there = "select address from nodes where state <> 'left'";
        let left = service.db.query(there, &[]).await.unwrap();
        let addresses: Vec<String> = left.iter().map(|row| row.get(0)).collect();
        assert_eq!(addresses, [service.nodes[0].address.to_string()], "it is out of the register");
        // They lose nothing.
        let mut follower = Follower::start(&ana, 1, &[area]).await;
        assert_eq!(numbers(&follower.next().await), [1]);
        ana.post(area, "news").await.unwrap();
        assert_eq!(follower.next().await, [Seen::Article(area, 2, "news".into())]);
    })
    .await;
}
