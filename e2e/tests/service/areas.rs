//! Areas that are removed, whose name is used again, and that are restored, while people post and follow.

use gaceta_e2e::follower::{Follower, Seen};
use gaceta_e2e::person::{bodies, pause, refused, shown};
use gaceta_e2e::requests::{node_requests, refusal};
use gaceta_e2e::service::Service;
use gaceta_e2e::{at_once, watchdog};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use uuid::Uuid;
use wire::{AreaId, ErrorCode, FollowArea, ReadFrom, Seq};

#[tokio::test]
async fn i1_i2_an_area_is_removed_and_its_name_used_again_while_posts_run_and_followers_wait() {
    const WRITERS: usize = 6;
    watchdog(async {
        let service = Service::start(2).await;
        let (old, sport) = (service.area("news").await, service.area("sport").await);
        let admin = service.admin().await;
        let reader = service.reader("reader", old).await;
        reader.subscribe(sport).await;
        let mut writers = vec![];
        for n in 0..WRITERS {
            writers.push(service.reader(&format!("writer{n}"), old).await);
        }
        let (removed, is_removed) = watch::channel(false);
        let (posted, mut has_posted) = watch::channel(0);
        let posted = std::sync::Arc::new(posted);
        let writing = tokio::spawn(at_once(writers.into_iter().enumerate().map(move |(n, writer)| {
            let (is_removed, posted) = (is_removed.clone(), posted.clone());
            async move {
                let mut acknowledged = vec![];
                for post in 0.. {
                    let was_removed = *is_removed.borrow();
                    let body = format!("{n}/{post}");
                    match writer.post_as(post % 2, old, Uuid::now_v7(), &body).await {
                        Ok(_) if was_removed => panic!("posted after the removal was acknowledged"),
                        Ok(posted) => acknowledged.push((posted.seq, body)),
                        Err(error) => {
                            assert_eq!(error.code, ErrorCode::NotFound, "{error:?}");
                            break;
                        }
                    }
                    posted.send_modify(|count| *count += 1);
                }
                acknowledged
            }
        })));
        let mut follower = Follower::start(&reader, 1, &[old, sport]).await;
        has_posted.wait_for(|count| *count > 20 * WRITERS).await.unwrap();
        assert!(!admin.area_remove(old).await.unwrap());
        removed.send_replace(true);
        let new = admin.area_add("news").await;
        assert_ne!(new, old);
        reader.subscribe(new).await;
        let mut acknowledged: Vec<(Seq, String)> = writing.await.unwrap().into_iter().flatten().collect();
        acknowledged.sort();

        // The follower loses this area, and goes on with the other one.
        let mut seen = vec![];
        while !matches!(seen.last(), Some(Seen::Ended(..))) {
            seen.extend(follower.next().await);
        }
        let Some(Seen::Ended(area, error)) = seen.pop() else { panic!() };
        assert_eq!((area, error.code), (old, ErrorCode::NotFound));
        let posted_there = acknowledged.iter().map(|(seq, body)| Seen::Article(old, *seq, body.clone()));
        assert!(seen.into_iter().zip(posted_there).all(|(seen, posted)| seen == posted));
        reader.post_as(1, sport, Uuid::now_v7(), "sport").await.unwrap();
        assert_eq!(follower.next().await, [Seen::Article(sport, 1, "sport".into())]);

        // Nothing of the old area is in the new one, and old cursors do not count there.
        let subscription = reader.subscription(new).await;
        assert_eq!((subscription.cursor, subscription.unread, subscription.last_seq), (0, 0, 0));
        assert!(reader.read_all(0, new).await.is_empty());
        for node in [0, 1] {
            for request in node_requests(old) {
                assert_eq!(
                    refusal(reader.ask_node(node, request.clone()).await),
                    ErrorCode::NotFound,
                    "{request:?}"
                );
            }
        }
        assert_eq!(reader.post_as(1, new, Uuid::now_v7(), "new").await.unwrap().seq, 1);

        // Nothing acknowledged is lost: the old area comes back once the name is free.
        assert_eq!(refused(admin.area_restore("news").await), ErrorCode::Conflict, "the name is in use");
        service
            .sql(&format!("update areas set name = 'newer', name_key = 'newer' where area_id = {}", new.0))
            .await;
        let (restored, already) = admin.area_restore("news").await.unwrap();
        assert_eq!((restored.area_id, already), (old, false));
        let articles = reader.read_all(1, old).await;
        let kept: Vec<(Seq, String)> =
            articles.into_iter().map(|article| (article.seq, article.body)).collect();
        assert_eq!(kept, acknowledged);
        assert_eq!(kept.last().unwrap().0, kept.len() as Seq);
    })
    .await;
}

/// A post that is being committed is before the removal, and the removal waits for it: held open by a lock on the
/// author's row, which the post needs last.
#[tokio::test]
async fn i1_a_removal_is_not_acknowledged_while_a_post_is_being_committed() {
    watchdog(async {
        let service = Service::start(1).await;
        let area = service.area("news").await;
        let admin = service.admin().await;
        let ana = service.reader("ana", area).await;
        let client = service.database.client().await;
        // Somebody is about to take the number that the post will get: it holds its area's counter and waits.
        let first_number = "insert into articles (area_id, seq, author_id, id, posted_at, body_hash, body)
                            select $1, 1, user_id, gen_random_uuid(), now(), '', '' from users where name = 'ana'";
        client.batch_execute("begin").await.unwrap();
        client.execute(first_number, &[&area.0]).await.unwrap();
        let posting = tokio::spawn({
            let ana = ana.clone();
            async move { ana.post(area, "just in time").await }
        });
        while service.blocked().await == 0 {
            pause().await;
        }
        let removing = tokio::spawn(async move { admin.area_remove(area).await });
        while service.blocked().await < 2 {
            assert!(!removing.is_finished(), "removed, and the post is yet to come: {:?}", removing.await);
            pause().await;
        }
        client.batch_execute("rollback").await.unwrap();
        assert_eq!(posting.await.unwrap().unwrap(), 1);
        assert!(!removing.await.unwrap().unwrap());
        assert_eq!(refused(ana.post(area, "too late").await), ErrorCode::NotFound);
    })
    .await;
}

#[tokio::test]
async fn a_waiting_follower_hears_of_the_removal_at_once() {
    watchdog(async {
        let service = Service::start(2).await;
        let admin = service.admin().await;
        let ana = service.person("ana").await;
        for round in 0..10 {
            let area = admin.area_add(&format!("area {round}")).await;
            ana.subscribe(area).await;
            let (asking, place) = (ana.clone(), FollowArea { area_id: area, after: 0, shown: None });
            let follower = tokio::spawn(async move { asking.follow(round % 2, vec![place], 20_000).await });
            admin.area_remove(area).await.unwrap();
            let removed = Instant::now();
            let (pages, ended) = follower.await.unwrap().unwrap();
            assert_eq!((pages.len(), ended[0].area_id, ended[0].error.code), (0, area, ErrorCode::NotFound));
            assert!(removed.elapsed() < Duration::from_secs(5), "told after {:?}", removed.elapsed());
        }
    })
    .await;
}

#[tokio::test]
async fn i10_restoring_brings_articles_subscriptions_and_cursors_back() {
    watchdog(async {
        let service = Service::start(2).await;
        let admin = service.admin().await;
        let area = admin.area_add("News").await;
        let ana = service.reader("ana", area).await;
        let ids = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
        for (id, body) in ids.iter().zip(["one", "two", "three"]) {
            ana.post_as(0, area, *id, body).await.unwrap();
        }
        let page = ana.read(0, area, ReadFrom::Unread, 2).await.unwrap();
        ana.mark(0, area, shown(&page)).await.unwrap();
        assert_eq!(refused(admin.area_restore("news").await), ErrorCode::Conflict, "never removed");
        assert_eq!(refused(admin.area_restore("other").await), ErrorCode::NotFound);
        assert!(!admin.area_remove(area).await.unwrap());
        assert!(admin.area_remove(area).await.unwrap(), "already");
        assert_eq!(refused(admin.area_remove(AreaId(999)).await), ErrorCode::NotFound);
        assert!(ana.areas().await.is_empty() && ana.subscriptions().await.is_empty());
        assert_eq!(refused(ana.post_as(1, area, ids[0], "one").await), ErrorCode::NotFound);

        let (restored, already) = admin.area_restore("NEWS").await.unwrap();
        assert_eq!((restored.area_id, restored.name.as_str(), already), (area, "News", false));
        assert!(admin.area_restore("news").await.unwrap().1, "already");
        let subscription = ana.subscription(area).await;
        assert_eq!((subscription.cursor, subscription.unread), (2, 1));
        assert_eq!(bodies(&ana.read_all(1, area).await), [(1, "one"), (2, "two"), (3, "three")]);
        let again = ana.post_as(1, area, ids[1], "two").await.unwrap();
        assert_eq!((again.seq, again.duplicate), (2, true));
        assert_eq!(ana.post(area, "four").await.unwrap(), 4, "numbers go on");
    })
    .await;
}

#[tokio::test]
async fn i10_twins_of_a_removal_and_of_a_restoration_do_it_once() {
    watchdog(async {
        let service = Service::start(0).await;
        let admin = service.admin().await;
        let area = admin.area_add("news").await;
        for _ in 0..20 {
            let twins = at_once((0..3).map(|_| {
                let admin = admin.clone();
                async move { admin.area_remove(area).await.unwrap() }
            }))
            .await;
            assert_eq!(twins.iter().filter(|already| !**already).count(), 1, "{twins:?}");
            let twins = at_once((0..3).map(|_| {
                let admin = admin.clone();
                async move { admin.area_restore("news").await.map(|(_, already)| already).unwrap() }
            }))
            .await;
            assert_eq!(twins.iter().filter(|already| !**already).count(), 1, "{twins:?}");
        }
        let audit = admin.audit().await;
        for action in ["area.rm", "area.restore"] {
            assert_eq!(audit.iter().filter(|entry| entry.action == action).count(), 20, "{action}");
        }
        let creation_id = Uuid::now_v7();
        let added = at_once((0..4).map(|n| {
            let admin = admin.clone();
            let name = if n < 2 { "twin".to_string() } else { "TWIN".to_string() };
            let request = wire::AdminRequest::AreaAdd(wire::AreaAdd {
                creation_id: if n < 2 { creation_id } else { Uuid::now_v7() },
                name,
                settings: wire::AreaSettings::default(),
            });
            async move { admin.administrate(request).await }
        }))
        .await;
        let areas = admin.areas().await;
        assert_eq!(
            areas.iter().filter(|area| area.name.eq_ignore_ascii_case("twin")).count(),
            1,
            "{added:?}"
        );
        assert!(
            added
                .iter()
                .all(|answer| answer.as_ref().map_or_else(|e| e.code == ErrorCode::Conflict, |_| true))
        );
    })
    .await;
}
