//! I10: the client tries a second node after a second, so a request and its repeat may run at the same moment. Here both
//! are held at the row that they change: the one that waits judges by a snapshot in which nothing was done yet, and must
//! not answer by that.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_e2e::person::{Answer, done, pause};
use gaceta_e2e::service::Service;
use gaceta_e2e::watchdog;
use std::future::Future;
use uuid::Uuid;
use wire::{AdminRequest, Role};

/// Runs both while `lock` is held, until both wait for it; what each says of `already`, in order.
async fn at_the_same_row<F>(service: &Service, lock: &str, twin: impl Fn(usize) -> F) -> Vec<bool>
where
    F: Future<Output = Answer<bool>> + Send + 'static,
{
    let client = service.database.client().await;
    client.batch_execute(&format!("begin; {lock} for update")).await.unwrap();
    let twins = [tokio::spawn(twin(0)), tokio::spawn(twin(1))];
    while service.blocked().await < 2 {
        assert!(!twins.iter().any(|twin| twin.is_finished()), "a twin did not wait");
        pause().await;
    }
    client.batch_execute("commit").await.unwrap();
    let mut answers = vec![];
    for twin in twins {
        answers.push(twin.await.unwrap().expect("a repeat is never refused"));
    }
    answers.sort_unstable();
    answers
}

const SUBSCRIPTION: &str = "select from subscriptions";
const BOB: &str = "select from users where name = 'bob'";

#[tokio::test]
async fn i10_twins_of_cursor_operations() {
    watchdog(async {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        for text in ["one", "two"] {
            ana.post(area, text).await.unwrap();
        }
        let operation_id = Uuid::now_v7();
        let catching_up = |node| {
            let ana = ana.clone();
            async move {
                let (cursor, already) = ana.catch_up(node, area, operation_id).await?;
                assert_eq!((cursor.cursor, cursor.generation, cursor.unread), (2, 2, 0));
                Ok(already)
            }
        };
        assert_eq!(at_the_same_row(&service, SUBSCRIPTION, catching_up).await, [false, true]);

        let operation_id = Uuid::now_v7();
        let undoing = |node| {
            let ana = ana.clone();
            async move {
                let (cursor, already) = ana.undo(node, area, operation_id).await?;
                assert_eq!((cursor.cursor, cursor.generation, cursor.unread), (0, 3, 2));
                Ok(already)
            }
        };
        assert_eq!(at_the_same_row(&service, SUBSCRIPTION, undoing).await, [false, true]);

        ana.unsubscribe(0, area).await.unwrap();
        let subscribing = |node| {
            let ana = ana.clone();
            async move {
                let (cursor, already) = ana.subscribe_at(node, area, false).await?;
                assert_eq!(cursor, 2, "the head, not where the ended one was");
                Ok(already)
            }
        };
        assert_eq!(at_the_same_row(&service, SUBSCRIPTION, subscribing).await, [false, true]);
    })
    .await;
}

#[tokio::test]
async fn i10_twins_of_what_administrators_do() {
    watchdog(async {
        let service = Service::start(0).await;
        let admin = service.admin().await;
        service.person("bob").await;
        let name = || "bob".to_string();
        for request in [
            AdminRequest::UserRole(wire::UserRole { name: name(), role: Role::Admin }),
            AdminRequest::UserDisable(wire::UserDisable { name: name() }),
            AdminRequest::UserEnable(wire::UserEnable { name: name() }),
            AdminRequest::UserRole(wire::UserRole { name: name(), role: Role::User }),
        ] {
            let asking = |_| {
                let (admin, request) = (admin.clone(), request.clone());
                async move { done(admin.administrate(request).await?) }
            };
            assert_eq!(at_the_same_row(&service, BOB, asking).await, [false, true], "{request:?}");
        }
    })
    .await;
}

/// I3: told that nothing was unread, its late twin must not swallow what was posted meanwhile.
#[tokio::test]
async fn i3_a_late_twin_of_a_catch_up_that_found_nothing_changes_nothing() {
    watchdog(async {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        let operation_id = Uuid::now_v7();
        assert!(ana.catch_up(0, area, operation_id).await.unwrap().1, "nothing was unread");
        ana.post(area, "new").await.unwrap();
        let (cursor, already) = ana.catch_up(1, area, operation_id).await.unwrap();
        assert!(already);
        assert_eq!((cursor.cursor, cursor.unread), (0, 1));
    })
    .await;
}
