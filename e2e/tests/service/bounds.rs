//! I9 at its edges: replies that would not fit, numbers that would overflow, a counter that somebody holds, and requests
//! that have no time left. None of them may harm anybody else.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_e2e::person::{pause, refused};
use gaceta_e2e::service::Service;
use gaceta_e2e::watchdog;
use std::collections::HashMap;
use std::time::Duration;
use uuid::Uuid;
use wire::limits::SEQ_MAX;
use wire::{AreaId, ErrorCode, FollowArea, NodeRequest, Post, ReadFrom, Request, RequestBody, Seq, Shown};

fn place(area_id: AreaId, after: Seq) -> FollowArea {
    FollowArea { area_id, after, shown: None }
}

/// Many areas with many small articles, and one with nothing but tombstones: all of it comes, in replies that fit.
#[tokio::test]
async fn i9_a_follower_of_many_full_areas_gets_everything() {
    watchdog(async {
        let service = Service::start(1).await;
        let admin = service.admin().await;
        let ana = service.person("ana").await;
        let mut places = HashMap::new();
        for n in 0..30 {
            let area = admin.area_add(&format!("area {n}")).await;
            ana.subscribe(area).await;
            let post = |k: usize| Post { area_id: area, id: Uuid::now_v7(), body: k.to_string() };
            ana.post_all(0, (0..400).map(post).collect()).await.unwrap();
            places.insert(area, 0);
        }
        service
            .sql(
                "update articles set state = 1, body = null where area_id = (select min(area_id) from areas)",
            )
            .await;
        while places.values().any(|after| *after < 400) {
            let areas = places.iter().map(|(area, after)| place(*area, *after)).collect();
            let (pages, ended) = ana.follow(0, areas, 0).await.expect("a reply that fits");
            assert!(!pages.is_empty() && ended.is_empty(), "no progress");
            for page in pages {
                assert_eq!(page.from, places[&page.area_id] + 1);
                places.insert(page.area_id, page.upto);
            }
        }
        assert!(places.values().all(|after| *after == 400), "{places:?}");
    })
    .await;
}

#[tokio::test]
async fn i9_numbers_beyond_any_article_are_refused_and_harm_nobody() {
    watchdog(async {
        let service = Service::start(1).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        for number in [-1, SEQ_MAX + 1, i64::MAX, i64::MIN] {
            let shown = |from, upto| Shown { from, upto, generation: 1, reading_id: Uuid::nil() };
            assert_eq!(refused(ana.read(0, area, ReadFrom::After(number), 1).await), ErrorCode::Invalid);
            assert_eq!(
                refused(ana.verify(0, area).await.and(ana.mark(0, area, shown(1, number)).await)),
                ErrorCode::Invalid
            );
            assert_eq!(refused(ana.mark(0, area, shown(number, 1)).await), ErrorCode::Invalid);
            assert_eq!(refused(ana.follow(0, vec![place(area, number)], 0).await), ErrorCode::Invalid);
            let request = NodeRequest::Verify(wire::Verify { area_id: area, after: number });
            assert_eq!(refused(ana.ask_node(0, request).await), ErrorCode::Invalid);
        }
        // The highest that is allowed waits like any other, and a post beside it is served.
        let (far, near) = (ana.clone(), ana.clone());
        let waiting = tokio::spawn(async move { far.follow(0, vec![place(area, SEQ_MAX)], 20_000).await });
        let served = tokio::spawn(async move { near.follow(0, vec![place(area, 0)], 20_000).await });
        ana.post(area, "hello").await.unwrap();
        let (pages, _) = served.await.unwrap().unwrap();
        assert_eq!((pages[0].from, pages[0].upto), (1, 1));
        assert!(!waiting.is_finished());
        let page = ana.read(0, area, ReadFrom::After(SEQ_MAX), 10).await.unwrap();
        assert_eq!((page.articles.len(), page.upto), (0, SEQ_MAX));
        waiting.abort();
    })
    .await;
}

/// I1: one bad post never fails its neighbours; neither does one area whose counter is held by somebody.
#[tokio::test]
async fn i1_posts_to_other_areas_go_on_while_a_counter_is_held() {
    watchdog(async {
        let service = Service::start(1).await;
        let admin = service.admin().await;
        let ana = service.person("ana").await;
        let mut areas = vec![];
        for n in 0..4 {
            areas.push(admin.area_add(&format!("area {n}")).await);
            ana.subscribe(areas[n]).await;
        }
        let client = service.database.client().await;
        let hold = format!("begin; select from heads where area_id = {} for update", areas[0].0);
        client.batch_execute(&hold).await.unwrap();
        // One request, so that all of a lane are in one group.
        let posts = areas.iter().map(|area| Post { area_id: *area, id: Uuid::now_v7(), body: "x".into() });
        let results = ana.post_all(0, posts.collect()).await.unwrap();
        let codes: Vec<_> =
            results.iter().map(|result| result.as_ref().map_err(|error| error.code).err()).collect();
        assert_eq!(codes, [Some(ErrorCode::Unavailable), None, None, None]);
        client.batch_execute("commit").await.unwrap();
        assert_eq!(ana.post(areas[0], "x").await, Ok(1), "and left no hole");
    })
    .await;
}

/// Requests whose time is over are not begun, and one that runs out of it costs no database connection.
#[tokio::test]
async fn i9_requests_without_time_cost_no_connection() {
    watchdog(async {
        let service = Service::start(1).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        let backends = "select count(*), coalesce(max(pid), 0) from pg_stat_activity
                         where datname = current_database() and application_name = 'gaceta'";
        ana.read(0, area, ReadFrom::Start, 1).await.unwrap();
        let (count, newest): (i64, i32) = {
            let row = service.db.query_one(backends, &[]).await.unwrap();
            (row.get(0), row.get(1))
        };
        let client = service.database.client().await;
        client.batch_execute("begin; lock table articles in access exclusive mode").await.unwrap();
        for remaining_ms in [0, 1, 24, 60, 60, 60] {
            let body = RequestBody::Node(NodeRequest::Read(wire::Read {
                area_id: area,
                from: ReadFrom::Start,
                limit: 1,
                shown: None,
            }));
            let request = Request { request_id: Uuid::now_v7(), token: Some(ana.token), remaining_ms, body };
            let reply = wire::call(ana.nodes[0], &request, Duration::from_secs(10)).await.unwrap();
            assert_eq!(reply.result.unwrap_err().code, ErrorCode::Unavailable);
        }
        client.batch_execute("commit").await.unwrap();
        while service.blocked().await > 0 {
            pause().await;
        }
        ana.read(0, area, ReadFrom::Start, 1).await.unwrap();
        let row = service.db.query_one(backends, &[]).await.unwrap();
        let (count_now, _newest_now): (i64, i32) = (row.get(0), row.get(1));
        // Three that waited at the same time may have needed connections of their own; those are kept and used again.
        assert!(count_now <= count + 3, "{count} connections became {count_now} (newest was {newest})");
    })
    .await;
}
