//! I1 and I2: nothing acknowledged is lost or doubled; numbers are dense and in commit order.

use gaceta_e2e::person::{bodies, refused};
use gaceta_e2e::service::Service;
use gaceta_e2e::watchdog;
use uuid::Uuid;
use wire::{ErrorCode, Post, ReadFrom};

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
