//! I2, as a reader can prove it: `verify` accounts for every number, and sees what was done behind the service's back.

use gaceta_e2e::person::refused;
use gaceta_e2e::service::Service;
use gaceta_e2e::watchdog;
use wire::VerifiedState::{Damaged, Deleted, Expired, Kept, Missing};
use wire::{ErrorCode, NodeReply, NodeRequest, VerifiedState};

#[tokio::test]
async fn i2_verify_tells_kept_deleted_expired_missing_and_damaged() {
    watchdog(async {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        for n in 1..=9 {
            ana.post(area, &format!("article {n}")).await.unwrap();
        }
        ana.delete(0, area, 3).await.unwrap();
        let sound = [Kept, Kept, Deleted, Kept, Kept, Kept, Kept, Kept, Kept];
        assert_eq!(ana.verify(1, area).await.unwrap(), sound);
        let spoil: [(&str, usize, VerifiedState); 5] = [
            ("delete from articles where seq = 5", 5, Missing),
            ("update articles set body = 'forged' where seq = 6", 6, Damaged),
            ("update articles set posted_at = posted_at - interval '1 hour' where seq = 8", 8, Damaged),
            ("update articles set state = 2, body = null where seq = 9", 9, Damaged),
            (
                "update heads set expired_through = 1;
                 update articles set state = 2, body = null where seq = 1",
                1,
                Expired,
            ),
        ];
        let mut expected = sound;
        for (statements, seq, state) in spoil {
            service.sql(statements).await;
            expected[seq - 1] = state;
            assert_eq!(ana.verify(1, area).await.unwrap(), expected, "{statements}");
        }
        let bob = service.person("bob").await;
        assert_eq!(refused(bob.verify(0, area).await), ErrorCode::Denied);
    })
    .await;
}

#[tokio::test]
async fn i9_verify_comes_in_pages() {
    const NUMBERS: i64 = 12_345;
    watchdog(async {
        let service = Service::start(1).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        service
            .sql(&format!(
                "insert into articles (area_id, seq, author_id, id, posted_at, body_hash, body)
                 select {0}, n, (select user_id from users where name = 'ana'), gen_random_uuid(), now(),
                        sha256('x'), 'x' from generate_series(1, {NUMBERS}) n;
                 update heads set last_seq = {NUMBERS} where area_id = {0}",
                area.0
            ))
            .await;
        let mut after = 0;
        let mut pages = 0;
        while after < NUMBERS {
            let request = NodeRequest::Verify(wire::Verify { area_id: area, after });
            let NodeReply::Verified(page) = ana.ask_node(0, request).await.unwrap() else { panic!() };
            assert_eq!((page.from, page.last_seq), (after + 1, NUMBERS));
            assert!(page.states.iter().all(|state| *state == Kept));
            after += page.states.len() as i64;
            pages += 1;
        }
        assert!(after == NUMBERS && pages > 1, "{pages} pages up to {after}");
    })
    .await;
}
