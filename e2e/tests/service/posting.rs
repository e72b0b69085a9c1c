//! I1 and I2: nothing acknowledged is lost or doubled; numbers are dense and in commit order.

use gaceta_e2e::person::{bodies, refused};
use gaceta_e2e::service::Service;
use gaceta_e2e::{at_once, watchdog};
use std::collections::HashSet;
use uuid::Uuid;
use wire::{ErrorCode, Post, ReadFrom, Seq};

#[tokio::test]
async fn i1_a_repeat_returns_the_same_number_through_any_node() {
    watchdog(async {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        let id = Uuid::now_v7();
        let first = ana.post_as(0, area, id, "hello").await.unwrap();
        assert_eq!((first.seq, first.duplicate), (1, false));
        for node in [0, 1] {
            let again = ana.post_as(node, area, id, "hello").await.unwrap();
            assert_eq!((again.seq, again.duplicate), (1, true));
            assert_eq!(refused(ana.post_as(node, area, id, "other").await), ErrorCode::Conflict);
        }
        let page = ana.read(1, area, ReadFrom::Start, 10).await.unwrap();
        assert_eq!(bodies(&page.articles), [(1, "hello")]);
    })
    .await;
}

#[tokio::test]
async fn i1_an_id_is_the_authors_own() {
    watchdog(async {
        let service = Service::start(1).await;
        let (news, sport) = (service.area("news").await, service.area("sport").await);
        let ana = service.reader("ana", news).await;
        let bob = service.reader("bob", news).await;
        ana.subscribe(sport).await;
        let id = Uuid::now_v7();
        assert_eq!(ana.post_as(0, news, id, "hers").await.unwrap().seq, 1);
        let his = bob.post_as(0, news, id, "his").await.unwrap();
        assert_eq!((his.seq, his.duplicate), (2, false), "another author's id is another post");
        let there = ana.post_as(0, sport, id, "hers").await.unwrap();
        assert_eq!((there.seq, there.duplicate), (1, false), "another area's, too");
    })
    .await;
}

#[tokio::test]
async fn i1_twice_inside_one_group_is_one_article_and_neighbours_are_unharmed() {
    watchdog(async {
        let service = Service::start(1).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        let (a, b, c) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        let post = |id, body: &str| Post { area_id: area, id, body: body.into() };
        let posts = vec![
            post(a, "one"),
            post(b, "two"),
            post(a, "one"),
            post(b, "not two"),
            post(c, ""),
            post(c, "three"),
        ];
        let results = ana.post_all(0, posts).await.unwrap();
        let seqs: Vec<_> =
            results.iter().map(|result| result.as_ref().map(|p| (p.seq, p.duplicate))).collect();
        assert_eq!(seqs[0], Ok((1, false)));
        assert_eq!(seqs[1], Ok((2, false)));
        assert_eq!(seqs[2], Ok((1, true)));
        assert_eq!(results[3].as_ref().unwrap_err().code, ErrorCode::Conflict);
        assert_eq!(results[4].as_ref().unwrap_err().code, ErrorCode::Invalid);
        assert_eq!(seqs[5], Ok((3, false)));
        let page = ana.read(0, area, ReadFrom::Start, 10).await.unwrap();
        assert_eq!(bodies(&page.articles), [(1, "one"), (2, "two"), (3, "three")]);
    })
    .await;
}

/// Three copies of each id, two of them through one node: they meet inside a group and between groups.
#[tokio::test]
async fn i1_i2_the_same_ids_at_the_same_time_through_two_nodes() {
    const ROUNDS: usize = 30;
    const IDS: usize = 8;
    watchdog(async {
        let service = Service::start(2).await;
        let (news, sport) = (service.area("news").await, service.area("sport").await);
        let ana = service.reader("ana", news).await;
        ana.subscribe(sport).await;
        for _ in 0..ROUNDS {
            let ids: Vec<Uuid> = (0..IDS).map(|_| Uuid::now_v7()).collect();
            let posts = [0, 1, 0].into_iter().flat_map(|node| ids.iter().map(move |id| (node, *id)));
            let answers = at_once(posts.map(|(node, id)| {
                let ana = ana.clone();
                let area = if id.as_u128().is_multiple_of(4) { sport } else { news };
                async move { (id, ana.post_as(node, area, id, &id.to_string()).await.unwrap()) }
            }))
            .await;
            for id in &ids {
                let of_id: Vec<_> = answers.iter().filter(|(other, _)| other == id).collect();
                let numbers: HashSet<Seq> = of_id.iter().map(|(_, posted)| posted.seq).collect();
                assert_eq!(numbers.len(), 1, "one post, several numbers: {of_id:?}");
                let first = of_id.iter().filter(|(_, posted)| !posted.duplicate).count();
                assert_eq!(first, 1, "{of_id:?}");
            }
        }
        let mut total = 0;
        for area in [news, sport] {
            let articles = ana.read_all(1, area).await; // which checks that no number is missing
            let ids: HashSet<Uuid> = articles.iter().map(|article| article.id).collect();
            assert_eq!(ids.len(), articles.len());
            assert_eq!(articles.last().map_or(0, |article| article.seq), articles.len() as Seq);
            assert!(articles.iter().all(|article| article.body == article.id.to_string()));
            total += articles.len();
        }
        assert_eq!(total, ROUNDS * IDS);
        // A group that failed was repaired post by post, and nobody noticed; but none may fail.
        assert_eq!(service.rollbacks().await, 0);
    })
    .await;
}

#[tokio::test]
async fn i1_the_same_id_with_other_text_at_the_same_time_is_a_conflict_for_one() {
    watchdog(async {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        for round in 1..=40 {
            let id = Uuid::now_v7();
            let answers = at_once([(0, "this"), (1, "that")].map(|(node, body)| {
                let ana = ana.clone();
                async move { (body, ana.post_as(node, area, id, body).await) }
            }))
            .await;
            let won: Vec<_> =
                answers.iter().filter_map(|(body, answer)| Some((body, answer.as_ref().ok()?))).collect();
            let [(body, posted)] = won[..] else { panic!("{answers:?}") };
            assert_eq!((posted.seq, posted.duplicate), (round, false));
            let lost = answers.iter().find_map(|(_, answer)| answer.as_ref().err()).unwrap();
            assert_eq!(lost.code, ErrorCode::Conflict);
            let page = ana.read(0, area, ReadFrom::After(round - 1), 10).await.unwrap();
            assert_eq!(bodies(&page.articles), [(round, *body)]);
        }
        assert_eq!(service.rollbacks().await, 0);
    })
    .await;
}

/// The constraint stands for whatever the database may refuse and the node did not foresee.
#[tokio::test]
async fn i1_a_post_that_fails_its_group_fails_alone() {
    watchdog(async {
        let service = Service::start(1).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        service.sql("alter table articles add check (body <> 'poison')").await;
        let bodies_sent = ["one", "poison", "two", "poison", "three"];
        let posts = bodies_sent.map(|body| Post { area_id: area, id: Uuid::now_v7(), body: body.into() });
        let results = ana.post_all(0, posts.to_vec()).await.unwrap();
        let seqs: Vec<_> =
            results.iter().map(|r| r.as_ref().map(|posted| posted.seq).map_err(|e| e.code)).collect();
        let failed = Err(ErrorCode::Unavailable);
        assert_eq!(seqs, [Ok(1), failed, Ok(2), failed, Ok(3)]);
        // In groups with others' posts, too.
        let answers = at_once((0..20).map(|n| {
            let ana = ana.clone();
            let body = if n % 4 == 0 { "poison".to_string() } else { format!("good {n}") };
            async move { ana.post_as(0, area, Uuid::now_v7(), &body).await.is_ok() == (body != "poison") }
        }))
        .await;
        assert!(answers.into_iter().all(|as_expected| as_expected));
        assert_eq!(ana.read_all(0, area).await.len(), 3 + 15);
        assert_eq!(ana.areas().await[0].last_seq, 3 + 15, "the failed ones used no number");
    })
    .await;
}

#[tokio::test]
async fn i2_eight_writers_through_two_nodes_make_one_dense_log_in_order() {
    const WRITERS: usize = 8;
    const POSTS: usize = 30;
    watchdog(async {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let mut writers = vec![];
        for n in 0..WRITERS {
            writers.push(service.reader(&format!("writer{n}"), area).await);
        }
        let acknowledged = at_once(writers.iter().cloned().enumerate().map(|(n, writer)| async move {
            let mut seqs = vec![];
            for post in 0..POSTS {
                let node = (n + post) % 2;
                let posted =
                    writer.post_as(node, area, Uuid::now_v7(), &format!("{n}/{post}")).await.unwrap();
                seqs.push(posted.seq);
            }
            seqs
        }))
        .await;
        let articles = writers[0].read_all(0, area).await;
        let seqs: Vec<Seq> = articles.iter().map(|article| article.seq).collect();
        assert_eq!(seqs, (1..=(WRITERS * POSTS) as Seq).collect::<Vec<_>>());
        assert!(articles.is_sorted_by_key(|article| article.posted_at_us), "posted_at rises with seq");
        for (n, seqs) in acknowledged.iter().enumerate() {
            assert!(seqs.is_sorted(), "what was posted after an acknowledgement comes after it");
            for (post, seq) in seqs.iter().enumerate() {
                let article = &articles[*seq as usize - 1];
                assert_eq!(article.body, format!("{n}/{post}"));
                assert_eq!(article.author, format!("writer{n}"));
            }
        }
        assert_eq!(service.rollbacks().await, 0);
    })
    .await;
}

#[tokio::test]
async fn i1_a_repeat_is_answered_after_deleting_and_after_unsubscribing() {
    watchdog(async {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        let (kept, deleted) = (Uuid::now_v7(), Uuid::now_v7());
        ana.post_as(0, area, kept, "kept").await.unwrap();
        ana.post_as(0, area, deleted, "deleted").await.unwrap();
        assert!(!ana.delete(1, area, 2).await.unwrap());
        ana.unsubscribe(0, area).await.unwrap();
        for node in [0, 1] {
            for (id, body, seq) in [(kept, "kept", 1), (deleted, "deleted", 2)] {
                let again = ana.post_as(node, area, id, body).await.unwrap();
                assert_eq!((again.seq, again.duplicate), (seq, true));
                assert_eq!(refused(ana.post_as(node, area, id, "other").await), ErrorCode::Conflict);
            }
            assert_eq!(refused(ana.post_as(node, area, Uuid::now_v7(), "new").await), ErrorCode::Denied);
        }
        ana.subscribe(area).await;
        let page = ana.read(1, area, ReadFrom::Start, 10).await.unwrap();
        assert_eq!((bodies(&page.articles), page.deleted), (vec![(1, "kept")], vec![2]));
    })
    .await;
}

/// The lock decides every race; should it ever not, the key refuses what would be a second number of one post.
#[tokio::test]
async fn i1_the_schema_itself_refuses_a_second_row_of_one_post() {
    watchdog(async {
        let service = Service::start(1).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        ana.post(area, "one").await.unwrap();
        let client = service.database.client().await;
        for seq in ["seq", "seq + 1"] {
            let second = format!(
                "insert into articles (area_id, seq, author_id, id, posted_at, body_hash, body)
                 select area_id, {seq}, author_id, case when {seq} = seq then gen_random_uuid() else id end,
                        posted_at, body_hash, body from articles"
            );
            let error = client.batch_execute(&second).await.unwrap_err();
            assert_eq!(error.code().map(|code| code.code()), Some("23505"), "{error}");
        }
    })
    .await;
}
