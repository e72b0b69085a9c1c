//! I5: a revoked session or ended subscription is refused by every node from the moment that is acknowledged, waiting
//! followers included.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::person::{Answer, Person, pause, refused};
use gaceta_e2e::requests::{agent_requests, node_requests, refusal};
use gaceta_e2e::service::{PASSWORD, Service};
use gaceta_e2e::{at_once, watchdog};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use uuid::Uuid;
use wire::{
    AdminRequest, AgentRequest, AreaId, ErrorCode, FollowArea, FollowEnded, Page, Password, ReadFrom, Shown,
};

/// Far below the wait of the followers here: they are told, they do not run out.
const PROMPT: Duration = Duration::from_secs(5);

type Followed = JoinHandle<Answer<(Vec<Page>, Vec<FollowEnded>)>>;

/// Somebody who has just been served by both nodes and now waits at the second one, after `upto` in all these areas.
async fn waiting(person: &Person, areas: &[AreaId], upto: i64) -> Followed {
    for node in [0, 1] {
        person.read(node, areas[0], ReadFrom::Start, 10).await.unwrap();
    }
    let generation = person.subscription(areas[0]).await.generation;
    let shown = Some(Shown { from: 1, upto, generation, reading_id: Uuid::now_v7() });
    let place = |area_id: &AreaId| FollowArea { area_id: *area_id, after: upto, shown };
    let places = areas.iter().map(place).collect();
    let asking = person.clone();
    let follower = tokio::spawn(async move { asking.follow(1, places, 20_000).await });
    // Once its mark is there, the node has looked; it waits, or is about to.
    while person.subscription(areas[0]).await.cursor < upto {
        pause().await;
    }
    follower
}

/// How somebody's session may be ended by another one of his own, or by an administrator.
#[derive(Debug, Clone, Copy)]
enum Revocation {
    EndSession,
    EndAllSessions,
    Logout,
    ChangePassword,
    AdminPassword,
    Disable,
}

impl Revocation {
    async fn of(self, victim: &Person, other: &Person, admin: &Person) {
        let name = victim.name.clone();
        let new = || Password("another password".into());
        let done = match self {
            Self::EndSession => {
                other
                    .ask_agent(AgentRequest::EndSession(wire::EndSession { session_id: victim.session_id }))
                    .await
            }
            Self::EndAllSessions => {
                other.ask_agent(AgentRequest::EndAllSessions(wire::EndAllSessions {})).await
            }
            Self::Logout => victim.ask_agent(AgentRequest::Logout(wire::Logout {})).await,
            Self::ChangePassword => {
                let old = Password(PASSWORD.into());
                other.ask_agent(AgentRequest::ChangePassword(wire::ChangePassword { old, new: new() })).await
            }
            Self::AdminPassword => {
                admin
                    .administrate(AdminRequest::UserPassword(wire::UserPassword { name, password: new() }))
                    .await
            }
            Self::Disable => admin.administrate(AdminRequest::UserDisable(wire::UserDisable { name })).await,
        };
        done.unwrap();
    }
}

#[tokio::test]
async fn i5_a_revoked_session_is_refused_everywhere_and_its_waiting_follower_gets_nothing_more() {
    let ways = [
        Revocation::EndSession,
        Revocation::EndAllSessions,
        Revocation::Logout,
        Revocation::ChangePassword,
        Revocation::AdminPassword,
        Revocation::Disable,
    ];
    watchdog(async {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let admin = service.admin().await;
        let writer = service.reader("writer", area).await;
        writer.post(area, "for all").await.unwrap();
        for (n, way) in ways.into_iter().enumerate() {
            let victim = service.person(&format!("victim{n}")).await;
            victim.subscribe_at(0, area, true).await.unwrap();
            let other = victim.other_device().await;
            let upto = writer.areas().await[0].last_seq;
            let follower = waiting(&victim, &[area], upto).await;
            way.of(&victim, &other, &admin).await;
            let revoked = Instant::now();
            writer.post(area, "not for the revoked").await.unwrap();
            assert_eq!(refused(follower.await.unwrap()), ErrorCode::Unauthenticated, "{way:?}");
            assert!(revoked.elapsed() < PROMPT, "{way:?}: told after {:?}", revoked.elapsed());
            for request in node_requests(area) {
                for node in [0, 1] {
                    let answer = victim.ask_node(node, request.clone()).await;
                    assert_eq!(refusal(answer), ErrorCode::Unauthenticated, "{way:?}: {request:?}");
                }
            }
            // Ending all is repeatable with the token that it ended (I10), and says that there was none left.
            let requests = agent_requests().into_iter();
            for request in
                requests.filter(|request| *request != AgentRequest::EndAllSessions(wire::EndAllSessions {}))
            {
                let answer = victim.ask_agent(request.clone()).await;
                assert_eq!(refused(answer), ErrorCode::Unauthenticated, "{way:?}: {request:?}");
            }
        }
        assert_eq!(writer.areas().await[0].last_seq, 1 + ways.len() as i64, "none of them posted");
    })
    .await;
}

/// Without news, too: the notification tells the follower, or the follower that is about to wait.
#[tokio::test]
async fn i5_a_follower_is_told_at_once_also_when_it_is_just_about_to_wait() {
    const ROUNDS: u64 = 40;
    watchdog(async {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        for round in 0..ROUNDS {
            let phone = ana.other_device().await;
            let place = FollowArea { area_id: area, after: 0, shown: None };
            let asking = phone.clone();
            let follower = tokio::spawn(async move { asking.follow(1, vec![place], 20_000).await });
            // Not a wait for anything: the rounds meet the follower before, in and after its look.
            tokio::time::sleep(Duration::from_micros(round * 250)).await;
            phone.logout().await.unwrap();
            let ended = Instant::now();
            assert_eq!(refused(follower.await.unwrap()), ErrorCode::Unauthenticated, "round {round}");
            assert!(ended.elapsed() < PROMPT, "round {round}: told after {:?}", ended.elapsed());
        }
    })
    .await;
}

/// The fetch asks for the session after it has read, so that what came after the acknowledgement is never delivered.
#[tokio::test]
async fn i5_a_post_right_after_the_acknowledgement_never_reaches_the_revoked() {
    const ROUNDS: i64 = 25;
    const VICTIMS: usize = 4;
    watchdog(async {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        let mut seq = ana.post(area, "first").await.unwrap();
        for round in 0..ROUNDS {
            let mut victims = vec![];
            for _ in 0..VICTIMS {
                victims.push(ana.other_device().await);
            }
            let followers: Vec<_> = victims
                .iter()
                .map(|victim| {
                    let (asking, places) =
                        (victim.clone(), vec![FollowArea { area_id: area, after: seq, shown: None }]);
                    tokio::spawn(async move { asking.follow(1, places, 20_000).await })
                })
                .collect();
            // What is posted before the end of the sessions may reach them, what is posted after it may not.
            let (before, _) = tokio::join!(
                ana.post_as(1, area, Uuid::now_v7(), "before or during"),
                at_once(victims.iter().cloned().map(|victim| async move { victim.logout().await.unwrap() }))
            );
            let secret = ana.post_as(round as usize % 2, area, Uuid::now_v7(), "secret").await.unwrap().seq;
            for follower in followers {
                match follower.await.unwrap() {
                    Ok((pages, _)) => {
                        let numbers: Vec<_> = pages[0].articles.iter().map(|article| article.seq).collect();
                        assert_eq!(
                            numbers,
                            [before.as_ref().unwrap().seq],
                            "{secret} was posted after the end"
                        );
                    }
                    Err(error) => assert_eq!(error.code, ErrorCode::Unauthenticated),
                }
            }
            seq = secret;
        }
    })
    .await;
}

/// The same, held open at its narrowest: a lock stops the node inside its fetch, and the session ends and the article
/// comes before it goes on.
#[tokio::test]
async fn i5_a_fetch_under_way_asks_for_the_session_after_it_has_read() {
    watchdog(async {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        ana.post(area, "first").await.unwrap();
        let phone = ana.other_device().await;
        service.sql("drop trigger session_ended on sessions").await; // no second fetch: this one must see it
        let follower = waiting(&phone, &[area], 1).await;
        let writer = service.database.client().await;
        writer.batch_execute("begin; lock table articles in access exclusive mode").await.unwrap();
        service.sql(&format!("notify gaceta_heads, '{}'", area.0)).await;
        while service.blocked().await == 0 {
            pause().await;
        }
        phone.logout().await.unwrap();
        writer
            .batch_execute(
                "insert into articles (area_id, seq, author_id, id, posted_at, body_hash, body)
                 select area_id, 2, author_id, gen_random_uuid(), posted_at, body_hash, 'secret' from articles;
                 update heads set last_seq = 2; commit",
            )
            .await
            .unwrap();
        assert_eq!(refused(follower.await.unwrap()), ErrorCode::Unauthenticated);
    })
    .await;
}

#[tokio::test]
async fn i5_an_ended_subscription_ends_for_its_followers_and_the_other_areas_go_on() {
    watchdog(async {
        let service = Service::start(2).await;
        let (news, sport) = (service.area("news").await, service.area("sport").await);
        let writer = service.reader("writer", news).await;
        writer.subscribe(sport).await;
        let ana = service.reader("ana", news).await;
        ana.subscribe(sport).await;
        for area in [news, sport] {
            writer.post(area, "first").await.unwrap();
        }
        let follower = waiting(&ana, &[news, sport], 1).await;
        let phone = ana.other_device().await;
        let on_phone = waiting(&phone, &[sport], 1).await;
        ana.unsubscribe(0, news).await.unwrap();
        let ended_at = Instant::now();
        writer.post(news, "not for ana").await.unwrap();
        let (pages, ended) = follower.await.unwrap().unwrap();
        assert!(ended_at.elapsed() < PROMPT, "{:?}", ended_at.elapsed());
        assert_eq!((pages.len(), ended.len()), (0, 1));
        assert_eq!((ended[0].area_id, ended[0].error.code), (news, ErrorCode::Denied));
        // Who follows it nevertheless is told at once, and gets the others.
        let places = [news, sport].map(|area_id| FollowArea { area_id, after: 0, shown: None });
        let (pages, ended) = ana.follow(1, places.to_vec(), 20_000).await.unwrap();
        assert_eq!((pages[0].area_id, pages.len()), (sport, 1));
        assert_eq!((ended[0].area_id, ended.len()), (news, 1));
        writer.post(sport, "second").await.unwrap();
        let (pages, ended) = on_phone.await.unwrap().unwrap();
        assert_eq!((pages[0].articles[0].body.as_str(), ended.len()), ("second", 0));
        for request in node_requests(news) {
            if matches!(request, wire::NodeRequest::Subscribe(_) | wire::NodeRequest::Unsubscribe(_)) {
                continue;
            }
            assert_eq!(refusal(ana.ask_node(1, request.clone()).await), ErrorCode::Denied, "{request:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn i5_a_client_whose_nodes_are_all_new_ones_hears_of_its_ended_session_from_an_agent() {
    watchdog(async {
        let mut service = Service::start(1).await;
        let area = service.area("news").await;
        let writer = service.reader("writer", area).await;
        let ana = Gaceta::registered(service.agents()[0], "ana").await;
        ana.json("subscribe news").await;
        let mut follower = ana.start("follow news --json");
        writer.post(area, "first").await.unwrap();
        assert!(follower.line().await.is_some(), "{}", follower.log());
        // As when a service is restored from a backup: the sessions end while nobody serves, and no node comes back where it was.
        service.nodes[0].kill().await;
        service.sql("update sessions set ended_at = now() where ended_at is null").await;
        service.add_node(|_| {}).await;
        assert_eq!(follower.end().await.code(), Some(4), "{}", follower.log());
    })
    .await;
}
