//! I3: the cursor moves only up to what was shown, and what comes late changes nothing. I6: any node serves any area.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_e2e::person::{Person, bodies, pause, refused, shown};
use gaceta_e2e::service::Service;
use gaceta_e2e::watchdog;
use uuid::Uuid;
use wire::{AreaId, ErrorCode, NodeReply, NodeRequest, ReadFrom, Seq, Shown};

/// A reader of an area with `articles` unread ones.
async fn reader_with(service: &Service, articles: i64) -> (Person, AreaId) {
    let area = service.area("news").await;
    let ana = service.reader("ana", area).await;
    for n in 1..=articles {
        ana.post(area, &format!("article {n}")).await.unwrap();
    }
    (ana, area)
}

/// Cursor, generation and unread, as the agent tells them.
async fn standing(person: &Person, area: AreaId) -> (Seq, i64, i64) {
    let one = person.subscription(area).await;
    (one.cursor, one.generation, one.unread)
}

#[tokio::test]
async fn i3_a_mark_moves_the_cursor_only_over_what_was_shown() {
    watchdog(async {
        let service = Service::start(1).await;
        let (ana, area) = reader_with(&service, 10).await;
        let mark = |from, upto, generation| Shown { from, upto, generation, reading_id: Uuid::now_v7() };
        let steps = [
            (mark(1, 3, 1), 3, "from the cursor on"),
            (mark(5, 6, 1), 3, "4 was not shown"),
            (mark(1, 2, 1), 3, "never back"),
            (mark(4, 11, 1), 3, "11 does not exist"),
            (mark(4, 5, 2), 3, "a generation of the future"),
            (mark(4, 5, 0), 3, "an old generation"),
            (mark(2, 5, 1), 5, "an overlap leaves no gap"),
            (mark(6, 5, 1), 5, "an empty page"),
            (mark(6, 10, 1), 10, "up to the head"),
        ];
        for (shown, cursor, why) in steps {
            let moved = ana.mark(0, area, shown).await.unwrap();
            assert_eq!((moved.cursor, moved.generation, moved.unread), (cursor, 1, 10 - cursor), "{why}");
            assert_eq!(standing(&ana, area).await, (cursor, 1, 10 - cursor), "{why}");
        }
    })
    .await;
}

#[tokio::test]
async fn i3_a_page_acknowledges_the_one_before_and_undo_takes_back_the_whole_reading_once() {
    watchdog(async {
        let service = Service::start(2).await;
        let (ana, area) = reader_with(&service, 7).await;
        let reading_id = Uuid::now_v7();
        let mut acknowledge = None;
        let mut seen = vec![];
        for request in 0..3 {
            let read = NodeRequest::Read(wire::Read {
                area_id: area,
                from: ReadFrom::Unread,
                limit: 3,
                shown: acknowledge,
            });
            let NodeReply::Page(page) = ana.ask_node(request % 2, read).await.unwrap() else { panic!() };
            assert_eq!(page.cursor, page.from - 1, "unread begins after what was acknowledged just now");
            acknowledge =
                Some(Shown { from: page.from, upto: page.upto, generation: page.generation, reading_id });
            seen.extend(page.articles.iter().map(|article| article.seq));
        }
        assert_eq!(seen, (1..=7).collect::<Vec<_>>());
        assert_eq!(standing(&ana, area).await, (6, 1, 1), "the last page is not acknowledged yet");
        assert_eq!(ana.mark(0, area, acknowledge.unwrap()).await.unwrap().cursor, 7);

        let undo = Uuid::now_v7();
        let (cursor, already) = ana.undo(0, area, undo).await.unwrap();
        assert_eq!((cursor.cursor, cursor.generation, cursor.unread, already), (0, 2, 7, false));
        let (cursor, already) = ana.undo(1, area, undo).await.unwrap();
        assert_eq!((cursor.cursor, cursor.generation, already), (0, 2, true), "a repeat");
        assert_eq!(refused(ana.undo(0, area, Uuid::now_v7()).await), ErrorCode::Conflict);

        // What the reading still had under way comes late.
        let late = Shown { from: 1, ..acknowledge.unwrap() }; // no gap: only its generation is wrong
        let moved = ana.mark(1, area, late).await.unwrap();
        assert_eq!((moved.cursor, moved.generation), (0, 2));
        let acknowledge = Some(late);
        let read = NodeRequest::Read(wire::Read {
            area_id: area,
            from: ReadFrom::Unread,
            limit: 3,
            shown: acknowledge,
        });
        let NodeReply::Page(page) = ana.ask_node(0, read).await.unwrap() else { panic!() };
        assert_eq!((page.from, page.cursor, page.generation), (1, 0, 2));
        let place = wire::FollowArea { area_id: area, after: 0, shown: acknowledge };
        let (pages, _) = ana.follow(0, vec![place], 0).await.unwrap();
        assert_eq!((pages[0].from, pages[0].cursor), (1, 0));
        assert_eq!(
            refused(ana.undo(0, area, Uuid::now_v7()).await),
            ErrorCode::Conflict,
            "nothing was marked"
        );
    })
    .await;
}

#[tokio::test]
async fn i3_i10_catching_up_and_its_undo_may_be_repeated_at_any_time() {
    watchdog(async {
        let service = Service::start(2).await;
        let (ana, area) = reader_with(&service, 5).await;
        let page = ana.read(0, area, ReadFrom::Unread, 2).await.unwrap();
        let first_reading = shown(&page);
        ana.mark(0, area, first_reading).await.unwrap();
        let (catch_up, undo) = (Uuid::now_v7(), Uuid::now_v7());
        let (cursor, already) = ana.catch_up(0, area, catch_up).await.unwrap();
        assert_eq!((cursor.cursor, cursor.generation, cursor.unread, already), (5, 2, 0, false));
        let (cursor, already) = ana.catch_up(1, area, catch_up).await.unwrap();
        assert_eq!((cursor.cursor, cursor.generation, already), (5, 2, true));
        assert_eq!(ana.mark(0, area, Shown { from: 3, upto: 4, ..first_reading }).await.unwrap().cursor, 5);

        ana.post(area, "article 6").await.unwrap();
        let (cursor, already) = ana.catch_up(1, area, catch_up).await.unwrap();
        assert_eq!((cursor.cursor, cursor.unread, already), (5, 1, true), "what came since stays unread");

        let (cursor, already) = ana.undo(1, area, undo).await.unwrap();
        assert_eq!((cursor.cursor, cursor.generation, cursor.unread, already), (2, 3, 4, false));
        // The catch-up arrives once more, by way of a node that was slow.
        let (cursor, already) = ana.catch_up(0, area, catch_up).await.unwrap();
        assert_eq!((cursor.cursor, already), (2, true), "a late repeat must not catch up again");
        // And so does the undo, after something new was read.
        let page = ana.read(0, area, ReadFrom::Unread, 2).await.unwrap();
        assert_eq!(ana.mark(0, area, shown(&page)).await.unwrap().cursor, 4);
        let (cursor, already) = ana.undo(0, area, undo).await.unwrap();
        assert_eq!(
            (cursor.cursor, already),
            (4, true),
            "a late repeat must not take back what came after it"
        );
        let (cursor, already) = ana.undo(0, area, Uuid::now_v7()).await.unwrap();
        assert_eq!((cursor.cursor, already), (2, false));
        let (_, already) = ana.catch_up(0, area, Uuid::now_v7()).await.unwrap();
        assert!(!already);
        let (_, already) = ana.catch_up(0, area, Uuid::now_v7()).await.unwrap();
        assert!(already, "nothing was unread");
        let (cursor, _) = ana.undo(0, area, Uuid::now_v7()).await.unwrap();
        assert_eq!(cursor.cursor, 2, "catching up with nothing unread is nothing to undo");
    })
    .await;
}

#[tokio::test]
async fn i3_a_subscription_starts_at_the_head_or_at_the_first_kept_article() {
    watchdog(async {
        let service = Service::start(2).await;
        let (ana, area) = reader_with(&service, 6).await;
        let bob = service.person("bob").await;
        assert_eq!(bob.subscribe_at(1, area, false).await.unwrap(), (6, false));
        assert_eq!(standing(&bob, area).await, (6, 1, 0));
        assert_eq!(bob.subscribe_at(0, area, true).await.unwrap(), (6, true), "a repeat moves nothing");
        let page = bob.read(0, area, ReadFrom::Unread, 10).await.unwrap();
        assert_eq!((page.articles.len(), page.more), (0, false));

        service
            .sql(
                "update heads set expired_through = 2;
                  update articles set state = 2, body = null where seq <= 2",
            )
            .await;
        ana.delete(0, area, 4).await.unwrap();
        let eva = service.person("eva").await;
        assert_eq!(eva.subscribe_at(0, area, true).await.unwrap(), (2, false));
        assert_eq!(standing(&eva, area).await, (2, 1, 3));
        let page = eva.read(1, area, ReadFrom::Unread, 10).await.unwrap();
        let kept = vec![(3, "article 3"), (5, "article 5"), (6, "article 6")];
        assert_eq!((bodies(&page.articles), &page.deleted), (kept.clone(), &vec![4]));
        // Whoever stands before what has expired is told so, and goes on behind it.
        assert_eq!(standing(&ana, area).await, (0, 1, 3));
        let page = ana.read(1, area, ReadFrom::Unread, 10).await.unwrap();
        assert_eq!((page.from, page.expired_through, bodies(&page.articles)), (1, 2, kept));
        assert_eq!(ana.mark(1, area, Shown { from: 3, ..shown(&page) }).await.unwrap().cursor, 6);
    })
    .await;
}

#[tokio::test]
async fn i3_subscribing_again_is_a_new_generation() {
    watchdog(async {
        let service = Service::start(2).await;
        let (ana, area) = reader_with(&service, 4).await;
        let old = shown(&ana.read(0, area, ReadFrom::Unread, 2).await.unwrap());
        ana.mark(0, area, old).await.unwrap();
        assert!(!ana.unsubscribe(1, area).await.unwrap());
        assert_eq!(refused(ana.read(0, area, ReadFrom::Start, 2).await), ErrorCode::Denied);
        assert_eq!(refused(ana.mark(0, area, old).await), ErrorCode::Denied);
        assert_eq!(refused(ana.undo(0, area, Uuid::now_v7()).await), ErrorCode::Denied);
        assert_eq!(refused(ana.catch_up(0, area, Uuid::now_v7()).await), ErrorCode::Denied);
        assert!(ana.subscriptions().await.is_empty());

        assert_eq!(ana.subscribe_at(0, area, true).await.unwrap(), (0, false));
        let late = Shown { from: 1, upto: 4, ..old };
        assert_eq!(ana.mark(1, area, late).await.unwrap().cursor, 0, "a mark of the old subscription");
        assert_eq!(refused(ana.undo(0, area, Uuid::now_v7()).await), ErrorCode::Conflict, "nor its undo");
        assert_eq!(standing(&ana, area).await, (0, 2, 4));
    })
    .await;
}

#[tokio::test]
async fn i3_two_devices_share_one_cursor() {
    watchdog(async {
        let service = Service::start(2).await;
        let (laptop, area) = reader_with(&service, 6).await;
        let phone = laptop.other_device().await;
        let on_laptop = laptop.read(0, area, ReadFrom::Unread, 4).await.unwrap();
        let on_phone = phone.read(1, area, ReadFrom::Unread, 2).await.unwrap();
        laptop.mark(0, area, shown(&on_laptop)).await.unwrap();
        assert_eq!(phone.mark(1, area, shown(&on_phone)).await.unwrap().cursor, 4, "it was read further");
        let on_phone = phone.read(1, area, ReadFrom::Unread, 10).await.unwrap();
        assert_eq!((on_phone.from, on_phone.upto), (5, 6));
        phone.mark(0, area, shown(&on_phone)).await.unwrap();
        assert_eq!(standing(&laptop, area).await, (6, 1, 0));
        let (cursor, _) = laptop.undo(0, area, Uuid::now_v7()).await.unwrap();
        assert_eq!(cursor.cursor, 4, "the last reading was the phone's");
        assert_eq!(phone.read(1, area, ReadFrom::Unread, 10).await.unwrap().from, 5);
    })
    .await;
}

#[tokio::test]
async fn i6_what_one_node_does_the_other_shows_at_once() {
    watchdog(async {
        let service = Service::start(2).await;
        let (ana, area) = reader_with(&service, 0).await;
        let bob = service.person("bob").await;
        for round in 0..15 {
            let (here, there) = (round % 2, (round + 1) % 2);
            assert_eq!(bob.subscribe_at(here, area, false).await.unwrap().1, round > 0 && round % 3 != 0);
            let posted = bob.post_as(there, area, Uuid::now_v7(), "hello").await.unwrap();
            let page = ana.read(here, area, ReadFrom::Unread, 10).await.unwrap();
            assert_eq!((bodies(&page.articles), page.upto), (vec![(posted.seq, "hello")], posted.seq));
            ana.mark(there, area, shown(&page)).await.unwrap();
            let again = ana.read(here, area, ReadFrom::Unread, 10).await.unwrap();
            assert_eq!((again.cursor, again.articles.len()), (posted.seq, 0));
            bob.delete(there, area, posted.seq).await.unwrap();
            let page = ana.read(here, area, ReadFrom::After(posted.seq - 1), 10).await.unwrap();
            assert_eq!((page.articles.len(), page.deleted), (0, vec![posted.seq]));
            if round % 3 == 2 {
                bob.unsubscribe(here, area).await.unwrap();
                assert_eq!(refused(bob.read(there, area, ReadFrom::Start, 1).await), ErrorCode::Denied);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn i6_a_node_that_comes_later_serves_what_is_there() {
    watchdog(async {
        let mut service = Service::start(1).await;
        let (ana, area) = reader_with(&service, 3).await;
        service.add_node(|_| {}).await;
        let ana = Person { nodes: service.nodes.iter().map(|node| node.address).collect(), ..ana };
        assert_eq!(ana.read_all(1, area).await.len(), 3);
        service.nodes[0].kill().await;
        assert_eq!(refused(ana.read(0, area, ReadFrom::Start, 1).await), ErrorCode::Unavailable);
        assert_eq!(ana.post_as(1, area, Uuid::now_v7(), "article 4").await.unwrap().seq, 4);
        service.restart_node(0).await;
        while ana.read(0, area, ReadFrom::Start, 10).await.map_or(0, |page| page.articles.len()) < 4 {
            pause().await;
        }
    })
    .await;
}
