//! I10: every request that changes something may be repeated, and then says that it was so already. (Posts: I1, in
//! `posting.rs`; catching up and undo: `reading.rs`.)

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_e2e::person::{Answer, Person, call, done, pause, refused};
use gaceta_e2e::service::{PASSWORD, Service};
use gaceta_e2e::{at_once, watchdog};
use uuid::Uuid;
use wire::{
    AdminRequest, AgentReply, AgentRequest, AreaSettings, ErrorCode, Keep, Password, ReplyBody, RequestBody,
    Role,
};

/// What an agent answers to a change, as whether it was so already.
fn already(reply: AgentReply) -> bool {
    match reply {
        AgentReply::LoggedIn(logged_in) => logged_in.already,
        AgentReply::AreaChanged(wire::AreaChanged { already, .. }) => already,
        other => done(other).unwrap(),
    }
}

/// Asks three times: a change, and two repeats that change nothing.
async fn changes_once(person: &Person, request: AgentRequest) {
    for repeat in [false, true, true] {
        let reply = person.ask_agent(request.clone()).await.unwrap();
        assert_eq!(already(reply), repeat, "{request:?}");
    }
}

async fn register(service: &Service, name: &str, password: &str) -> Answer<(i64, bool)> {
    let password = Password(password.into());
    let request =
        AgentRequest::Register(wire::Register { name: name.into(), password, label: "test".into() });
    match call(service.agent.address, None, RequestBody::Agent(request)).await? {
        ReplyBody::Agent(AgentReply::LoggedIn(logged_in)) => Ok((logged_in.session_id, logged_in.already)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn i10_accounts() {
    watchdog(async {
        let service = Service::start(0).await;
        let (first, already) = register(&service, "Ana", PASSWORD).await.unwrap();
        assert!(!already);
        let (second, already) = register(&service, "ana", PASSWORD).await.unwrap();
        assert!(already && second != first, "the same account, one more session");
        assert_eq!(refused(register(&service, "ANA", "another password").await), ErrorCode::Conflict);
        // At the same time, too: one account.
        let service = std::sync::Arc::new(service);
        let answers = at_once((0..8).map(|_| {
            let service = service.clone();
            async move {
                loop {
                    match register(&service, "bob", PASSWORD).await {
                        // More at once than may be wrong: each waits until others were found right.
                        Err(error) if error.code == ErrorCode::Busy => pause().await,
                        answer => return answer.unwrap().1,
                    }
                }
            }
        }))
        .await;
        assert_eq!(answers.iter().filter(|already| !**already).count(), 1);

        let ana = Person::login(&service, "ana").await;
        assert!(!ana.change_password(PASSWORD, "another password").await.unwrap());
        assert!(ana.change_password(PASSWORD, "another password").await.unwrap(), "already");
        let wrong = ana.change_password("wrong password", "a third password").await;
        assert_eq!(refused(wrong), ErrorCode::Unauthenticated);
        let change = ana.change_password("another password", "short").await;
        assert_eq!(refused(change), ErrorCode::Invalid);
    })
    .await;
}

#[tokio::test]
async fn i10_sessions() {
    watchdog(async {
        let service = Service::start(0).await;
        let ana = service.person("ana").await;
        let phone = ana.other_device().await;
        changes_once(&ana, AgentRequest::EndSession(wire::EndSession { session_id: phone.session_id })).await;
        let bob = service.person("bob").await;
        let foreign = AgentRequest::EndSession(wire::EndSession { session_id: bob.session_id });
        assert_eq!(refused(ana.ask_agent(foreign).await), ErrorCode::NotFound);
        changes_once(&bob, AgentRequest::Logout(wire::Logout {})).await;
        // One's own session, by its number.
        let tablet = ana.other_device().await;
        changes_once(&tablet, AgentRequest::EndSession(wire::EndSession { session_id: tablet.session_id }))
            .await;
        let other = AgentRequest::EndSession(wire::EndSession { session_id: ana.session_id });
        assert_eq!(refused(tablet.ask_agent(other).await), ErrorCode::Unauthenticated, "no other one's");
        for sessions in [1, 0, 0] {
            let reply = ana.ask_agent(AgentRequest::EndAllSessions(wire::EndAllSessions {})).await.unwrap();
            assert_eq!(reply, AgentReply::Ended(wire::Ended { sessions }));
        }
    })
    .await;
}

#[tokio::test]
async fn i10_subscriptions_and_articles() {
    watchdog(async {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let ana = service.person("ana").await;
        assert!(ana.unsubscribe(0, area).await.unwrap(), "never subscribed");
        for repeat in [false, true, true] {
            assert_eq!(ana.subscribe_at(0, area, false).await.unwrap(), (0, repeat));
        }
        ana.post(area, "one").await.unwrap();
        for (node, repeat) in [(0, false), (1, true), (0, true)] {
            assert_eq!(ana.delete(node, area, 1).await.unwrap(), repeat);
        }
        for (node, repeat) in [(0, false), (1, true), (0, true)] {
            assert_eq!(ana.unsubscribe(node, area).await.unwrap(), repeat);
        }
        // The same at the same time, by two nodes: a twin may be told to come again, and no more.
        for _ in 0..20 {
            let twins = at_once([0, 1].map(|node| {
                let ana = ana.clone();
                async move { ana.subscribe_at(node, area, false).await }
            }))
            .await;
            let first = twins.iter().filter(|answer| matches!(answer, Ok((1, false)))).count();
            assert_eq!(first, 1, "{twins:?}");
            assert!(
                twins.iter().flat_map(|answer| answer.as_ref().err()).all(|error| error.code.is_retryable())
            );
            let twins = at_once([0, 1].map(|node| {
                let ana = ana.clone();
                async move { ana.unsubscribe(node, area).await.unwrap() }
            }))
            .await;
            assert_eq!(twins.iter().filter(|already| !**already).count(), 1, "{twins:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn i10_administration() {
    watchdog(async {
        let service = Service::start(0).await;
        let admin = service.admin().await;
        let once = |request| changes_once(&admin, AgentRequest::Admin(request));
        let ana = || "ana".to_string();
        let password = || Password("another password".into());
        once(AdminRequest::UserAdd(wire::UserAdd { name: ana(), password: password(), role: Role::User }))
            .await;
        let other =
            AdminRequest::UserAdd(wire::UserAdd { name: ana(), password: password(), role: Role::Admin });
        assert_eq!(refused(admin.administrate(other).await), ErrorCode::Conflict, "another role");
        let other = AdminRequest::UserAdd(wire::UserAdd {
            name: ana(),
            password: Password(PASSWORD.into()),
            role: Role::User,
        });
        assert_eq!(refused(admin.administrate(other).await), ErrorCode::Conflict, "another password");
        once(AdminRequest::UserRole(wire::UserRole { name: ana(), role: Role::Admin })).await;
        once(AdminRequest::UserRole(wire::UserRole { name: ana(), role: Role::User })).await;
        once(AdminRequest::UserDisable(wire::UserDisable { name: ana() })).await;
        once(AdminRequest::UserEnable(wire::UserEnable { name: ana() })).await;
        for _ in 0..2 {
            admin
                .administrate(AdminRequest::UserPassword(wire::UserPassword {
                    name: ana(),
                    password: password(),
                }))
                .await
                .unwrap();
        }

        let creation_id = Uuid::now_v7();
        let add = |creation_id, name: &str| {
            AdminRequest::AreaAdd(wire::AreaAdd {
                creation_id,
                name: name.into(),
                settings: AreaSettings::default(),
            })
        };
        once(add(creation_id, "News")).await;
        let other = add(Uuid::now_v7(), "NEWS");
        assert_eq!(refused(admin.administrate(other).await), ErrorCode::Conflict, "the name is taken");
        let settings = AreaSettings {
            description: Some("what is new".into()),
            replicas: Some(3),
            keep_for_s: Some(Keep::Limit(86_400)),
            keep_count: Some(Keep::Limit(100)),
        };
        once(AdminRequest::AreaSet(wire::AreaSet { name: "news".into(), settings })).await;
        let settings = AreaSettings { keep_count: Some(Keep::Forever), ..AreaSettings::default() };
        once(AdminRequest::AreaSet(wire::AreaSet { name: "news".into(), settings })).await;
        let area_id = service.admin().await.areas().await[0].area_id;
        once(AdminRequest::AreaRemove(wire::AreaRemove { area_id })).await;
        once(AdminRequest::AreaRestore(wire::AreaRestore { name: "news".into() })).await;

        let audit = admin.audit().await;
        for (action, times) in [
            ("user.add", 1),
            ("user.role", 2),
            ("user.disable", 1),
            ("user.enable", 1),
            ("area.add", 1),
            ("area.set", 2),
            ("area.rm", 1),
            ("area.restore", 1),
        ] {
            let found = audit.iter().filter(|entry| entry.action == action).count();
            assert_eq!(found, times, "{action} is audited once for each change");
        }
    })
    .await;
}

/// Whoever gives up a right of his own can still hear that he has.
#[tokio::test]
async fn i10_administrators_who_give_up_their_own_rights() {
    watchdog(async {
        let service = Service::start(0).await;
        let admin = service.admin().await;
        for name in ["ana", "eva"] {
            service.person(name).await;
            let promote = AdminRequest::UserRole(wire::UserRole { name: name.into(), role: Role::Admin });
            changes_once(&admin, AgentRequest::Admin(promote)).await;
        }
        let ana = Person::login(&service, "ana").await;
        let demote = AdminRequest::UserRole(wire::UserRole { name: "ana".into(), role: Role::User });
        changes_once(&ana, AgentRequest::Admin(demote)).await;
        let other = AdminRequest::UserRole(wire::UserRole { name: "eva".into(), role: Role::Admin });
        assert_eq!(refused(ana.administrate(other).await), ErrorCode::Denied, "of others it tells nothing");
        let eva = Person::login(&service, "eva").await;
        let disable = AdminRequest::UserDisable(wire::UserDisable { name: "eva".into() });
        changes_once(&eva, AgentRequest::Admin(disable)).await;
        let other = AdminRequest::UserDisable(wire::UserDisable { name: "ana".into() });
        assert_eq!(refused(eva.administrate(other).await), ErrorCode::Unauthenticated);
    })
    .await;
}
